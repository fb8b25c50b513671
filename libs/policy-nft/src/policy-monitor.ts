/** What others do to the tables of policy. */
import type { PolicyKernelEvent } from '@canal/kernel-port';
import { NETLINK_NETFILTER, type NetnsRef, openNetlinkEventSocket, traceFromEnvironment } from '@canal/linux-ffi';
import { createNetlinkMonitor, decodeNftEvent, type MessageFrame, NFNLGRP, type NftEvent } from 'netlink-ts';
import { POLICY_FAMILIES, TABLE } from './static-tables.ts';

export interface PolicyMonitorDeps {
  readonly netns: NetnsRef | undefined;
  /** Port ids of our request sockets: what the kernel reports of their transactions is known already. */
  readonly isOwnPort: (portId: number) => boolean;
}

/** One event for each transaction of others that touched a table of ours. */
export async function* monitorPolicy(
  { netns, isOwnPort }: PolicyMonitorDeps,
  signal: AbortSignal,
): AsyncGenerator<PolicyKernelEvent> {
  const transaction = new Transaction();
  const monitor = createNetlinkMonitor<PolicyKernelEvent>(
    () => openNetlinkEventSocket({ protocol: NETLINK_NETFILTER, netns, groups: [NFNLGRP.NFTABLES] }),
    (frame) => (isOwnPort(frame.portId) ? undefined : transaction.take(frame)),
    { signal, trace: traceFromEnvironment() },
  );
  yield { type: 'resync' };
  for await (const event of monitor) {
    if (event.type === 'resync') {
      transaction.begin();
      yield { type: 'resync' };
    } else {
      yield event;
    }
  }
}

/** Gathers the messages of a transaction, which come one behind the other and end with the new generation. */
class Transaction {
  readonly #counts = new Map<string, number>();

  begin(): void {
    this.#counts.clear();
  }

  take(frame: MessageFrame): PolicyKernelEvent | undefined {
    const event = decodeNftEvent(frame, isOurs);
    if (event === undefined) return undefined;
    if (event.type !== 'generation') {
      const what = describe(event);
      this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
      return undefined;
    }
    if (this.#counts.size === 0) return undefined;
    const parts = [...this.#counts].map(([what, count]) => (count === 1 ? what : `${count} × ${what}`));
    this.begin();
    const { processName, processId } = event.generation;
    const by = processName === undefined ? '' : ` by ${processName} (process ${processId ?? '?'})`;
    const more = parts.length > MAX_PARTS ? ` and ${parts.length - MAX_PARTS} more` : '';
    return { type: 'changed', what: `${parts.slice(0, MAX_PARTS).join(', ')}${more}${by}` };
  }
}

const MAX_PARTS = 5;

function isOurs(family: number, table: string): boolean {
  return table === TABLE && POLICY_FAMILIES.includes(family);
}

function describe(event: Exclude<NftEvent, { type: 'generation' }>): string {
  switch (event.type) {
    case 'table':
      return `${event.action} table`;
    case 'chain':
      return `${event.action} chain ${event.chain.name ?? ''}`;
    case 'rule':
      return `${event.action} rule in ${event.rule.chain ?? ''}`;
    default:
      return 'a set or its elements';
  }
}
