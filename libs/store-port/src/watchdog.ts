import type { Clock } from '@canal/runtime-port';

import { StoreError } from './store-error.ts';

/**
 * Aborts its signal when nothing touched it for `idleMs`, or when the parent aborts. Connections whose other end
 * vanished without a word (node lost, firewall state gone) stay open for ever otherwise.
 */
export interface Watchdog {
  readonly signal: AbortSignal;
  /** Set once the idle time was exceeded. */
  readonly expired: StoreError | undefined;
  readonly touch: () => void;
  /** Ends it; the signal is aborted, so that what still hangs on it is released. */
  readonly stop: () => void;
}

export function createWatchdog(clock: Clock, idleMs: number, parent: AbortSignal): Watchdog {
  const controller = new AbortController();
  let lastMs = clock.nowMs();
  let expired: StoreError | undefined;
  const onParentAbort = (): void => {
    controller.abort(parent.reason);
  };
  parent.addEventListener('abort', onParentAbort, { once: true });
  if (parent.aborted) onParentAbort();

  // One timer for the whole connection, however many frames arrive.
  const run = async (): Promise<void> => {
    for (;;) {
      const leftMs = lastMs + idleMs - clock.nowMs();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, controller.signal);
    }
    expired = new StoreError('unavailable', `nothing received for ${String(Math.round(idleMs / 1000))} s`);
    controller.abort(expired);
  };
  // The sleep rejects when the watchdog is stopped; that is its normal end.
  run().catch(() => undefined);

  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    touch: () => {
      lastMs = clock.nowMs();
    },
    stop: () => {
      parent.removeEventListener('abort', onParentAbort);
      controller.abort();
    },
  };
}
