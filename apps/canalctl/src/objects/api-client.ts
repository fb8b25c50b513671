/** The parts of the Kubernetes API that a command line needs: what is served, one object, a table of many. */
import { type KubeConnection, type KubeRequest, resourcePath, send } from '@canal/store-kube';
import { type KubeObject, type ResourceType } from '@canal/store-port';
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
  /** Everything served, core first. */
  discover(): Promise<readonly ServedResource[]>;
  table(type: ResourceType, where: ObjectAddress): Promise<ApiTable>;
  /** The object, or a `List` when no name is given. */
  read(type: ResourceType, where: ObjectAddress): Promise<unknown>;
  /** Throws StoreError as the write itself would; nothing is stored. */
  tryOut(change: Change): Promise<void>;
}

/** An object to be created, or a merge patch to one whose version is told. */
export type Change = { readonly type: ResourceType; readonly namespace: string | undefined } & (
  | { readonly object: KubeObject }
  | { readonly name: string; readonly patch: JsonObject; readonly version: string | undefined }
);

export interface ObjectAddress {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

const REQUEST_TIMEOUT_MS = 10_000;
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

export function createApiClient(connection: KubeConnection, signal: AbortSignal): ApiClient {
  const ask = async (request: KubeRequest): Promise<unknown> => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    return await (await send(connection, request, limited)).json();
  };
  const get = (request: Omit<KubeRequest, 'method'>): Promise<unknown> => ask({ method: 'GET', ...request });
  return {
    discover: async () => {
      const groups = listAt(await get({ path: '/apis' }), 'groups').flatMap((group) => {
        const version = textAt(group, 'preferredVersion', 'groupVersion');
        return version === undefined ? [] : [`/apis/${version}`];
      });
      const lists = await Promise.all(['/api/v1', ...groups].map((path) => get({ path })));
      return lists.flatMap(readResources);
    },
    table: async (type, where) => readTable(await get({ path: pathOf(type, where), accept: TABLE })),
    read: async (type, where) => await get({ path: pathOf(type, where) }),
    tryOut: async (change) => {
      await ask(tryRequest(change));
    },
  };
}

function tryRequest(change: Change): KubeRequest {
  const { type, namespace } = change;
  const query = 'dryRun=All&fieldValidation=Strict';
  if ('object' in change) {
    return { method: 'POST', path: `${pathOf(type, { namespace })}?${query}`, body: change.object };
  }
  const path = `${pathOf(type, { namespace, name: change.name })}?${query}`;
  return { method: 'PATCH', path, body: change.patch, contentType: 'application/merge-patch+json' };
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
