import { noSuchPath } from './api-error.ts';

/** What a path names. */
export type ApiPath =
  | { readonly type: 'health' }
  | { readonly type: 'version' }
  | { readonly type: 'core-versions' }
  | { readonly type: 'groups' }
  | { readonly type: 'group'; readonly group: string }
  | { readonly type: 'resources'; readonly group: string; readonly version: string }
  /** `root` is `api/v1` or `apis/<group>/<version>`; undefined for the index. */
  | { readonly type: 'openapi'; readonly root: string | undefined }
  | ResourcePath;

export interface ResourcePath {
  readonly type: 'resource';
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Undefined on paths that name no namespace: cluster-scoped resources, and lists over all namespaces. */
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** Reads a URL path; throws 404 for what no server of this kind serves. */
export function parsePath(pathname: string): ApiPath {
  const [first, ...rest] = pathname
    .replace(/^\/+|\/+$/g, '')
    .split('/')
    .map(decodeSegment);
  switch (first) {
    case 'healthz':
    case 'livez':
    case 'readyz':
      return { type: 'health' };
    case 'version':
      return { type: 'version' };
    case 'openapi':
      if (rest[0] !== 'v3') throw noSuchPath();
      return { type: 'openapi', root: rest.length === 1 ? undefined : rest.slice(1).join('/') };
    case 'api':
      return parseVersioned('', rest, { type: 'core-versions' });
    case 'apis': {
      const [group, ...below] = rest;
      if (group === undefined) return { type: 'groups' };
      return parseVersioned(group, below, { type: 'group', group });
    }
    default:
      throw noSuchPath();
  }
}

function parseVersioned(group: string, segments: readonly string[], index: ApiPath): ApiPath {
  const [version, ...rest] = segments;
  if (version === undefined) return index;
  if (rest.length === 0) return { type: 'resources', group, version };
  return { type: 'resource', group, version, ...parseTarget(rest) };
}

type Target = Pick<ResourcePath, 'plural' | 'namespace' | 'name' | 'subresource'>;

function parseTarget(segments: readonly string[]): Target {
  const [first = '', second, third, ...rest] = segments;
  // `namespaces/x/pods/…` lies in a namespace; `namespaces/x` and `namespaces/x/status` are the namespace itself.
  const inNamespace = first === 'namespaces' && third !== undefined && third !== 'status' && third !== 'finalize';
  if (inNamespace && second !== undefined) return { namespace: second, ...parsePlain([third, ...rest]) };
  return parsePlain(segments);
}

function parsePlain(segments: readonly string[]): Target {
  const [plural = '', name, subresource, ...rest] = segments;
  if (rest.length > 0) throw noSuchPath();
  return {
    plural,
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw noSuchPath();
  }
}
