/** TrafficKernel over nf_tables: one table of family inet, read back before and after every write. */
import {
  type ForwardDrop,
  KernelError,
  type TrafficComparison,
  type TrafficDifference,
  type TrafficEvent,
  type TrafficKernel,
} from '@canal/kernel-port';
import { type KnownConnection, NETLINK_NETFILTER, type NetnsRef, openKnownConnection } from '@canal/linux-ffi';
import type { TrafficTable } from '@canal/model';
import type { Cidr } from 'net-types';
import { isBusy, isExists, isNotFound, listNftChains, type NetlinkConnection, NFPROTO } from 'netlink-ts';
import { findLegacyForwardDrops } from './legacy-forward-drops.ts';
import { findNftForwardDrops } from './nft-forward-drops.ts';
import { filtersForwarding, type TableKey } from './nft-forward-chains.ts';
import { nftKernelError } from './nft-kernel-error.ts';
import { monitorTraffic } from './nft-monitor.ts';
import { planTable, type TablePlan } from './nft-plan.ts';
import { readTable } from './nft-read.ts';
import { desiredImage, generationOf } from './nft-table-image.ts';
import { writeSteps } from './nft-write.ts';

export interface NftTrafficKernelOptions {
  /** Network namespace by path or open descriptor; the process's own when absent. */
  readonly netns?: NetnsRef;
}

/** The packet rules of one namespace. Throws KernelError when no socket can be had there. */
export function createNftTrafficKernel(options: NftTrafficKernelOptions = {}): TrafficKernel {
  return new NftTrafficKernel(options.netns);
}

/** How often a difference is written, if others write at the same time, before that is an error. */
const APPLY_ATTEMPTS = 5;

class NftTrafficKernel implements TrafficKernel {
  readonly #netns: NetnsRef | undefined;
  readonly #connection: NetlinkConnection;
  readonly #isOwnPort: KnownConnection['isOwnPort'];
  #closed = false;

  constructor(netns: NetnsRef | undefined) {
    this.#netns = netns;
    const options = { protocol: NETLINK_NETFILTER, netns };
    const { connection, isOwnPort } = asKernelError('open a netfilter socket', () => openKnownConnection(options));
    this.#connection = connection;
    this.#isOwnPort = isOwnPort;
  }

  compare(desired: TrafficTable): Promise<TrafficComparison> {
    return this.#ask('read', () => comparison(desired, this.#plan(desired).differences));
  }

  apply(desired: TrafficTable): Promise<TrafficComparison> {
    return this.#ask('write', () => this.#apply(desired));
  }

  remove(name: string): Promise<boolean> {
    return this.#ask('remove', () => this.#apply({ name, chains: [] }).differences.length > 0);
  }

  async *monitor(name: string, signal: AbortSignal): AsyncGenerator<TrafficEvent> {
    this.#checkOpen();
    const deps = {
      netns: this.#netns,
      isOwnPort: this.#isOwnPort,
      forwardTables: () => this.#forwardTables(),
    };
    try {
      yield* monitorTraffic(deps, name, signal);
    } catch (error) {
      throw nftKernelError('watch', error);
    }
  }

  findForwardDrops(networks: readonly Cidr[], ownTables: readonly string[]): Promise<readonly ForwardDrop[]> {
    return this.#ask('look for drops', () => [
      ...findNftForwardDrops(this.#connection, networks, ownTables),
      ...findLegacyForwardDrops(networks, this.#netns),
    ]);
  }

  close(): void {
    this.#closed = true;
    this.#connection[Symbol.dispose]();
  }

  /** Synchronous from reading to reading again: nothing of this process comes in between, only other programs do. */
  #apply(desired: TrafficTable): TrafficComparison {
    const first = this.#plan(desired);
    let plan = first;
    for (let attempt = 1; plan.steps.length > 0; attempt++) {
      if (attempt > APPLY_ATTEMPTS) throw stillDifferent(desired.name, plan.differences);
      try {
        writeSteps(this.#connection, desired, plan.steps);
      } catch (error) {
        // Somebody made or deleted something between our reading and our writing.
        if (!(isNotFound(error) || isExists(error) || isBusy(error)) || attempt === APPLY_ATTEMPTS) throw error;
      }
      plan = this.#plan(desired);
    }
    return comparison(desired, first.differences);
  }

  #plan(desired: TrafficTable): TablePlan {
    const names = desired.chains.map(({ name }) => name);
    return planTable(desired, readTable(this.#connection, desired.name, names));
  }

  #forwardTables(): TableKey[] {
    return [NFPROTO.IPV4, NFPROTO.IPV6, NFPROTO.INET]
      .flatMap((family) => listNftChains(this.#connection, family))
      .flatMap((chain) => (filtersForwarding(chain) ? [{ family: chain.family, table: chain.table ?? '' }] : []));
  }

  /** The calls are synchronous: the kernel answers inside the system call. */
  #ask<T>(operation: string, question: () => T): Promise<T> {
    return Promise.try(() => {
      this.#checkOpen();
      return asKernelError(operation, question);
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new KernelError('closed', 'the kernel was closed');
  }
}

function comparison(desired: TrafficTable, differences: readonly TrafficDifference[]): TrafficComparison {
  return { generation: generationOf(desiredImage(desired)), differences };
}

function stillDifferent(name: string, differences: readonly TrafficDifference[]): KernelError {
  const found = differences.map(({ message }) => message).join('; ');
  return new KernelError('io', `table ${name} was written ${APPLY_ATTEMPTS} times and still differs: ${found}`);
}

function asKernelError<T>(operation: string, question: () => T): T {
  try {
    return question();
  } catch (error) {
    throw nftKernelError(operation, error);
  }
}
