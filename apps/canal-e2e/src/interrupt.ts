/** SIGINT and SIGTERM end a run: what goes on is told by `interrupted`, then everything is cleaned up, then it ends. */

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** As shells give it for SIGINT. */
const EXIT_INTERRUPTED = 130;

const controller = new AbortController();
const cleanups = new Set<() => Promise<void>>();

/** Nothing new is begun once this is aborted; what runs ends itself. */
export const interrupted: AbortSignal = controller.signal;

/** Does `cleanup` when an interrupt comes, beside those of others. Gives what takes it back. */
export function onInterrupt(cleanup: () => Promise<void>): () => void {
  if (cleanups.size === 0) for (const signal of SIGNALS) process.on(signal, interrupt);
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
    if (cleanups.size === 0 && !interrupted.aborted) for (const signal of SIGNALS) process.off(signal, interrupt);
  };
}

function interrupt(): void {
  if (interrupted.aborted) return;
  controller.abort();
  void Promise.allSettled([...cleanups].map((cleanup) => cleanup())).then(() => process.exit(EXIT_INTERRUPTED));
}
