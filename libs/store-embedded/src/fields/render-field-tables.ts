import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The text of kubernetes-fields.ts, from the models of @kubernetes/client-node, which are made from the OpenAPI document
 * of a Kubernetes release. A test holds the checked-in file to it; after an update of the client library, `vitest -u`
 * writes it anew.
 */
export function renderFieldTables(modelsDirectory: string): string {
  const lines = collectTypes(modelsDirectory);
  const table = [...lines.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  return `/**
 * Fields of the served kinds and of everything inside them, as of Kubernetes ${releaseOf(modelsDirectory)}. Made by
 * render-field-tables.ts; do not edit. One type a line: its name, then \`field:type\`, where a type is a scalar in lower
 * case, another type of this table, \`[]type\` for a list or \`{}type\` for a map.
 */
export const KUBERNETES_FIELDS = \`
${table.join('\n')}
\`;
`;
}

const ROOTS = [
  'V1Node',
  'V1Namespace',
  'V1Pod',
  'V1ServiceAccount',
  'V1Service',
  'V1EndpointSlice',
  'V1ConfigMap',
  'CoreV1Event',
  'V1Lease',
  'V1NetworkPolicy',
  'V1CustomResourceDefinition',
];

/** The OpenAPI document calls quantities strings; they may be written as numbers too. */
const QUANTITIES = new Set([
  'EmptyDirVolumeSource.sizeLimit',
  'NodeStatus.allocatable',
  'NodeStatus.capacity',
  'PodSpec.overhead',
  'ContainerStatus.allocatedResources',
  'ResourceFieldSelector.divisor',
  'ResourceRequirements.limits',
  'ResourceRequirements.requests',
  'VolumeResourceRequirements.limits',
  'VolumeResourceRequirements.requests',
]);

function collectTypes(directory: string): ReadonlyMap<string, string> {
  const known = new Set(readdirSync(directory).flatMap((file) => (file.endsWith('.js') ? [file.slice(0, -3)] : [])));
  const lines = new Map<string, string>();
  const todo = [...ROOTS];
  for (let model = todo.pop(); model !== undefined; model = todo.pop()) {
    const name = shortName(model);
    if (lines.has(name)) continue;
    const attributes = attributesOf(directory, model);
    lines.set(name, [name, ...attributes.map((attribute) => renderField(name, attribute, known))].join(' '));
    for (const { type } of attributes) {
      for (const [reference] of type.matchAll(/[A-Z]\w+/g)) if (known.has(reference)) todo.push(reference);
    }
  }
  return lines;
}

interface Attribute {
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}

function attributesOf(directory: string, model: string): readonly Attribute[] {
  const text = readFileSync(join(directory, `${model}.js`), 'utf8');
  const literal = /attributeTypeMap = (\[[\s\S]*?\]);\s*(?:\/\/|$)/.exec(text)?.[1];
  const attributes: unknown = JSON.parse(literal ?? 'null');
  if (!Array.isArray(attributes)) throw new Error(`${model}: no attribute map found`);
  return attributes.filter(isAttribute);
}

function isAttribute(value: unknown): value is Attribute {
  if (typeof value !== 'object' || value === null) return false;
  return ['baseName', 'type', 'format'].every((name) => typeof Reflect.get(value, name) === 'string');
}

function renderField(owner: string, { baseName, type, format }: Attribute, known: ReadonlySet<string>): string {
  // The API allows a list of schemas here, structural schemas do not.
  if (owner === 'JSONSchemaProps' && baseName === 'items') return 'items:JSONSchemaProps';
  const rendered = renderType(type, format, known);
  return `${baseName}:${QUANTITIES.has(`${owner}.${baseName}`) ? rendered.replace('string', 'quantity') : rendered}`;
}

function renderType(type: string, format: string, known: ReadonlySet<string>): string {
  const list = /^Array<(.*)>$/.exec(type)?.[1];
  if (list !== undefined) return `[]${renderType(list, format, known)}`;
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (map !== undefined) return `{}${renderType(map, format, known)}`;
  if (type === 'number' || type === 'Date' || type === 'IntOrString') return format;
  if (type === 'V1MicroTime') return 'micro-time';
  if (type === 'string') return format === 'byte' ? 'byte' : 'string';
  return known.has(type) ? shortName(type) : type;
}

/** `V1PodSpec` -> `PodSpec`, `CoreV1Event` -> `Event`: inside the served kinds the short names are unique. */
function shortName(model: string): string {
  return model.replace(/^(?:Core|Discovery|Apiextensions)?V1/, '');
}

function releaseOf(directory: string): string {
  return (
    /OpenAPI spec version: release-(\S+)/.exec(readFileSync(join(directory, 'V1Pod.js'), 'utf8'))?.[1] ?? 'unknown'
  );
}
