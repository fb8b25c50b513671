/** The nft table of masquerade and forward rules, and the watch over what others do to forwarded packets. */
import type { ForwardDrop, TrafficKernel } from '@canal/kernel-port';
import { NETWORK_NFT_TABLE } from '@canal/model';
import { compileTrafficRules } from '@canal/network-compile';
import type { Clock, Logger } from '@canal/runtime-port';
import type { LeasedSubnet } from './lease.ts';

export interface TrafficRulesDeps {
  readonly kernel: TrafficKernel;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface TrafficRulesOptions {
  readonly masquerade: boolean;
  readonly fullyRandom: boolean;
  readonly forward: boolean;
}

export interface TrafficRulesReport {
  /** `repaired`: what an earlier call had written was changed by others. */
  readonly outcome: 'same' | 'written' | 'repaired';
  /** What was not so, in words. */
  readonly differences: readonly string[];
  readonly foreignDrops: readonly ForwardDrop[];
}

/** iptables-legacy tells nobody of its changes, so drops are looked for on a timer too. */
const LOOK_FOR_DROPS_MS = 60_000;
const RETRY_MS = 1_000;

export class TrafficRules {
  readonly #deps: TrafficRulesDeps;
  readonly #options: TrafficRulesOptions;
  #generation: string | undefined;
  #drops: readonly ForwardDrop[] = [];
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #lookFault = '';

  constructor(deps: TrafficRulesDeps, options: TrafficRulesOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Brings the table to what these subnets need. Rejects with a KernelError when that fails. */
  async sync(leases: readonly LeasedSubnet[]): Promise<TrafficRulesReport> {
    const families = leases.map(({ network, subnet }) => ({ network, podSubnet: subnet }));
    const { generation, differences } = await this.#deps.kernel.apply(
      compileTrafficRules({ families, ...this.#options }),
    );
    const known = this.#generation === generation;
    this.#generation = generation;
    const outcome = differences.length === 0 ? 'same' : known ? 'repaired' : 'written';
    await this.#lookForDrops(leases);
    return { outcome, differences: differences.map(({ message }) => message), foreignDrops: this.#drops };
  }

  /** Tells of changes until the signal aborts. */
  async watch(onChange: () => void, signal: AbortSignal): Promise<void> {
    const { kernel, log, clock } = this.#deps;
    while (!signal.aborted) {
      try {
        for await (const event of kernel.monitor(NETWORK_NFT_TABLE, signal)) {
          if (event.type !== 'changed') this.#lookAtMs = Number.NEGATIVE_INFINITY;
          onChange();
        }
      } catch (error) {
        log.error({ error }, 'rule events broke off, listening again');
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async #lookForDrops(leases: readonly LeasedSubnet[]): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    if (nowMs < this.#lookAtMs) return;
    this.#lookAtMs = nowMs + LOOK_FOR_DROPS_MS;
    const networks = leases.map(({ network }) => network);
    try {
      this.#drops = await this.#deps.kernel.findForwardDrops(networks, [NETWORK_NFT_TABLE]);
      this.#lookFault = '';
    } catch (error) {
      // Rules of others that cannot be read are a hint that is missing; our own are in place.
      this.#drops = [];
      const fault = error instanceof Error ? error.message : String(error);
      if (fault !== this.#lookFault) this.#deps.log.warn({ error }, 'rules of others cannot be read for drops');
      this.#lookFault = fault;
    }
  }
}
