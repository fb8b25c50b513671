/** What others do to nf_tables, as far as it concerns our table or forwarding. */
import type { TrafficEvent } from '@canal/kernel-port';
import { NETLINK_NETFILTER, type NetnsRef, openNetlinkEventSocket, traceFromEnvironment } from '@canal/linux-ffi';
import {
  NFNLGRP,
  NFPROTO,
  NFT_MSG,
  type NftObjectEvent,
  type NftTransactionReader,
  nftTransactions,
  tableOfNftEvent,
} from 'netlink-ts';
import { filtersForwarding, type TableKey, tableKeyText } from './nft-forward-chains.ts';

export interface NftMonitorDeps {
  readonly netns: NetnsRef | undefined;
  /** Port ids of this agent's request sockets: what the kernel reports of their transactions is known already. */
  readonly isOwnPort: (portId: number) => boolean;
  /** Tables that filter what is forwarded, as they are now; asked after the socket listens. */
  readonly forwardTables: () => Iterable<TableKey>;
}

export async function* monitorTraffic(
  { netns, isOwnPort, forwardTables }: NftMonitorDeps,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<TrafficEvent> {
  const transactions = nftTransactions(
    () => openNetlinkEventSocket({ protocol: NETLINK_NETFILTER, netns, groups: [NFNLGRP.NFTABLES] }),
    new TransactionSorter(name, forwardTables),
    { isOwnPort, signal, trace: traceFromEnvironment() },
  );
  for await (const events of transactions) {
    if ('type' in events) yield events;
    else yield* events;
  }
}

class TransactionSorter implements NftTransactionReader<readonly TrafficEvent[]> {
  readonly #ownTable: string;
  readonly #currentForwardTables: NftMonitorDeps['forwardTables'];
  readonly #forwardTables = new Set<string>();
  #changed = false;
  #forwardHook = false;

  constructor(name: string, forwardTables: NftMonitorDeps['forwardTables']) {
    this.#ownTable = tableKeyText({ family: NFPROTO.INET, table: name });
    this.#currentForwardTables = forwardTables;
  }

  begin(): void {
    this.#changed = false;
    this.#forwardHook = false;
    this.#forwardTables.clear();
    for (const key of this.#currentForwardTables()) this.#forwardTables.add(tableKeyText(key));
    this.#forwardTables.delete(this.#ownTable);
  }

  /** A new chain may make any table one that filters forwarding; all else is looked at in the tables known to do so. */
  concerns(family: number, table: string, message: number): boolean {
    const key = tableKeyText({ family, table });
    return message === NFT_MSG.NEWCHAIN || key === this.#ownTable || this.#forwardTables.has(key);
  }

  take(event: NftObjectEvent): void {
    const { family, table = '' } = tableOfNftEvent(event);
    const key = tableKeyText({ family, table });
    if (event.type === 'chain' && event.action === 'new' && filtersForwarding(event.chain))
      this.#forwardTables.add(key);
    if (key === this.#ownTable) this.#changed = true;
    else if (this.#forwardTables.has(key)) this.#forwardHook = true;
  }

  /** What the transaction means. */
  end(): readonly TrafficEvent[] | undefined {
    const events: TrafficEvent[] = [];
    if (this.#changed) events.push({ type: 'changed' });
    if (this.#forwardHook) events.push({ type: 'forward-hook' });
    this.#changed = false;
    this.#forwardHook = false;
    return events.length === 0 ? undefined : events;
  }
}
