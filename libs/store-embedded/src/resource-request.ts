import { badRequest, unsupportedMediaType } from './api-error.ts';
import { childOf, isJson, type Json, textOf } from './json.ts';
import { checkVersionKept, readFilter, readList, readVersion } from './list-query.ts';
import type { DeleteOptions, Target, WriteOptions } from './object-api.ts';
import type { Preconditions } from './object-update.ts';
import { type ObjectView, plainView, tableView } from './object-view.ts';
import { jsonPatch } from './patch/json-patch.ts';
import { mergePatch } from './patch/merge-patch.ts';
import { mediaType, readJsonBody } from './request-body.ts';
import type { HandlerDeps } from './request-handler.ts';
import type { ResourcePath } from './request-path.ts';
import { apiVersionOf, type ResourceDefinition } from './resource.ts';
import type { ServedResource } from './resource-registry.ts';
import { jsonResponse } from './response.ts';
import { wantsTable } from './table.ts';
import { itemsOf } from './value-rules.ts';
import { openWatchStream } from './watch-stream.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** One request to a resource, after it was let in. */
export class ResourceRequest {
  readonly #deps: HandlerDeps;
  readonly #request: Request;
  readonly #resource: ResourceDefinition;
  readonly #served: ServedResource;
  readonly #target: Target;
  /** Undefined on paths that name no namespace. */
  readonly #namespace: string | undefined;
  readonly #query: URLSearchParams;
  readonly #view: ObjectView;

