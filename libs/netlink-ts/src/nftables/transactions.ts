/** What NFNLGRP_NFTABLES tells, put together by transaction: its objects come one behind the other, then the new generation. */
import { createNetlinkMonitor, type NetlinkMonitorOptions } from '../connection/monitor.ts';
import type { NetlinkEventTransport } from '../connection/transport.ts';
import { messageOf } from '../nfnetlink/header.ts';
import type { MessageFrame } from '../wire/message.ts';
import { decodeNftEvent, type NftEvent } from './events.ts';
import type { NftGeneration } from './generation.ts';

export type NftObjectEvent = Exclude<NftEvent, { readonly type: 'generation' }>;

/** Makes something of each transaction; a transaction may have a million objects, which nobody need hold at once. */
export interface NftTransactionReader<T> {
  /** What was gathered is void: at the beginning, and after events were lost. */
  begin(): void;
  /** Objects of which this is false are passed over without being decoded. `message` is an NFT_MSG. */
  concerns(family: number, table: string, message: number): boolean;
  take(event: NftObjectEvent): void;
  /** Undefined: the transaction is not worth telling. What was gathered of it is done with. */
  end(generation: NftGeneration): T | undefined;
}

export interface NftTransactionOptions extends NetlinkMonitorOptions {
  /** Transactions of these sockets are passed over: who made them knows of them. */
  readonly isOwnPort: (portId: number) => boolean;
}

/**
 * Transactions of others, each as the reader puts it; `open` subscribes to NFNLGRP.NFTABLES. Begins with one `resync` once
 * it listens, and has another when events were lost: list what you follow then. Ends when the signal aborts.
 */
export async function* nftTransactions<T>(
  open: () => NetlinkEventTransport,
  reader: NftTransactionReader<T>,
  { isOwnPort, ...options }: NftTransactionOptions,
): AsyncGenerator<T | { readonly type: 'resync' }, void> {
  const ended = (frame: MessageFrame): { readonly told: T } | undefined => {
    if (isOwnPort(frame.portId)) return undefined;
    const message = messageOf(frame.type);
    const event = decodeNftEvent(frame, (family, table) => reader.concerns(family, table, message));
    if (event === undefined) return undefined;
    if (event.type !== 'generation') {
      reader.take(event);
      return undefined;
    }
    const told = reader.end(event.generation);
    return told === undefined ? undefined : { told };
  };
  using monitor = createNetlinkMonitor(open, ended, options);
  reader.begin();
  yield { type: 'resync' };
  for await (const event of monitor) {
    if ('told' in event) {
      yield event.told;
    } else {
      reader.begin();
      yield { type: 'resync' };
    }
  }
}

/** The table that the object is in, or is; undefined where the kernel does not name it. */
export function tableOfNftEvent(event: NftObjectEvent): {
  readonly family: number;
  readonly table?: string | undefined;
} {
  switch (event.type) {
    case 'table':
      return { family: event.table.family, table: event.table.name };
    case 'chain':
      return event.chain;
    case 'rule':
      return event.rule;
    case 'set':
      return event.set;
    case 'elements':
      return event.elements;
    case 'object':
      return event.object;
    case 'other':
      return { family: event.family, table: event.tableName };
  }
}
