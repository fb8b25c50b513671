/**
 * What NFNLGRP_NFTABLES tells: after each commit one message per object that changed, then the new generation. Messages
 * carry the port id and sequence number of the request that caused them.
 */
import { createNetlinkMonitor, type NetlinkMonitor, type NetlinkMonitorOptions } from '../connection/monitor.ts';
import type { NetlinkEventTransport } from '../connection/transport.ts';
import { messageOf, NFNL_SUBSYS, nfgenmsg, subsystemOf } from '../nfnetlink/header.ts';
import { attributeType, forEachAttribute } from '../wire/attribute-walk.ts';
import type { MessageFrame } from '../wire/message.ts';
import { type NftChain, chainCodec } from './chain.ts';
import { elementListCodec, type NftElementList } from './element.ts';
import { generationCodec, type NftGeneration } from './generation.ts';
import { NFT_MSG } from './message-types.ts';
import { type NftObject, nftObjectCodec } from './object.ts';
import { type NftRule, ruleCodec } from './rule.ts';
import { type NftSet, setCodec } from './set.ts';
import { type NftTable, tableCodec } from './table.ts';

export type NftEvent = {
  /** Port id of the socket that made the change; 0 when the kernel did it itself. */
  readonly portId: number;
  readonly sequence: number;
} & (
  | { readonly type: 'table'; readonly action: 'new' | 'del'; readonly table: NftTable }
  | { readonly type: 'chain'; readonly action: 'new' | 'del'; readonly chain: NftChain }
  | { readonly type: 'rule'; readonly action: 'new' | 'del'; readonly rule: NftRule }
  | { readonly type: 'set'; readonly action: 'new' | 'del'; readonly set: NftSet }
  /** Of one set. The kernel tells elements one by one or some together, and those of a set that goes with it not at all. */
  | { readonly type: 'elements'; readonly action: 'new' | 'del'; readonly elements: NftElementList }
  | { readonly type: 'object'; readonly action: 'new' | 'del'; readonly object: NftObject }
  | {
      /** A flowtable and what later kernels may add, not decoded; `message` is an NFT_MSG. */
      readonly type: 'other';
      readonly message: number;
      readonly family: number;
      readonly tableName: string | undefined;
    }
  | { readonly type: 'generation'; readonly generation: NftGeneration }
);

export interface NftMonitorOptions extends NetlinkMonitorOptions {
  /**
   * Objects of other tables are passed over without being decoded: a service proxy changes thousands at a time. Default:
   * every table.
   */
  readonly tables?: ((family: number, table: string) => boolean) | undefined;
}

/** Events of all nf_tables objects; `open` subscribes to NFNLGRP.NFTABLES. */
export function createNftMonitor(
  open: () => NetlinkEventTransport,
  options: NftMonitorOptions = {},
): NetlinkMonitor<NftEvent> {
  return createNetlinkMonitor(open, (frame) => decodeNftEvent(frame, options.tables), options);
}

/** Undefined for messages of other subsystems and of tables that are passed over. Throws a DecodeError. */
export function decodeNftEvent(frame: MessageFrame, tables?: NftMonitorOptions['tables']): NftEvent | undefined {
  if (subsystemOf(frame.type) !== NFNL_SUBSYS.NFTABLES) return undefined;
  const { source, payloadStart: start, payloadEnd: end, portId, sequence } = frame;
  const message = messageOf(frame.type);
  const origin = { portId, sequence };
  if (message === NFT_MSG.NEWGEN) {
    return { type: 'generation', ...origin, generation: generationCodec.decode(source, start, end) };
  }
  const { family, tableName } = tableOf(frame);
  if (tables !== undefined && tableName !== undefined && !tables(family, tableName)) return undefined;
  switch (message) {
    case NFT_MSG.NEWTABLE:
    case NFT_MSG.DELTABLE:
      return { type: 'table', ...origin, action: action(message), table: tableCodec.decode(source, start, end) };
    case NFT_MSG.NEWCHAIN:
    case NFT_MSG.DELCHAIN:
      return { type: 'chain', ...origin, action: action(message), chain: chainCodec.decode(source, start, end) };
    case NFT_MSG.NEWRULE:
    case NFT_MSG.DELRULE:
      return { type: 'rule', ...origin, action: action(message), rule: ruleCodec.decode(source, start, end) };
    case NFT_MSG.NEWSET:
    case NFT_MSG.DELSET:
      return { type: 'set', ...origin, action: action(message), set: setCodec.decode(source, start, end) };
    case NFT_MSG.NEWSETELEM:
    case NFT_MSG.DELSETELEM:
      return {
        type: 'elements',
        ...origin,
        action: action(message),
        elements: elementListCodec.decode(source, start, end),
      };
    case NFT_MSG.NEWOBJ:
    case NFT_MSG.DELOBJ:
      return { type: 'object', ...origin, action: action(message), object: nftObjectCodec.decode(source, start, end) };
    default:
      return { type: 'other', ...origin, message, family, tableName };
  }
}

/** Attribute 1 of every object is the name of its table, that of the table itself included. */
const TABLE_NAME = 1;

function tableOf({ source, payloadStart, payloadEnd }: MessageFrame): {
  family: number;
  tableName: string | undefined;
} {
  const { family } = nfgenmsg.decode(source, payloadStart, payloadEnd);
  let tableName: string | undefined;
  forEachAttribute(source, payloadStart + nfgenmsg.bytes, payloadEnd, (rawType, from, to) => {
    if (attributeType(rawType) === TABLE_NAME) tableName ??= source.text(from, to);
  });
  return { family, tableName };
}

/** New, get, delete follow each other in threes from a multiple of three on. */
function action(message: number): 'new' | 'del' {
  return message % 3 === 0 ? 'new' : 'del';
}
