/** OpenAPI documents of the kinds that the embedded server has, by group version; and the kinds. */
const SERVED: Readonly<Record<string, readonly string[]>> = {
  'api/v1': ['Node', 'Namespace', 'Pod', 'ServiceAccount', 'Service', 'ConfigMap', 'Event'],
  'apis/discovery.k8s.io/v1': ['EndpointSlice'],
  'apis/coordination.k8s.io/v1': ['Lease'],
  'apis/networking.k8s.io/v1': ['NetworkPolicy'],
  'apis/apiextensions.k8s.io/v1': ['CustomResourceDefinition'],
};

/**
 * Lists that a strategic merge patch merges: `Type.field` and the member that identifies an item, as the server's OpenAPI v3
 * documents tell for these kinds and all that is inside them.
 */
export async function mergeKeys(request: (path: string) => Promise<Response>): Promise<ReadonlyMap<string, string>> {
  const keys: [string, string][] = [];
  for (const [root, kinds] of Object.entries(SERVED)) {
    const document: unknown = await (await request(`/openapi/v3/${root}`)).json();
    const schemas = member(member(document, 'components'), 'schemas');
    const kindOf = (name: string): boolean =>
      kinds.includes(shortName(name)) && member(member(schemas, name), GROUP_VERSION_KIND) !== undefined;
    const todo = Object.keys(Object(schemas) as object).filter(kindOf);
    const seen = new Set<string>();
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const properties = member(member(schemas, name), 'properties');
      for (const [field, schema] of Object.entries(Object(properties) as Record<string, unknown>)) {
        if (member(schema, 'x-kubernetes-patch-strategy') !== undefined) {
          const key = member(schema, 'x-kubernetes-patch-merge-key');
          keys.push([`${shortName(name)}.${field}`, typeof key === 'string' ? key : '']);
        }
        for (const [, target] of JSON.stringify(schema).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
          if (target !== undefined) todo.push(target);
        }
      }
    }
  }
  return new Map(keys.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function shortName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

const GROUP_VERSION_KIND = 'x-kubernetes-group-version-kind';