  constructor(deps: HandlerDeps, request: Request, served: ServedResource, path: ResourcePath) {
    this.#deps = deps;
    this.#request = request;
    this.#served = served;
    this.#resource = served.definition;
    this.#namespace = path.namespace;
    this.#target = {
      resource: this.#resource,
      namespace: path.namespace ?? '',
      name: path.name ?? '',
      ...(path.subresource === 'status' ? { subresource: 'status' } : {}),
    };
    this.#query = new URL(request.url).searchParams;
    this.#view = wantsTable(request.headers.get('Accept'))
      ? tableView(this.#resource, deps.now)
      : plainView(this.#resource);
  }

  async serve(verb: Verb): Promise<Response> {
    const { objects } = this.#deps;
    switch (verb) {
      case 'get':
        return this.#answer(objects.get(this.#target), 200);
      case 'list':
        return this.#list();
      case 'watch':
        return this.#watch();
      case 'create': {
        const body = await this.#body();
        return this.#answer(objects.create(this.#resource, this.#target.namespace, body, this.#writeOptions()), 201);
      }
      case 'update':
        return this.#answer(objects.update(this.#target, await this.#body(), this.#writeOptions()), 200);
      case 'patch':
        return this.#answer(objects.patch(this.#target, await this.#patch(), this.#writeOptions()), 200);
      case 'delete':
        return await this.#delete();
      case 'deletecollection':
        return await this.#deleteCollection();
    }
  }

  #answer(body: string, status: number): Response {
    return jsonResponse(this.#view.object(body), status);
  }

  #list(): Response {
    const filter = readFilter(this.#resource, this.#namespace, this.#query);
    const { metadata, items } = readList(this.#deps.db, this.#resource, filter, this.#query);
    return jsonResponse(this.#view.list(metadata, items), 200);
  }

  #watch(): Response {
    const { db, watch, signal } = this.#deps;
    const filter = readFilter(this.#resource, this.#namespace, this.#query);
    const version = readVersion(this.#query) ?? 0;
    const bookmarks = this.#flag('allowWatchBookmarks');
    const sendInitial = this.#flag('sendInitialEvents');
    if (sendInitial && this.#query.get('resourceVersionMatch') !== 'NotOlderThan') {
      throw badRequest('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
    }
    if (version > 0) checkVersionKept(db, sendInitial ? Math.max(version, db.compactedVersion) : version);
    const stream = openWatchStream(db, {
      resource: this.#resource.storageKey,
      apiVersion: apiVersionOf(this.#resource),
      kind: this.#resource.kind,
      view: this.#view,
      filter,
      fromVersion: version === 0 || sendInitial ? db.version : version,
      initialState: version === 0 || sendInitial,
      markInitialEnd: sendInitial && bookmarks,
      bookmarks,
      bookmarkIntervalMs: watch.bookmarkIntervalMs,
      timeoutMs: this.#watchSeconds() * 1000 || watch.defaultTimeoutMs,
      bufferBytes: watch.bufferBytes,
      signal: AbortSignal.any([signal, this.#served.signal]),
    });
    const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' };
    return new Response(stream, { headers });
  }

  async #delete(): Promise<Response> {
    const { removed, body } = this.#deps.objects.delete(this.#target, await this.#deleteOptions());
    if (!removed) return this.#answer(body, 200);
    const { group, plural } = this.#resource;
    const details = {
      name: this.#target.name,
      ...(group === '' ? {} : { group }),
      kind: plural,
      uid: textOf(childOf(JSON.parse(body), 'metadata'), 'uid'),
    };
    const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
    return jsonResponse(JSON.stringify(status), 200);
  }

  async #deleteCollection(): Promise<Response> {
    const { db, objects } = this.#deps;
    const options = await this.#deleteOptions();
    const filter = readFilter(this.#resource, this.#namespace, this.#query);
    const { metadata, items } = readList(db, this.#resource, filter, this.#query);
    for (const item of items) {
      const { namespace, name } = addressOf(item);
      objects.delete({ resource: this.#resource, namespace, name }, { ...options, preconditions: {} });
    }
    return jsonResponse(this.#view.list(metadata, items), 200);
  }

  async #body(): Promise<unknown> {
    return await readJsonBody(this.#request, [JSON_TYPE], this.#deps.limits);
  }

  /** What the patch of this request makes of an object. */
  async #patch(): Promise<(current: Json) => unknown> {
    const { strategicMerge } = this.#resource.schema;
    const type = mediaType(this.#request);
    const supported = [JSON_PATCH, MERGE_PATCH, ...(strategicMerge === undefined ? [] : [STRATEGIC_MERGE_PATCH])];
    if (!supported.includes(type)) {
      throw unsupportedMediaType(
        `patches of type ${JSON.stringify(type)} are not supported - accepted media types include: ${supported.join(', ')}` +
          (type === APPLY_PATCH ? ' (kubectl apply without --server-side works)' : ''),
      );
    }
    const patch = await readJsonBody(this.#request, [type], this.#deps.limits);
    if (type === JSON_PATCH) return (current) => jsonPatch(current, patch);
    if (!isJson(patch)) throw badRequest('the patch must be a JSON object');
    if (type === MERGE_PATCH) return (current) => mergePatch(current, patch);
    return (current) => strategicMerge?.(current, patch);
  }

  async #deleteOptions(): Promise<DeleteOptions> {
    const options = (await this.#body()) ?? {};
    if (!isJson(options)) throw badRequest('DeleteOptions must be a JSON object');
    const unknown = Object.keys(options).filter((name) => !DELETE_OPTIONS.includes(name));
    if (unknown.length > 0) throw badRequest(`strict decoding error: unknown field ${JSON.stringify(unknown[0])}`);
    const policy = options['propagationPolicy'] ?? this.#query.get('propagationPolicy') ?? 'Background';
    if (typeof policy !== 'string' || !PROPAGATION.includes(policy)) {
      throw badRequest(`invalid propagationPolicy ${JSON.stringify(policy)}: one of ${PROPAGATION.join(', ')}`);
    }
    return { ...this.#writeOptions(options['dryRun']), preconditions: readPreconditions(options['preconditions']) };
  }

  #writeOptions(fromBody?: unknown): WriteOptions {
    const values = [...this.#query.getAll('dryRun'), ...itemsOf(fromBody)];
    if (values.some((value) => value !== 'All')) throw badRequest('dryRun: only "All" is supported');
    // Unknown fields are refused whatever it says; a misspelt value is refused too.
    const validation = this.#query.get('fieldValidation') ?? '';
    if (!FIELD_VALIDATION.includes(validation)) {
      throw badRequest(`fieldValidation: Unsupported value: ${JSON.stringify(validation)}`);
    }
    return { dryRun: values.length > 0 };
  }

  #watchSeconds(): number {
    const seconds = Number(this.#query.get('timeoutSeconds') ?? '0');
    if (!Number.isInteger(seconds) || seconds < 0) throw badRequest('timeoutSeconds must be a non-negative integer');
    return Math.min(seconds, MAX_WATCH_SECONDS);
  }

  #flag(name: string): boolean {
    const value = this.#query.get(name);
    return value === 'true' || value === '1';
  }
}

function addressOf(body: string): { readonly namespace: string; readonly name: string } {
  const metadata = childOf(JSON.parse(body), 'metadata');
  return { namespace: textOf(metadata, 'namespace'), name: textOf(metadata, 'name') };
}

function readPreconditions(value: unknown): Preconditions {
  if (!isJson(value)) return {};
  const uid = textOf(value, 'uid');
  const resourceVersion = textOf(value, 'resourceVersion');
  return { ...(uid === '' ? {} : { uid }), ...(resourceVersion === '' ? {} : { resourceVersion }) };
}

const JSON_TYPE = 'application/json';
const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_MERGE_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';
const PROPAGATION = ['Background', 'Foreground', 'Orphan'];
const FIELD_VALIDATION = ['', 'Ignore', 'Warn', 'Strict'];
const DELETE_OPTIONS = [
  'apiVersion',
  'kind',
  'gracePeriodSeconds',
  'preconditions',
  'orphanDependents',
  'propagationPolicy',
  'dryRun',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
];
/** What a timer can hold. */
const MAX_WATCH_SECONDS = 86_400;
