/** Objects of the cluster, read when somebody asks: each is parsed as it comes, so that what is not needed is not kept. */
import { type Parse, type ResourceType, type Store, StoreError, type WatchOptions } from '@canal/store-port';
import { ProblemError } from '../handler.ts';

/** Rejects with ProblemError when the API server cannot be reached or refuses, and when the signal aborts. */
export async function readObjects<T>(
  store: Store,
  type: ResourceType,
  parse: Parse<T>,
  options: WatchOptions,
  signal: AbortSignal,
): Promise<{
  readonly objects: readonly T[];
  readonly unreadable: readonly { readonly key: string; readonly error: string }[];
}> {
  const objects = new Map<string, T>();
  const unreadable = new Map<string, string>();
  const done = new AbortController();
  try {
    for await (const event of store.watch(type, parse, options, AbortSignal.any([signal, done.signal]))) {
      if (event.type === 'in-sync') {
        return {
          objects: [...objects.values()],
          unreadable: [...unreadable].map(([key, error]) => ({ key, error })),
        };
      }
      if (event.type === 'connection') {
        if (!event.connected) throw unavailable(type, event.error ?? 'the connection was lost');
        continue;
      }
      objects.delete(event.key);
      unreadable.delete(event.key);
      if (event.type === 'delete') continue;
      if (event.parsed.ok) objects.set(event.key, event.parsed.value);
      else unreadable.set(event.key, event.parsed.error);
    }
  } finally {
    done.abort();
  }
  throw unavailable(type, signal.aborted ? 'it took too long' : 'the list ended');
}

/** What a handler cannot do because of the API server. Other errors are given back. */
export function storeProblem(what: string, error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  return new ProblemError('unavailable', `${what}: the Kubernetes API server says ${error.message}`, {
    retryAfterSeconds: Math.ceil((error.retryAfterMs ?? 2_000) / 1_000),
  });
}

function unavailable({ plural }: ResourceType, why: string): ProblemError {
  return new ProblemError('unavailable', `${plural} cannot be listed: ${why}; try again`, { retryAfterSeconds: 2 });
}
