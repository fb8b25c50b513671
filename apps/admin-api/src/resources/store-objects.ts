/** Objects of the cluster, listed when somebody asks. */
import { objectKey, type Parse, type ResourceType, type Store, StoreError, type WatchOptions } from '@canal/store-port';
import { ProblemError } from '../handler.ts';
import { untilAborted } from './until-aborted.ts';

interface ReadObjects<T> {
  readonly objects: readonly T[];
  readonly unreadable: readonly { readonly key: string; readonly error: string }[];
}

/** Parsed one after the other, some ten milliseconds' work at a time. */
const OBJECTS_AT_ONCE = 1_000;

/** Rejects with ProblemError when the API server cannot be reached or refuses, and when the signal aborts. */
export async function readObjects<T>(
  store: Store,
  type: ResourceType,
  parse: Parse<T>,
  options: WatchOptions,
  signal: AbortSignal,
): Promise<ReadObjects<T>> {
  const what = `${type.plural} cannot be listed`;
  const listed = await untilAborted(store.list(type, options), signal).catch((error: unknown) => {
    if (signal.aborted) throw new ProblemError('unavailable', `${what} in time; try again`, { retryAfterSeconds: 5 });
    throw storeProblem(what, error);
  });
  const objects: T[] = [];
  const unreadable: { key: string; error: string }[] = [];
  for (const [index, object] of listed.entries()) {
    const parsed = parse(object);
    if (parsed.ok) objects.push(parsed.value);
    else unreadable.push({ key: objectKey(object.metadata), error: parsed.error });
    if (index % OBJECTS_AT_ONCE === OBJECTS_AT_ONCE - 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return { objects, unreadable };
}

/** What a handler cannot do because of the API server. Other errors are given back. */
export function storeProblem(what: string, error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  return new ProblemError('unavailable', `${what}: the Kubernetes API server says ${error.message}`, {
    retryAfterSeconds: Math.ceil((error.retryAfterMs ?? 2_000) / 1_000),
  });
}
