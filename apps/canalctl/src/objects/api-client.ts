/** The parts of the Kubernetes API that a command line needs: what is served, one object, a table of many. */
import { type KubeConnection, type KubeRequest, resourcePath, send } from '@canal/store-kube';
import { type ResourceType, StoreError } from '@canal/store-port';
import { isJsonObject, type JsonObject, textAt, valueAt } from './json-object.ts';

/** A served resource with the words people use for it. */
export interface ServedResource extends ResourceType {
  /** Plural, singular and short names, lower case. */
  readonly words: readonly string[];
}

export interface ApiTable {
  readonly columns: readonly ApiColumn[];
  readonly rows: readonly { readonly cells: readonly string[]; readonly namespace: string }[];
}

export interface ApiColumn {
  readonly name: string;
  /** Shown with `-o wide` alone. */
  readonly wide: boolean;
}

export interface ApiClient {
  /** Everything served, core first, in the version that each group prefers. */
  discover(): Promise<readonly ServedResource[]>;
  /** What is served of an apiVersion; nothing when it is not. */
  served(apiVersion: string): Promise<readonly ServedResource[]>;
  table(type: ResourceType, where: ObjectAddress): Promise<ApiTable>;
  /** The object, or a `List` when no name is given. */
  read(type: ResourceType, where: ObjectAddress): Promise<unknown>;
  /** Undefined when there is no such object. */
  find(type: ResourceType, name: string, namespace: string | undefined): Promise<JsonObject | undefined>;
  /** Throws StoreError. */
  write(change: Change, options: WriteOptions): Promise<Written>;
}

/** What is to become of one object. */
export type Change = {
  readonly type: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string;
} & (
  | { readonly action: 'create'; readonly object: JsonObject }
  | { readonly action: 'patch'; readonly patchType: PatchType; readonly patch: unknown }
  /** Server-side apply. `force`: fields that others manage are taken over. */
  | { readonly action: 'apply'; readonly object: JsonObject; readonly force: boolean }
  | { readonly action: 'delete' }
);

export type PatchType = keyof typeof PATCH_TYPES;

/** What the API server does about fields that it does not know. */
export type FieldValidation = 'strict' | 'warn' | 'ignore';

export interface WriteOptions {
  /** Everything but storing. */
  readonly dryRun: boolean;
  readonly validate: FieldValidation;
}

export interface Written {
  /** As it is now; of a deletion, what the server says. */
  readonly object: unknown;
  /** Of the API server, for people. */
  readonly warnings: readonly string[];
}

export interface ObjectAddress {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

const REQUEST_TIMEOUT_MS = 10_000;
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

export function createApiClient(connection: KubeConnection, signal: AbortSignal): ApiClient {
  const answer = async (request: KubeRequest): Promise<Response> => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    return await send(connection, request, limited);
  };
  const ask = async (request: KubeRequest): Promise<unknown> => await (await answer(request)).json();
  const get = (request: Omit<KubeRequest, 'method'>): Promise<unknown> => ask({ method: 'GET', ...request });
  // A group of an API server behind this one that is down leaves the others to be found.
  const orNothing = (path: string): Promise<unknown> =>
    get({ path }).catch((error: unknown) => {
      if (error instanceof StoreError && ['unavailable', 'not-found'].includes(error.code)) return undefined;
      throw error;
    });
  return {
    discover: async () => {
      const groups = listAt(await get({ path: '/apis' }), 'groups').flatMap((group) => {
        const version = textAt(group, 'preferredVersion', 'groupVersion');
        return version === undefined ? [] : [`/apis/${version}`];
      });
      const lists = await Promise.all([get({ path: '/api/v1' }), ...groups.map(orNothing)]);
      return lists.flatMap(readResources);
    },
    served: async (apiVersion) => {
      const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
      if (!/^[A-Za-z0-9./-]+$/.test(apiVersion) || apiVersion.includes('..')) return [];
      try {
        return readResources(await get({ path }));
      } catch (error) {
        if (error instanceof StoreError && error.code === 'not-found') return [];
        throw error;
      }
    },
    table: async (type, where) => readTable(await get({ path: pathOf(type, where), accept: TABLE })),
    read: async (type, where) => await get({ path: pathOf(type, where) }),
    find: async (type, name, namespace) => {
      try {
        const found = await get({ path: pathOf(type, { name, namespace }) });
        return isJsonObject(found) ? found : undefined;
      } catch (error) {
        if (error instanceof StoreError && error.code === 'not-found') return undefined;
        throw error;
      }
    },
    write: async (change, options) => {
      const response = await answer(writeRequest(change, options)).catch((error: unknown) => {
        throw withoutQuery(error);
      });
      return { object: await response.json(), warnings: readWarnings(response.headers.get('warning')) };
    },
  };
}

