/** Devices of this host: the end of a pod's is the end of its endpoint. */
import type { Clock, Logger } from '@canal/runtime-port';
import type { Complaint, ProblemLog } from '@canal/telemetry';
import type { AgentMetrics } from './agent-metrics.ts';
import { followKernel, type KernelStream } from './kernel-stream.ts';

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
  readonly metrics: Pick<AgentMetrics, 'errors'>;
  readonly problems: Pick<ProblemLog, 'update'>;
}

/** kube-proxy in ipvs mode has the Services' addresses on it. */
const IPVS_DEVICE = 'kube-ipvs0';

/** Until the signal aborts. */
export async function watchLinks(deps: LinkWatchDeps, signal: AbortSignal): Promise<void> {
  const names = new Map<number, string>();
  const stream: KernelStream<LinkEvent> = {
    name: 'links',
    events: deps.events,
    onEvent: (event) => {
      const before = [...names.values()];
      follow(names, event);
      const now = new Set(names.values());
      for (const name of before) if (!now.has(name)) deps.onGone(name);
      tellIpvs(deps.problems, now);
    },
    complaint: notWatched,
  };
  await followKernel(stream, deps, signal);
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

function tellIpvs(problems: Pick<ProblemLog, 'update'>, names: ReadonlySet<string>): void {
  const message =
    'kube-proxy runs in ipvs mode (kube-ipvs0 is there), with which policy has not been tested on this kernel. ' +
    'Cure: run kube-proxy in nftables or iptables mode';
  problems.update(
    'ipvs',
    names.has(IPVS_DEVICE) ? [{ key: IPVS_DEVICE, severity: 'warning', event: 'KubeProxyIpvs', message }] : [],
  );
}

function notWatched(reason: string): Complaint {
  const message =
    `the kernel does not tell of devices, so a pod whose interface vanishes without a DEL keeps its rules until its record goes: ${reason}. ` +
    'Cure: descriptors and memory for the sockets of the agent';
  return { key: 'broken', severity: 'warning', event: 'DevicesNotWatched', message };
}
