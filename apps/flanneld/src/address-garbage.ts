/**
 * Releases pod addresses that no live sandbox owns, in rounds: containerd never calls the plugin's GC, so what a killed
 * plugin or runtime leaves would stay for ever. Only addresses of this node's own subnets are looked at; other plugins
 * keep theirs in the same directory.
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type NetworkName, parseNetworkName } from '@canal/cni-spec';
import {
  type JudgedReservation,
  judgeReservations,
  NO_STALENESS,
  type Sighting,
  type StalenessState,
} from '@canal/ipam';
import {
  type AttachmentStore,
  createCniCache,
  createStaleAddresses,
  NodeStateError,
  type StaleAddresses,
} from '@canal/node-state';
import type { Clock, Logger } from '@canal/runtime-port';
import { cidrContains, formatIp, type InterfaceName } from 'net-types';
import type { AgentMetrics } from './agent-metrics.ts';
import type { LeasedSubnet } from './lease.ts';

export interface AddressGarbageDeps {
  readonly attachments: AttachmentStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
  /** Undefined while this node has none. */
  readonly leases: () => readonly LeasedSubnet[] | undefined;
  readonly linkNames: () => Promise<ReadonlySet<InterfaceName>>;
}

export interface AddressGarbageOptions {
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly bootId: string;
  readonly roundMs: number;
  /** Longer than any ADD: container runtimes give up on one after two to four minutes. */
  readonly graceMs: number;
}

/** A round every half minute and four minutes of grace: a leak is gone within five minutes. */
export const GARBAGE_TIMES = { roundMs: 30_000, graceMs: 240_000 };

/** The lock is waited for on the agent's only thread, so hardly at all; the next round comes soon. */
const LOCK_TIMEOUT_MS = 50;

export class AddressGarbage {
  readonly #deps: AddressGarbageDeps;
  readonly #options: AddressGarbageOptions;
  readonly #states = new Map<NetworkName, StalenessState>();

  constructor(deps: AddressGarbageDeps, options: AddressGarbageOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.round();
      } catch (error) {
        this.#deps.log.warn({ error }, 'addresses not compared');
      }
      await this.#deps.clock.sleep(this.#options.roundMs, signal).catch(() => undefined);
    }
  }

  async round(): Promise<void> {
    const leases = this.#deps.leases();
    if (leases === undefined) return;
    const links = await this.#deps.linkNames();
    let inUse = 0;
    let unowned = 0;
    for (const network of this.#networks()) {
      const stale = this.#open(network, links);
      const observed = this.#observe(stale);
      // What earlier rounds saw stays known: a busy pool must not put the release of a leak off again and again.
      if (observed === undefined) continue;
      const own = observed.filter(({ ip }) => leases.some(({ subnet }) => cidrContains(subnet, ip)));
      inUse += own.length;
      unowned += this.#release(network, stale, own);
    }
    this.#deps.metrics.addressesInUse.set(inUse);
    this.#deps.metrics.addressesUnowned.set(unowned);
  }

  /** Gives the number of addresses that are without owner and still held. */
  #release(network: NetworkName, stale: StaleAddresses, reservations: readonly JudgedReservation[]): number {
    const state = this.#states.get(network) ?? NO_STALENESS;
    const decision = judgeReservations(reservations, state, this.#deps.clock.nowMs(), this.#options.graceMs);
    this.#states.set(network, decision.state);
    const released = decision.release.length === 0 ? [] : stale.release(decision.release);
    for (const ip of released) {
      const owner = decision.release.find((each) => each.ip === ip)?.owner?.containerId;
      this.#deps.log.info({ network, ip: formatIp(ip), container: owner }, 'address without a live sandbox released');
      this.#deps.metrics.addressesReleased.inc();
    }
    return decision.state.unownedSinceMs.size - released.length;
  }

  /** The lock is held by a plugin at work: nothing is known this time. */
  #observe(stale: StaleAddresses): readonly JudgedReservation[] | undefined {
    try {
      return stale.observe();
    } catch (error) {
      if (error instanceof NodeStateError && error.code === 'locked') return undefined;
      throw error;
    }
  }

  #open(network: NetworkName, links: ReadonlySet<InterfaceName>): StaleAddresses {
    const { dataDir, cacheDir, bootId } = this.#options;
    return createStaleAddresses({
      dataDir,
      network,
      attachments: this.#deps.attachments,
      cache: createCniCache(cacheDir),
      bootId,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      netns: sightNetns,
      hostLink: (name) => (links.has(name) ? 'present' : 'absent'),
    });
  }

  #networks(): NetworkName[] {
    const { dataDir } = this.#options;
    if (!existsSync(dataDir)) return [];
    return readdirSync(dataDir).flatMap((name) => {
      const network = parseNetworkName(name);
      return network.ok ? [network.value] : [];
    });
  }
}

/** Where not even the directory is there, this container does not see the host's namespaces. */
function sightNetns(path: string): Sighting {
  if (existsSync(path)) return 'present';
  return existsSync(dirname(path)) ? 'absent' : 'unknown';
}
