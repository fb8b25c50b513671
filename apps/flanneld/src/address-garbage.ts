/**
 * Releases pod addresses that no live sandbox owns, in rounds: containerd never calls the plugin's GC, so what a killed
 * plugin or runtime leaves would stay for ever. Only addresses of this node's own subnets are looked at; other plugins
 * keep theirs in the same directory.
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type NetworkName, parseNetworkName } from '@canal/cni-spec';
import {
  attachmentKey,
  isGoneForSure,
  judgeOwner,
  type JudgedReservation,
  judgeReservations,
  NO_STALENESS,
  type Owner,
  type Sighting,
  stalenessKey,
  type StalenessState,
} from '@canal/ipam';
import type { Attachment } from '@canal/model';
import {
  type AttachmentStore,
  createCniCache,
  createStaleAddresses,
  NodeStateError,
  type StaleAddresses,
} from '@canal/node-state';
import type { Clock, Logger } from '@canal/runtime-port';
import { cidrContains, formatIp, type InterfaceName, type Ip } from 'net-types';
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

export interface HeldAddress {
  readonly ip: Ip;
  readonly owner?: Owner;
  /** Without a live sandbox since the last round or longer. */
  readonly leaked: boolean;
  /** Leaked, and gone for sure: `releaseNow` would release it. */
  readonly releasable: boolean;
  /** As its record says. */
  readonly pod?: Attachment['pod'];
}

export type ReleaseResult =
  /** With it the others of its sandbox. */
  | { readonly result: 'released'; readonly released: readonly Ip[] }
  | { readonly result: 'kept'; readonly why: string }
  | { readonly result: 'absent' };

/** A round every half minute and four minutes of grace: a leak is gone within five minutes. */
export const GARBAGE_TIMES = { roundMs: 30_000, graceMs: 240_000 };

/** The lock is waited for on the agent's only thread, so hardly at all; the next round comes soon. */
const LOCK_TIMEOUT_MS = 50;

export class AddressGarbage {
  readonly #deps: AddressGarbageDeps;
  readonly #options: AddressGarbageOptions;
  readonly #states = new Map<NetworkName, StalenessState>();
  /** This node's own, when they were last looked at. */
  readonly #seen = new Map<NetworkName, readonly JudgedReservation[]>();

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
    if (this.#deps.leases() === undefined) return;
    const links = await this.#deps.linkNames();
    let inUse = 0;
    let unowned = 0;
    for (const network of this.#networks()) {
      const stale = this.#open(network, links);
      const observed = this.#observe(stale);
      // What earlier rounds saw stays known: a busy pool must not put the release of a leak off again and again.
      if (observed === undefined) continue;
      const own = this.#own(observed);
      this.#seen.set(network, own);
      inUse += own.length;
      unowned += this.#release(network, stale, own);
    }
    this.#deps.metrics.addressesInUse.set(inUse);
    this.#deps.metrics.addressesUnowned.set(unowned);
  }

