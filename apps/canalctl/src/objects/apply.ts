import { type KubeObject, type Store, StoreError } from '@canal/store-port';
import { UsageError } from '../report-error.ts';
import { type ApiClient, type Change, type ServedResource } from './api-client.ts';
import { isJsonObject, type JsonObject, textAt } from './json-object.ts';
import { type Manifest } from './manifest.ts';
import { LAST_APPLIED, lastApplied, threeWayMerge } from './three-way-merge.ts';

export type ApplyOutcome = 'created' | 'configured' | 'unchanged';

/** An object that is to be as its manifest says. */
export interface Wish {
  readonly manifest: Manifest;
  readonly type: ServedResource;
  readonly namespace: string | undefined;
}

export function wishOf(served: readonly ServedResource[], manifest: Manifest, defaultNamespace: string): Wish {
  const type = resourceOf(served, manifest);
  return { manifest, type, namespace: type.namespaced ? (manifest.namespace ?? defaultNamespace) : undefined };
}

/** In the order in which they can be made: namespaces before what is in them. */
export function inOrder(wishes: readonly Wish[]): readonly Wish[] {
  return [...wishes.filter(isNamespace), ...wishes.filter((wish) => !isNamespace(wish))];
}

function isNamespace({ type }: Wish): boolean {
  return type.group === '' && type.plural === 'namespaces';
}

/** Asks the server of each whether it would take it, so that a fault in the last changes nothing. Throws StoreError. */
export async function checkWishes(store: Store, client: ApiClient, wishes: readonly Wish[]): Promise<void> {
  const made = new Set(wishes.filter(isNamespace).map(({ manifest }) => manifest.name));
  for (const wish of wishes) {
    try {
      const change = await changeOf(store, wish);
      if (change !== undefined) await client.tryOut(change);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // It is asked for again when its namespace is there.
      if (error.code === 'not-found' && made.has(wish.namespace ?? '')) continue;
      // What is said of the request, a trial, is nothing to the reader.
      const why = error.message.replace(/^[A-Z]+ \/\S+: /, '');
      throw new StoreError(error.code, `${wish.manifest.where}: ${why}; nothing was changed`, { cause: error });
    }
  }
}

/** Creates the object or changes it as `kubectl apply` would. */
export async function applyWish(store: Store, wish: Wish): Promise<ApplyOutcome> {
  const change = await changeOf(store, wish);
  if (change === undefined) return 'unchanged';
  const { type, namespace } = change;
  if ('object' in change) {
    try {
      await store.create(type, change.object);
      return 'created';
    } catch (error) {
      // Somebody was quicker: then it is there to be changed.
      if (!(error instanceof StoreError && error.code === 'already-exists')) throw error;
      return await applyWish(store, wish);
    }
  }
  const { name, patch, version } = change;
  const after = await store.mergePatch(type, name, patch, namespace === undefined ? {} : { namespace });
  return after.metadata.resourceVersion === version ? 'unchanged' : 'configured';
}

/** Undefined when there is nothing to be done. */
async function changeOf(store: Store, { manifest, type, namespace }: Wish): Promise<Change | undefined> {
  const wanted = withMetadata(manifest.object, namespace);
  const marked = markApplied(wanted, JSON.stringify(wanted));
  const { name } = manifest;
  const live = await store.get(type, name, namespace);
  if (live === undefined) return { type, namespace, object: marked };
  const patch = threeWayMerge(lastApplied(live) ?? {}, marked, live);
  return patch && { type, namespace, name, patch, version: live.metadata.resourceVersion };
}

function withMetadata(object: JsonObject, namespace: string | undefined): JsonObject {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  return { ...object, metadata: { ...metadata, ...(namespace !== undefined && { namespace }) } };
}

function markApplied(object: JsonObject, text: string): KubeObject {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {};
  const name = textAt(metadata, 'name') ?? '';
  return {
    ...object,
    metadata: { ...metadata, name, annotations: { ...annotations, [LAST_APPLIED]: text } },
  };
}

/** The resource that a manifest's apiVersion and kind name. Throws UsageError. */
function resourceOf(served: readonly ServedResource[], manifest: Manifest): ServedResource {
  const { apiVersion, kind, where } = manifest;
  const found = served.find(
    (one) => one.kind === kind && (one.group === '' ? one.version : `${one.group}/${one.version}`) === apiVersion,
  );
  if (found !== undefined) return found;
  throw new UsageError(
    `${where}: the API server does not serve ${kind} of ${apiVersion}`,
    'correct kind and apiVersion, or apply its CustomResourceDefinition first; nothing was changed',
  );
}
