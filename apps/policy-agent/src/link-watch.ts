/** Devices of this host: the end of a pod's is the end of its endpoint. */
import type { Clock, Logger } from '@canal/runtime-port';
import type { ProblemLog } from '@canal/telemetry';

export type LinkEvent =
  | { readonly type: 'present'; readonly index: number; readonly name: string }
  | { readonly type: 'gone'; readonly index: number }
  /** All that are there follow as `present`; others are gone. Comes first, and after events were lost. */
  | { readonly type: 'resync'; readonly links: readonly { readonly index: number; readonly name: string }[] };

export interface LinkWatchDeps {
  /** From the call on; ends when the signal aborts. */
  readonly events: (signal: AbortSignal) => AsyncIterable<LinkEvent>;
  readonly onGone: (name: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly problems: ProblemLog;
}

const RETRY_MS = 1_000;
/** kube-proxy in ipvs mode has the Services' addresses on it. */
const IPVS_DEVICE = 'kube-ipvs0';

export async function watchLinks(deps: LinkWatchDeps, signal: AbortSignal): Promise<void> {
  const names = new Map<number, string>();
  let told = '';
  while (!signal.aborted) {
    try {
      for await (const event of deps.events(signal)) {
        const before = [...names.values()];
        follow(names, event);
        const now = new Set(names.values());
        for (const name of before) if (!now.has(name)) deps.onGone(name);
        tellIpvs(deps.problems, now);
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== told) deps.log.error({ error }, 'events of devices broke off, listening again');
      told = message;
    }
    await deps.clock.sleep(RETRY_MS, signal).catch(() => undefined);
  }
}

function follow(names: Map<number, string>, event: LinkEvent): void {
  switch (event.type) {
    case 'present':
      names.set(event.index, event.name);
      return;
    case 'gone':
      names.delete(event.index);
      return;
    case 'resync':
      names.clear();
      for (const { index, name } of event.links) names.set(index, name);
  }
}

function tellIpvs(problems: ProblemLog, names: ReadonlySet<string>): void {
  const message =
    'kube-proxy runs in ipvs mode (kube-ipvs0 is there), with which policy has not been tested on this kernel. ' +
    'Cure: run kube-proxy in nftables or iptables mode';
  problems.update(
    'links',
    names.has(IPVS_DEVICE) ? [{ key: IPVS_DEVICE, severity: 'warning', event: 'KubeProxyIpvs', message }] : [],
  );
}
