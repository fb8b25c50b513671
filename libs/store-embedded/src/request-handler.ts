import { ApiError, forbidden, methodNotAllowed, noSuchPath } from './api-error.ts';
import type { Authenticate, Authorize, FindToken } from './authentication.ts';
import { coreVersions, groupList, oneGroup, resourceList } from './discovery.ts';
import type { ObjectApi } from './object-api.ts';
import type { ObjectDatabase } from './object-database.ts';
import { openApiDocument, openApiIndex } from './openapi.ts';
import type { BodyLimits } from './request-body.ts';
import { type ApiPath, parsePath, type ResourcePath } from './request-path.ts';
import type { ResourceDefinition } from './resource.ts';
import type { ResourceRegistry } from './resource-registry.ts';
import { ResourceRequest, type Verb } from './resource-request.ts';
import { jsonResponse } from './response.ts';
import { isTokenReview, serveTokenReview } from './token-review.ts';

export interface HandlerDeps {
  readonly db: ObjectDatabase;
  readonly objects: ObjectApi;
  readonly registry: ResourceRegistry;
  readonly authenticate: Authenticate;
  readonly findToken: FindToken;
  readonly authorize: Authorize;
  readonly limits: BodyLimits;
  readonly watch: WatchSettings;
  readonly now: () => Date;
  /** Ends open watches when the server closes. */
  readonly signal: AbortSignal;
  readonly version: object;
  /** Told of failures that are defects of the server, not of the request. */
  readonly onInternalError: (error: unknown) => void;
}

export interface WatchSettings {
  readonly bookmarkIntervalMs: number;
  /** Length of a watch whose client asked for none. */
  readonly defaultTimeoutMs: number;
  /** What may wait for a slow reader before its watch falls back to the change log. */
  readonly bufferBytes: number;
}

export type RequestHandler = (request: Request) => Promise<Response>;

/** The whole API as one function from request to response; it never rejects. */
export function createRequestHandler(deps: HandlerDeps): RequestHandler {
  return async (request) => {
    try {
      return await route(deps, request);
    } catch (error) {
      if (!(error instanceof ApiError)) deps.onInternalError(error);
      const failure = error instanceof ApiError ? error : new ApiError(500, 'InternalError', 'Internal error occurred');
      const seconds = failure.details?.retryAfterSeconds;
      const headers = seconds === undefined ? {} : { 'Retry-After': String(seconds) };
      return jsonResponse(`${JSON.stringify(failure.body())}\n`, failure.code, headers);
    }
  };
}

/** True for requests whose answer stays open: they must not be cut by an idle time-out. */
export function isWatch(request: Request): boolean {
  return isTrue(new URL(request.url).searchParams.get('watch'));
}

async function route(deps: HandlerDeps, request: Request): Promise<Response> {
  const url = new URL(request.url);
  const path = parsePath(url.pathname);
  if (path.type === 'health') return new Response('ok', { headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
  const user = deps.authenticate(request);
  if (path.type !== 'resource') {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed(request.method);
    return jsonResponse(JSON.stringify(describePath(deps, path)), 200);
  }
  if (isTokenReview(path)) return await serveTokenReview(deps, request, user);
  const served = deps.registry.find(path.group, path.version, path.plural);
  if (served === undefined) throw noSuchPath();
  const verb = verbOf(request, path, url.searchParams);
  const { type: _, plural, ...rest } = path;
  const refused = deps.authorize({ user, verb, path: url.pathname, resource: plural, ...rest });
  if (refused !== undefined) throw forbidden(served.definition, path.name ?? '', refused);
  checkScope(served.definition, path, verb);
  return await new ResourceRequest(deps, request, served, path).serve(verb);
}

function describePath(deps: HandlerDeps, path: Exclude<ApiPath, ResourcePath | { type: 'health' }>): object {
  const resources = deps.registry.all();
  switch (path.type) {
    case 'version':
      return deps.version;
    case 'core-versions':
      return coreVersions();
    case 'groups':
      return groupList(resources);
    case 'group':
      return oneGroup(resources, path.group);
    case 'resources':
      return resourceList(resources, path.group, path.version);
    case 'openapi':
      return path.root === undefined ? openApiIndex(resources) : openApiDocument(resources, path.root);
  }
}

function verbOf(request: Request, path: ResourcePath, query: URLSearchParams): Verb {
  const named = path.name !== undefined;
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      if (named) return 'get';
      return isTrue(query.get('watch')) ? 'watch' : 'list';
    case 'POST':
      if (!named) return 'create';
      break;
    case 'PUT':
      if (named) return 'update';
      break;
    case 'PATCH':
      if (named) return 'patch';
      break;
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
  }
  throw methodNotAllowed(request.method);
}

/** Namespaced objects are written inside their namespace; subresources are few. */
function checkScope(resource: ResourceDefinition, path: ResourcePath, verb: Verb): void {
  if (!resource.namespaced && path.namespace !== undefined) throw noSuchPath();
  if (resource.namespaced && path.namespace === undefined) {
    if (path.name !== undefined) throw noSuchPath();
    if (verb !== 'list' && verb !== 'watch') throw methodNotAllowed(verb);
  }
  if (path.subresource === undefined) return;
  if (path.subresource !== 'status' || !resource.statusSubresource) throw noSuchPath();
  if (verb === 'delete' || verb === 'create') throw methodNotAllowed(verb);
}

function isTrue(value: string | null): boolean {
  return value === 'true' || value === '1';
}