  /** All addresses of this node's subnets that are given out, as they are now: those of a pool at work as they were. */
  async held(): Promise<readonly HeldAddress[]> {
    const links = await this.#deps.linkNames();
    return this.#networks().flatMap((network) => {
      const { unownedSinceMs } = this.#states.get(network) ?? NO_STALENESS;
      const records = this.#deps.attachments.list(network).attachments;
      const pods = new Map(records.map((record) => [attachmentKey(record), record.pod]));
      const observed = this.#observe(this.#open(network, links));
      if (observed !== undefined) this.#seen.set(network, this.#own(observed));
      return (this.#seen.get(network) ?? []).map((reservation): HeldAddress => {
        const { ip, owner, evidence } = reservation;
        const { containerId, containerInterface } = owner ?? {};
        const isNamed = containerId !== undefined && containerInterface !== undefined;
        const pod = isNamed ? pods.get(attachmentKey({ containerId, containerInterface })) : undefined;
        return {
          ip,
          ...(owner && { owner }),
          ...(pod && { pod }),
          leaked: isLeaked(reservation, unownedSinceMs),
          releasable: isLeaked(reservation, unownedSinceMs) && isGoneForSure(evidence),
        };
      });
    });
  }

  /**
   * Because somebody asks for it, without waiting for the grace time: only what a round has found leaked, what the container
   * still holds, and whose sandbox is gone for sure. All that is looked at again under the pool's lock.
   */
  async releaseNow(ip: Ip, containerId: string): Promise<ReleaseResult> {
    const leases = this.#deps.leases();
    if (leases === undefined) return kept('this node does not know its subnets yet: try again');
    if (!leases.some(({ subnet }) => cidrContains(subnet, ip))) return kept('it is of no subnet of this node');
    const links = await this.#deps.linkNames();
    let result: ReleaseResult = { result: 'absent' };
    for (const network of this.#networks()) {
      const { unownedSinceMs } = this.#states.get(network) ?? NO_STALENESS;
      let why = '';
      const released = this.#unlessBusy(() =>
        this.#open(network, links).releaseIf(ip, (now) => {
          const reason = reasonToKeep(now, containerId, unownedSinceMs);
          // Of the address that was asked for, which is looked at first.
          if (now.ip === ip) why = reason ?? '';
          return reason === undefined;
        }),
      );
      if (released === 'busy') return kept('a plugin is at work on the addresses of this node: try again');
      if (released === undefined) continue;
      if (released.length === 0) return kept(why);
      this.#count(network, released, containerId);
      result = { result: 'released', released };
    }
    return result;
  }

  #own(observed: readonly JudgedReservation[]): readonly JudgedReservation[] {
    const leases = this.#deps.leases() ?? [];
    return observed.filter(({ ip }) => leases.some(({ subnet }) => cidrContains(subnet, ip)));
  }

  /** Gives the number of addresses that are without owner and still held. */
  #release(network: NetworkName, stale: StaleAddresses, reservations: readonly JudgedReservation[]): number {
    const state = this.#states.get(network) ?? NO_STALENESS;
    const decision = judgeReservations(reservations, state, this.#deps.clock.nowMs(), this.#options.graceMs);
    this.#states.set(network, decision.state);
    const released = decision.release.length === 0 ? [] : stale.release(decision.release);
    for (const ip of released) {
      this.#count(network, [ip], decision.release.find((each) => each.ip === ip)?.owner?.containerId);
    }
    return decision.state.unownedSinceMs.size - released.length;
  }

  #count(network: NetworkName, released: readonly Ip[], container: string | undefined): void {
    for (const ip of released) {
      this.#deps.log.info({ network, ip: formatIp(ip), container }, 'address without a live sandbox released');
      this.#deps.metrics.addressesReleased.inc();
    }
  }

  /** Undefined: nothing is known this time. */
  #observe(stale: StaleAddresses): readonly JudgedReservation[] | undefined {
    const observed = this.#unlessBusy(() => stale.observe());
    return observed === 'busy' ? undefined : observed;
  }

  /** The lock is held by a plugin at work. */
  #unlessBusy<T>(work: () => T): T | 'busy' {
    try {
      return work();
    } catch (error) {
      if (error instanceof NodeStateError && error.code === 'locked') return 'busy';
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

function isLeaked(reservation: JudgedReservation, unownedSinceMs: StalenessState['unownedSinceMs']): boolean {
  return judgeOwner(reservation.evidence) !== 'held' && unownedSinceMs.has(stalenessKey(reservation));
}

/** Undefined when it may go at once. */
function reasonToKeep(
  now: JudgedReservation,
  containerId: string,
  unownedSinceMs: StalenessState['unownedSinceMs'],
): string | undefined {
  const { owner, evidence } = now;
  if (owner?.containerId !== containerId) return 'another container holds it now';
  if (judgeOwner(evidence) === 'held') return 'its sandbox is there';
  if (!isLeaked(now, unownedSinceMs)) return 'it has just been given out: it is leaked when the next round finds it so';
  if (isGoneForSure(evidence)) return undefined;
  return 'an ADD may still be at work on it, as far as can be seen: it is given back by itself within minutes';
}

function kept(why: string): ReleaseResult {
  return { result: 'kept', why };
}

/** Where not even the directory is there, this container does not see the host's namespaces. */
function sightNetns(path: string): Sighting {
  if (existsSync(path)) return 'present';
  return existsSync(dirname(path)) ? 'absent' : 'unknown';
}
