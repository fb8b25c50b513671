/**
 * `render-manifest.ts KUBECTL`: prints deploy/canal.yaml. kubectl renders deploy/kustomize but drops comments and sorts
 * keys; a file that people read before they apply it needs both, so the rendered values are put into the source documents.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Document, parse, parseAllDocuments } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../../..');
const DIRECTORY = join(ROOT, 'deploy/kustomize');
/** Long CEL lines are the writer's to break. */
const FORMAT = { lineWidth: 0, singleQuote: true, flowCollectionPadding: false } as const;

interface KubeObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

function renderManifest(kubectl: string): string {
  const rendered = Bun.spawnSync([kubectl, 'kustomize', DIRECTORY], { stderr: 'inherit' });
  if (rendered.exitCode !== 0) throw new Error(`${kubectl} kustomize ended with ${rendered.exitCode}`);
  return header() + mergeManifest(sourceText(), rendered.stdout.toString());
}

/** The text of `sources` with the values of `rendered`, both YAML streams. Throws when they do not fit. */
export function mergeManifest(sources: string, rendered: string): string {
  const documents = documentsOf(sources, 'the sources');
  const objects = documentsOf(rendered, 'what kustomize printed').map((each) => each.toJS() as KubeObject);
  const texts = objects.map((object) => {
    const source = documents.find((each) => isSame(each.toJS() as KubeObject, object));
    if (source === undefined)
      throw new Error(`${object.kind} ${object.metadata.name} is in no file of deploy/kustomize`);
    return withValues(source, object);
  });
  return texts.join('---\n');
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

function sourceText(): string {
  const { resources } = parse(readFileSync(join(DIRECTORY, 'kustomization.yaml'), 'utf8')) as {
    readonly resources: readonly string[];
  };
  return resources.map((name) => readFileSync(join(DIRECTORY, name), 'utf8')).join('---\n');
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
