/**
 * `render-manifest.ts KUBECTL`: prints deploy/canal.yaml. kubectl renders deploy/kustomize but drops comments and sorts
 * keys; a file that people read before they apply it needs both, so the rendered values are put into the source documents.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Document, parseAllDocuments } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../../..');
const DIRECTORY = join(ROOT, 'deploy/kustomize');
/** Long CEL lines are the writer's to break. */
const FORMAT = { lineWidth: 0, singleQuote: true, flowCollectionPadding: false } as const;

interface KubeObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

export function renderManifest(kubectl: string): string {
  const rendered = Bun.spawnSync([kubectl, 'kustomize', DIRECTORY], { stderr: 'inherit' });
  if (rendered.exitCode !== 0) throw new Error(`${kubectl} kustomize ended with ${rendered.exitCode}`);
  const objects = documentsOf(rendered.stdout.toString(), `${kubectl} kustomize`).map(
    (each) => each.toJS() as KubeObject,
  );
  const sources = sourceDocuments();
  const texts = objects.map((object) => {
    const source = sources.find((each) => isSame(each.toJS() as KubeObject, object));
    if (source === undefined) throw new Error(`${object.kind} ${object.metadata.name} is in no file of ${DIRECTORY}`);
    return withValues(source, object);
  });
  return `${header()}${texts.join('---\n')}`;
}

function header(): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
  return [
    `# canal ${version}: kubectl apply -f canal.yaml`,
    '# Settings are in the ConfigMap canal-config; docs/install.md says what to look at before and after.',
    '# Rendered from deploy/kustomize by "npm run manifest": changes belong there.',
    '---',
    '',
  ].join('\n');
}

function sourceDocuments(): Document.Parsed[] {
  const kustomization = documentsOf(readFileSync(join(DIRECTORY, 'kustomization.yaml'), 'utf8'), 'kustomization.yaml');
  const { resources } = kustomization[0]?.toJS() as { readonly resources: readonly string[] };
  return resources.flatMap((name) => documentsOf(readFileSync(join(DIRECTORY, name), 'utf8'), name));
}

function documentsOf(text: string, name: string): Document.Parsed[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  for (const { errors } of documents) {
    if (errors[0] !== undefined) throw new Error(`${name}: ${errors[0].message}`);
  }
  return documents;
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  return a.kind === b.kind && a.metadata.name === b.metadata.name;
}

function withValues(source: Document.Parsed, object: KubeObject): string {
  setValues(source, [], object);
  if (!isDeepStrictEqual(source.toJS(), object)) {
    throw new Error(
      `${object.kind} ${object.metadata.name}: kustomize has taken something away, which is not provided for`,
    );
  }
  return source.toString(FORMAT).replace(/^---\n/, '');
}

/** Kustomize adds labels and image tags here: values inside maps and lists that the source has. */
function setValues(document: Document.Parsed, path: readonly (string | number)[], value: unknown): void {
  if (typeof value !== 'object' || value === null) {
    if (document.getIn(path) !== value) document.setIn(path, value);
    return;
  }
  if (path.length > 0 && !document.hasIn(path)) {
    document.setIn(path, document.createNode(value));
    return;
  }
  for (const [key, part] of Object.entries(value)) {
    setValues(document, [...path, Array.isArray(value) ? Number(key) : key], part);
  }
}

if (import.meta.main) process.stdout.write(renderManifest(process.argv[2] ?? 'kubectl'));
