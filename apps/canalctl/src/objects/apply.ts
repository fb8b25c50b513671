import { isDeepStrictEqual } from 'node:util';
import { LAST_APPLIED, lastApplied, threeWayMerge } from '@canal/api-schema';
import { StoreError } from '@canal/store-port';
import { UsageError } from '../report-error.ts';
import type { ApiClient, Change, FieldValidation, ServedResource, WriteOptions } from './api-client.ts';
import { isJsonObject, type JsonObject } from './json-object.ts';
import type { Manifest } from './manifest.ts';

export type ApplyOutcome = 'created' | 'configured' | 'unchanged';

/** An object that is to be as its manifest says. */
export interface Wish {
  readonly manifest: Manifest;
  readonly type: ServedResource;
  readonly namespace: string | undefined;
}

export interface ApplyOptions {
  readonly validate: FieldValidation;
  /** The API server merges, and refuses fields that others manage; else as `kubectl apply` without `--server-side`. */
  readonly serverSide: boolean;
  readonly force: boolean;
}

export interface Applied {
  readonly outcome: ApplyOutcome;
  readonly warnings: readonly string[];
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

export interface Trial {
  readonly wish: Wish;
  /** Undefined when it cannot be tried before its namespace is there. */
  readonly applied: Applied | undefined;
}

/** Asks the server of each whether it would take it, so that a fault in the last changes nothing. Throws StoreError. */
export async function tryWishes(
  client: ApiClient,
  wishes: readonly Wish[],
  options: ApplyOptions,
): Promise<readonly Trial[]> {
  const made = new Set(wishes.filter(isNamespace).map(({ manifest }) => manifest.name));
  const trials: Trial[] = [];
  for (const wish of wishes) {
    try {
      trials.push({ wish, applied: await applyWish(client, wish, options, true) });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // It is asked for again when its namespace is there.
      if (error.code === 'not-found' && made.has(wish.namespace ?? '')) trials.push({ wish, applied: undefined });
      else {
        // What is said of the request, a trial, is nothing to the reader.
        const why = error.message.replace(/^[A-Z]+ \/\S+: /, '');
        throw new StoreError(error.code, `${wish.manifest.where}: ${why}; nothing was changed`, { cause: error });
      }
    }
  }
  return trials;
}

/** Creates the object or changes it. Throws StoreError. */
export async function applyWish(
  client: ApiClient,
  wish: Wish,
  options: ApplyOptions,
  dryRun = false,
): Promise<Applied> {
  const { type, namespace, manifest } = wish;
  const live = await client.find(type, manifest.name, namespace);
  const change = changeOf(wish, live, options);
  if (change === undefined) return { outcome: 'unchanged', warnings: [] };
  const write: WriteOptions = { dryRun, validate: options.validate };
  try {
    const { object, warnings } = await client.write(change, write);
    return { outcome: outcomeOf(live, object), warnings };
  } catch (error) {
    // Somebody was quicker: then it is there to be changed.
    if (!(error instanceof StoreError && error.code === 'already-exists')) throw error;
    return await applyWish(client, wish, options, dryRun);
  }
}

function outcomeOf(live: JsonObject | undefined, after: unknown): ApplyOutcome {
  if (live === undefined) return 'created';
  return isUnchanged(live, after) ? 'unchanged' : 'configured';
}

/** By what is in them: of a trial the server tells the old version, and who manages which field may change alone. */
export function isUnchanged(before: unknown, after: unknown): boolean {
  return isDeepStrictEqual(contentOf(before), contentOf(after));
}

function contentOf(object: unknown): unknown {
  if (!isJsonObject(object)) return object;
  const {
    managedFields: _fields,
    resourceVersion: _version,
    ...metadata
  } = isJsonObject(object['metadata']) ? object['metadata'] : {};
  return { ...object, metadata };
}

/** Undefined when there is nothing to be done. */
function changeOf(
  { manifest, type, namespace }: Wish,
  live: JsonObject | undefined,
  { serverSide, force }: ApplyOptions,
): Change | undefined {
  const wanted = withMetadata(manifest.object, namespace);
  const at = { type, namespace, name: manifest.name };
  if (serverSide) return { ...at, action: 'apply', object: wanted, force };
  const marked = markApplied(wanted, JSON.stringify(wanted));
  if (live === undefined) return { ...at, action: 'create', object: marked };
  const patch = threeWayMerge(lastApplied(live) ?? {}, marked, live);
  return patch && { ...at, action: 'patch', patchType: 'merge', patch };
}

function withMetadata(object: JsonObject, namespace: string | undefined): JsonObject {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  return { ...object, metadata: { ...metadata, ...(namespace !== undefined && { namespace }) } };
}

function markApplied(object: JsonObject, text: string): JsonObject {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {};
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } };
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
