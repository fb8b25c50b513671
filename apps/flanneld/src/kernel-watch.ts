/** Kernel events to the loop. What is listened to follows from the networks in use, so it changes with them. */
import { isOwnLinkName } from '@canal/delta';
import type { MonitorScope, NetworkKernel } from '@canal/kernel-port';
import { NODE_ROUTE_PROTOCOL, POD_ROUTE_PROTOCOL } from '@canal/model';
import type { Clock, Logger } from '@canal/runtime-port';
import {
  type Cidr,
  cidrContains,
  cidrOf,
  compareCidr,
  formatCidr,
  type Ip,
  type IpFamily,
  ipFamily,
  parseCidr,
  unwrap,
} from 'net-types';
import type { AgentMetrics } from './agent-metrics.ts';
import type { NetworkResult } from './node-network.ts';

export interface KernelWatchDeps {
  readonly kernel: NetworkKernel;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  readonly onChange: () => void;
}

const RETRY_MS = 1_000;

/** Until this node is decided, any route may be the one that decides it: the default route of a host that boots. */
const EVERYTHING: readonly Cidr[] = [unwrap(parseCidr('0.0.0.0/0')), unwrap(parseCidr('::/0'))];

export class KernelWatch {
  readonly #deps: KernelWatchDeps;
  #networks: readonly Cidr[] = EVERYTHING;
  #restart = new AbortController();

  constructor(deps: KernelWatchDeps) {
    this.#deps = deps;
  }

  /** Listens to what this result makes worth hearing. */
  follow({ own, conf, underlay }: Pick<NetworkResult, 'own' | 'conf' | 'underlay'>): void {
    if (own === undefined) return;
    const podNetworks = [conf?.network, conf?.ipv6Network].filter((network) => network !== undefined);
    const near = [...podNetworks, ...own.node.families.flatMap(({ onLinkNetworks }) => onLinkNetworks)];
    const networks = [...near, ...surroundings(underlay, near)];
    if (textOf(networks) === textOf(this.#networks)) return;
    this.#networks = networks;
    this.#restart.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, clock } = this.#deps;
    while (!signal.aborted) {
      this.#restart = new AbortController();
      try {
        await this.#listen(AbortSignal.any([signal, this.#restart.signal]));
      } catch (error) {
        log.error({ error }, 'kernel events broke off, listening again');
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { kernel, metrics, log, onChange } = this.#deps;
    let first = true;
    for await (const event of kernel.monitor(this.#scope(), signal)) {
      if (event.type === 'resync' && !first) {
        metrics.netlinkOverruns.inc();
        log.warn({}, 'kernel events were lost, reading everything again');
      }
      first = false;
      onChange();
    }
  }

  #scope(): MonitorScope {
    return {
      // Links and addresses are told of all devices. On those of others neighbours change by themselves, several times a
      // minute each, and say nothing; on ours there are permanent entries alone.
      links: isOwnLinkName,
      routeProtocols: [NODE_ROUTE_PROTOCOL, POD_ROUTE_PROTOCOL],
      networks: this.#networks,
    };
  }
}

/** Lengths of the blocks that stand for the addresses in them, longest first: a shorter one is taken when there are too many. */
const BLOCK_LENGTHS: Readonly<Record<IpFamily, readonly number[]>> = { 4: [24, 16, 8, 0], 6: [64, 48, 32, 0] };

/** Every route event is held against every block. */
const MOST_BLOCKS = 64;

/**
 * Blocks around those of the addresses that are in none of `near`. Not the addresses themselves: a peer that joins beside
 * others then changes nothing, where each change costs a new socket and a full pass.
 */
function surroundings(addresses: readonly Ip[], near: readonly Cidr[]): Cidr[] {
  const far = addresses.filter((ip) => !near.some((network) => cidrContains(network, ip)));
  return ([4, 6] as const).flatMap((family) => {
    const ofFamily = far.filter((ip) => ipFamily(ip) === family);
    const covers = BLOCK_LENGTHS[family].map((length) =>
      [...new Set(ofFamily.map((ip) => cidrOf(ip, length).ip))].map((ip) => cidrOf(ip, length)),
    );
    return covers.find((blocks) => blocks.length <= MOST_BLOCKS) ?? [];
  });
}

function textOf(networks: readonly Cidr[]): string {
  return [...networks].sort(compareCidr).map(formatCidr).join(' ');
}
