import { noSuchPath } from './api-error.ts';
import { apiVersionOf, type ResourceDefinition } from './resource.ts';

/**
 * As much of OpenAPI v3 as `kubectl` needs: for each kind a PATCH operation that tells that this server judges fields itself
 * (`fieldValidation`), and schemas of types without texts, for `kubectl explain`.
 */
export function openApiIndex(resources: readonly ResourceDefinition[]): object {
  const roots = [...new Set(resources.map(rootOf))];
  return {
    paths: Object.fromEntries(roots.map((root) => [root, { serverRelativeURL: `/openapi/v3/${root}` }])),
  };
}

export function openApiDocument(resources: readonly ResourceDefinition[], root: string): object {
  const served = resources.filter((resource) => rootOf(resource) === root);
  if (served.length === 0) throw noSuchPath();
  return {
    openapi: '3.0.0',
    info: { title: 'canal embedded API server', version: 'v1' },
    paths: Object.fromEntries(served.map((resource) => [objectPath(resource), { patch: patchOperation(resource) }])),
    components: { schemas: Object.assign({}, ...served.map(schemasOf)) as object },
  };
}

function schemasOf(resource: ResourceDefinition): Readonly<Record<string, object>> {
  const { group, version, kind } = resource;
  const published = resource.schema.published();
  const own = { ...published[kind], 'x-kubernetes-group-version-kind': [{ group, version, kind }] };
  return { ...published, [kind]: own };
}

function rootOf(resource: ResourceDefinition): string {
  return resource.group === '' ? `api/${resource.version}` : `apis/${apiVersionOf(resource)}`;
}

function objectPath(resource: ResourceDefinition): string {
  const scope = resource.namespaced ? '/namespaces/{namespace}' : '';
  return `/${rootOf(resource)}${scope}/${resource.plural}/{name}`;
}

function patchOperation({ group, version, kind }: ResourceDefinition): object {
  return {
    parameters: [
      { name: 'dryRun', in: 'query', schema: { type: 'string' } },
      { name: 'fieldValidation', in: 'query', schema: { type: 'string' } },
    ],
    responses: { '200': { description: 'OK' } },
    'x-kubernetes-action': 'patch',
    'x-kubernetes-group-version-kind': { group, version, kind },
  };
}
