import { type KubeObject, type ResourceType, type Store, StoreError } from '@canal/store-port';
import { UsageError } from '../report-error.ts';
import { type ServedResource } from './api-client.ts';
import { isJsonObject, type JsonObject, textAt } from './json-object.ts';
import { type Manifest } from './manifest.ts';
import { LAST_APPLIED, threeWayMerge } from './three-way-merge.ts';

export type ApplyOutcome = 'created' | 'configured' | 'unchanged';

/** Creates the object or changes it as `kubectl apply` would. */
export async function applyManifest(
  store: Store,
  type: ResourceType,
  manifest: Manifest,
  defaultNamespace: string,
): Promise<ApplyOutcome> {
  const namespace = type.namespaced ? (manifest.namespace ?? defaultNamespace) : undefined;
  const wanted = withMetadata(manifest.object, namespace);
  const marked = markApplied(wanted, JSON.stringify(wanted));
  const live = await store.get(type, manifest.name, namespace);
  if (live === undefined) {
    try {
      await store.create(type, marked);
      return 'created';
    } catch (error) {
      // Somebody was quicker: then it is there to be changed.
      if (!(error instanceof StoreError && error.code === 'already-exists')) throw error;
      return await applyManifest(store, type, manifest, defaultNamespace);
    }
  }
  const patch = threeWayMerge(lastApplied(live), marked, live);
  if (patch === undefined) return 'unchanged';
  await store.mergePatch(type, manifest.name, patch, namespace === undefined ? {} : { namespace });
  return 'configured';
}

/** What the last apply of this or another tool had set; nothing when the object was made in another way. */
function lastApplied(live: KubeObject): JsonObject {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
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
export function resourceOf(served: readonly ServedResource[], manifest: Manifest): ServedResource {
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