/** How a write was asked for is nothing to the reader. */
function withoutQuery(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  const message = error.message.replace(/^([A-Z]+ [^?\s]+)\?\S*: /, '$1: ');
  return new StoreError(error.code, message, { cause: error });
}

const PATCH_TYPES = {
  strategic: 'application/strategic-merge-patch+json',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const;

/** Whom the API server names as the manager of fields. */
const FIELD_MANAGER = 'canalctl';

function writeRequest(change: Change, { dryRun, validate }: WriteOptions): KubeRequest {
  const { type, namespace, name, action } = change;
  const query = new URLSearchParams(dryRun ? { dryRun: 'All' } : {});
  if (action !== 'delete') {
    query.set('fieldManager', FIELD_MANAGER);
    query.set('fieldValidation', VALIDATION[validate]);
  }
  const path = (of: ObjectAddress): string => `${pathOf(type, of)}${query.size === 0 ? '' : `?${query.toString()}`}`;
  switch (action) {
    case 'create':
      return { method: 'POST', path: path({ namespace }), body: change.object };
    case 'patch':
      return {
        method: 'PATCH',
        path: path({ namespace, name }),
        body: change.patch,
        contentType: PATCH_TYPES[change.patchType],
      };
    case 'apply':
      query.set('force', String(change.force));
      // JSON is YAML.
      return {
        method: 'PATCH',
        path: path({ namespace, name }),
        body: change.object,
        contentType: 'application/apply-patch+yaml',
      };
    case 'delete':
      return { method: 'DELETE', path: path({ namespace, name }) };
  }
}

const VALIDATION = { strict: 'Strict', warn: 'Warn', ignore: 'Ignore' } as const;

/** Texts of a Warning header (RFC 7234 §5.5): `299 - "text", 299 - "text"`. */
export function readWarnings(header: string | null): readonly string[] {
  return [...(header ?? '').matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) =>
    text.replace(/\\(.)/g, '$1'),
  );
}

function pathOf(type: ResourceType, { namespace, name }: ObjectAddress): string {
  return resourcePath(type, namespace, name);
}

function readResources(list: unknown): readonly ServedResource[] {
  const groupVersion = textAt(list, 'groupVersion') ?? 'v1';
  const slash = groupVersion.indexOf('/');
  const [group, version] = [groupVersion.slice(0, Math.max(slash, 0)), groupVersion.slice(slash + 1)];
  return listAt(list, 'resources').flatMap((entry) => {
    const [plural, kind] = [textAt(entry, 'name'), textAt(entry, 'kind')];
    // `pods/status` and the like are parts of an object.
    if (plural === undefined || kind === undefined || plural.includes('/')) return [];
    const namespaced = isJsonObject(entry) && entry['namespaced'] === true;
    const short = listAt(entry, 'shortNames').filter((name) => typeof name === 'string');
    const singular = textAt(entry, 'singularName') ?? '';
    const words = [plural, singular === '' ? kind.toLowerCase() : singular, ...short];
    return [{ group, version, plural, kind, namespaced, words }];
  });
}

function readTable(table: unknown): ApiTable {
  return {
    columns: listAt(table, 'columnDefinitions').map((column) => {
      const priority = valueAt(column, 'priority');
      return { name: textAt(column, 'name') ?? '', wide: typeof priority === 'number' && priority > 0 };
    }),
    rows: listAt(table, 'rows').map((row) => ({
      cells: listAt(row, 'cells').map(String),
      namespace: textAt(row, 'object', 'metadata', 'namespace') ?? '',
    })),
  };
}

function listAt(value: unknown, name: string): readonly unknown[] {
  const found = isJsonObject(value) ? value[name] : undefined;
  return Array.isArray(found) ? found : [];
}

/** By what a person types: `po`, `pod`, `pods`, `networkpolicies.networking.k8s.io`, `NetworkPolicy`. */
export function findResource(served: readonly ServedResource[], word: string): ServedResource | undefined {
  const wanted = word.toLowerCase();
  return served.find((one) =>
    [...one.words, one.kind.toLowerCase(), `${one.plural}.${one.group}`].some((name) => name === wanted),
  );
}
