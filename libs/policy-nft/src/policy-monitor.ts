/** What others do to the tables of policy. */
import type { PolicyKernelEvent } from '@canal/kernel-port';
import { NETLINK_NETFILTER, type NetnsRef, openNetlinkEventSocket, traceFromEnvironment } from '@canal/linux-ffi';
import {
  NFNLGRP,
  type NftGeneration,
  type NftObjectEvent,
  type NftTransactionReader,
  nftTransactions,
} from 'netlink-ts';
import { POLICY_FAMILIES, TABLE } from './static-tables.ts';

export interface PolicyMonitorDeps {
  readonly netns: NetnsRef | undefined;
  /** Port ids of our request sockets: what the kernel reports of their transactions is known already. */
  readonly isOwnPort: (portId: number) => boolean;
}

/** One event for each transaction of others that touched a table of ours. */
export function monitorPolicy(
  { netns, isOwnPort }: PolicyMonitorDeps,
  signal: AbortSignal,
): AsyncGenerator<PolicyKernelEvent> {
  return nftTransactions<PolicyKernelEvent>(
    () => openNetlinkEventSocket({ protocol: NETLINK_NETFILTER, netns, groups: [NFNLGRP.NFTABLES] }),
    new Transaction(),
    { isOwnPort, signal, trace: traceFromEnvironment() },
  );
}

const MAX_PARTS = 5;

class Transaction implements NftTransactionReader<PolicyKernelEvent> {
  readonly #counts = new Map<string, number>();

  begin(): void {
    this.#counts.clear();
  }

  concerns(family: number, table: string): boolean {
    return table === TABLE && POLICY_FAMILIES.includes(family);
  }

  take(event: NftObjectEvent): void {
    const what = describe(event);
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  end({ processName, processId }: NftGeneration): PolicyKernelEvent | undefined {
    if (this.#counts.size === 0) return undefined;
    const parts = [...this.#counts].map(([what, count]) => (count === 1 ? what : `${count} × ${what}`));
    this.begin();
    const by = processName === undefined ? '' : ` by ${processName} (process ${processId ?? '?'})`;
    const more = parts.length > MAX_PARTS ? ` and ${parts.length - MAX_PARTS} more` : '';
    return { type: 'changed', what: `${parts.slice(0, MAX_PARTS).join(', ')}${more}${by}` };
  }
}

function describe(event: NftObjectEvent): string {
  switch (event.type) {
    case 'table':
      return `${event.action} table`;
    case 'chain':
      return `${event.action} chain ${event.chain.name ?? ''}`;
    case 'rule':
      return `${event.action} rule in ${event.rule.chain ?? ''}`;
    case 'object':
      return `${event.action} object ${event.object.name ?? ''}`;
    default:
      return 'a set or its elements';
  }
}
