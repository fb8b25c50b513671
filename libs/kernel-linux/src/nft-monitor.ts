/** What others do to nf_tables, as far as it concerns our table or forwarding. */
import type { TrafficEvent } from '@canal/kernel-port';
import { NETLINK_NETFILTER, type NetnsRef, openNetlinkEventSocket, traceFromEnvironment } from '@canal/linux-ffi';
import { createNetlinkMonitor, decodeNftEvent, type MessageFrame, NFNLGRP, NFPROTO, NFT_MSG } from 'netlink-ts';
import { filtersForwarding, type TableKey, tableKeyText } from './nft-forward-chains.ts';

export interface NftMonitorDeps {
  readonly netns: NetnsRef | undefined;
  /** Port ids of this agent's request sockets: what the kernel reports of their transactions is known already. */
  readonly isOwnPort: (portId: number) => boolean;
  /** Tables that filter what is forwarded, as they are now; asked after the socket listens. */
  readonly forwardTables: () => Iterable<TableKey>;
}

export async function* monitorTraffic(
  deps: NftMonitorDeps,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<TrafficEvent> {
  const sorter = new TransactionSorter(name);
  const monitor = createNetlinkMonitor<readonly TrafficEvent[]>(
    () => openNetlinkEventSocket({ protocol: NETLINK_NETFILTER, netns: deps.netns, groups: [NFNLGRP.NFTABLES] }),
    (frame) => (deps.isOwnPort(frame.portId) ? undefined : sorter.sort(frame)),
    { signal, trace: traceFromEnvironment() },
  );
  sorter.reset(deps.forwardTables());
  yield { type: 'resync' };
  for await (const events of monitor) {
    if ('type' in events) {
      sorter.reset(deps.forwardTables());
      yield { type: 'resync' };
    } else {
      yield* events;
    }
  }
}

/** Gathers the messages of a transaction, which come one behind the other and end with the new generation. */
class TransactionSorter {
  readonly #ownTable: string;
  readonly #forwardTables = new Set<string>();
  #changed = false;
  #forwardHook = false;

  constructor(name: string) {
    this.#ownTable = tableKeyText({ family: NFPROTO.INET, table: name });
  }

  reset(forwardTables: Iterable<TableKey>): void {
    this.#changed = false;
    this.#forwardHook = false;
    this.#forwardTables.clear();
    for (const key of forwardTables) this.#forwardTables.add(tableKeyText(key));
    this.#forwardTables.delete(this.#ownTable);
  }

  /** What the transaction means, once its last message is there. */
  sort(frame: MessageFrame): readonly TrafficEvent[] | undefined {
    // A new chain may make any table one that filters forwarding; all else is looked at in the tables known to do so.
    const isNewChain = (frame.type & 0xff) === NFT_MSG.NEWCHAIN;
    const event = decodeNftEvent(frame, isNewChain ? undefined : (family, table) => this.#concerns(family, table));
    switch (event?.type) {
      case undefined:
        return undefined;
      case 'generation':
        return this.#finish();
      case 'chain':
        if (event.action === 'new' && filtersForwarding(event.chain)) {
          this.#forwardTables.add(tableKeyText({ family: event.chain.family, table: event.chain.table ?? '' }));
        }
        this.#note(event.chain.family, event.chain.table);
        return undefined;
      case 'table':
        this.#note(event.table.family, event.table.name);
        return undefined;
      case 'rule':
        this.#note(event.rule.family, event.rule.table);
        return undefined;
      case 'set':
        this.#note(event.set.family, event.set.table);
        return undefined;
      case 'elements':
        this.#note(event.elements.family, event.elements.table);
        return undefined;
      case 'object':
        this.#note(event.object.family, event.object.table);
        return undefined;
      case 'other':
        this.#note(event.family, event.tableName);
        return undefined;
    }
  }

  #concerns(family: number, table: string): boolean {
    const key = tableKeyText({ family, table });
    return key === this.#ownTable || this.#forwardTables.has(key);
  }

  #note(family: number, table = ''): void {
    const key = tableKeyText({ family, table });
    if (key === this.#ownTable) this.#changed = true;
    else if (this.#forwardTables.has(key)) this.#forwardHook = true;
  }

  #finish(): readonly TrafficEvent[] | undefined {
    const events: TrafficEvent[] = [];
    if (this.#changed) events.push({ type: 'changed' });
    if (this.#forwardHook) events.push({ type: 'forward-hook' });
    this.#changed = false;
    this.#forwardHook = false;
    return events.length === 0 ? undefined : events;
  }
}
