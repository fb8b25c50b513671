/** Devices of this host: the end of a pod's is the end of its endpoint, and the rules name the MAC of the pods' bridge. */
import { BRIDGE_NAME } from '@canal/model';
import type { Clock, Logger } from '@canal/runtime-port';
import type { Complaint, ProblemLog } from '@canal/telemetry';
import type { Mac } from 'net-types';
import type { AgentMetrics } from './agent-metrics.ts';
import { followKernel, type KernelStream } from './kernel-stream.ts';

export interface WatchedLink {
  readonly index: number;
  readonly name: string;
  /** Of devices that have one. */
  readonly address?: Mac;
}

export type LinkEvent =
  | ({ readonly type: 'present' } & WatchedLink)
  | { readonly type: 'gone'; readonly index: number }
  /** All that are there follow as `present`; others are gone. Comes first, and after events were lost. */
  | { readonly type: 'resync'; readonly links: readonly WatchedLink[] };

export interface LinkWatchDeps {
  /** From the call on; ends when the signal aborts. */
  readonly events: (signal: AbortSignal) => AsyncIterable<LinkEvent>;
  readonly onGone: (name: string) => void;
  /** The bridge of pods has come, has another MAC, or is gone. */
  readonly onBridge: () => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Pick<AgentMetrics, 'errors'>;
  readonly problems: Pick<ProblemLog, 'update'>;
}

/** kube-proxy in ipvs mode has the Services' addresses on it. */
const IPVS_DEVICE = 'kube-ipvs0';

/** Until the signal aborts. */
export async function watchLinks(deps: LinkWatchDeps, signal: AbortSignal): Promise<void> {
  const links = new Map<number, WatchedLink>();
  const stream: KernelStream<LinkEvent> = {
    name: 'links',
    events: deps.events,
    onEvent: (event) => {
      const before = byName(links);
      follow(links, event);
      const now = byName(links);
      for (const name of before.keys()) if (!now.has(name)) deps.onGone(name);
      if (before.get(BRIDGE_NAME)?.address !== now.get(BRIDGE_NAME)?.address) deps.onBridge();
      tellIpvs(deps.problems, now);
    },
    complaint: notWatched,
  };
  await followKernel(stream, deps, signal);
}

function follow(links: Map<number, WatchedLink>, event: LinkEvent): void {
  switch (event.type) {
    case 'present':
      links.set(event.index, event);
      return;
    case 'gone':
      links.delete(event.index);
      return;
    case 'resync':
      links.clear();
      for (const link of event.links) links.set(link.index, link);
  }
}

/** Of two of one name, one is gone and not heard of yet: the later counts. */
function byName(links: ReadonlyMap<number, WatchedLink>): ReadonlyMap<string, WatchedLink> {
  return new Map([...links.values()].map((link) => [link.name, link]));
}

function tellIpvs(problems: Pick<ProblemLog, 'update'>, names: ReadonlyMap<string, unknown>): void {
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
