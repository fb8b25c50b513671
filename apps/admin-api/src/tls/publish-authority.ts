/** Tells clients in the cluster whom to trust: the authority of a certificate that was made at start, in a ConfigMap. */
import type { Clock, Logger } from '@canal/runtime-port';
import { CONFIG_MAPS, type Store, StoreError } from '@canal/store-port';

export interface ConfigMapName {
  readonly namespace: string;
  readonly name: string;
}

export interface PublishDeps {
  readonly store: Pick<Store, 'mergePatch'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** As ConfigMaps of Kubernetes name it. */
export const AUTHORITY_KEY = 'ca.crt';

/** It is written again: whoever has taken it away, or put another there, does not lock clients out for long. */
const AGAIN_MS = 60_000;
const RETRY_MS = 2_000;

/** `certPem` is public. The ConfigMap must be there: who may make some may make any. Until the signal aborts. */
export async function publishAuthority(
  { store, clock, log }: PublishDeps,
  { namespace, name }: ConfigMapName,
  certPem: string,
  signal: AbortSignal,
): Promise<void> {
  let told = '';
  while (!signal.aborted) {
    const problem = await store
      .mergePatch(CONFIG_MAPS, name, { data: { [AUTHORITY_KEY]: certPem } }, { namespace })
      .then(() => '', describe);
    if (problem !== told) {
      const where = { configMap: `${namespace}/${name}` };
      if (problem !== '') log.error({ ...where, problem }, 'the authority that clients need is not published');
      else log.info(where, 'the authority that clients need is published again');
    }
    told = problem;
    await clock.sleep(problem === '' ? AGAIN_MS : RETRY_MS, signal).catch(() => undefined);
  }
}

function describe(error: unknown): string {
  if (error instanceof StoreError) return error.message;
  throw error;
}
