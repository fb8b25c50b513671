/**
 * Named counters: objects of a table that rules refer to (`counter name "NAME"`), so that what was counted outlives the
 * rules. Requests that change something go through `changeNftables`.
 */
import type { NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { NLM_F } from '../wire/message.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { counterTable } from './expression/counter.ts';
import { nftChange, nftQuery } from './message.ts';
import { NFT_MSG } from './message-types.ts';
import { NFT_OBJECT, nftObjectCodec } from './object.ts';

/** A counter is known by its table's family (NFPROTO) and name and by its own name. */
export interface NftCounterKey {
  readonly family: number;
  readonly table: string;
  readonly name: string;
}

export interface NftCounterInput extends NftCounterKey {
  /** To begin with; absent: 0. */
  readonly packets?: bigint;
  readonly bytes?: bigint;
  /** Kernels before 5.10 do not keep it. */
  readonly userData?: Uint8Array;
}

export interface NftCounter extends NftCounterKey {
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly userData?: Uint8Array;
  /** How many rules and elements refer to it. */
  readonly use: number;
}

/** Makes the counter. One that is there stays as it is, with what it has counted and its user data. */
export function newNftCounter({ packets = 0n, bytes = 0n, ...rest }: NftCounterInput): NetlinkRequest {
  const data = new WireWriter(32);
  counterTable.encode(data, { packets, bytes });
  const object = { ...rest, objectType: NFT_OBJECT.COUNTER, data: data.written };
  return nftChange('new nft counter', NFT_MSG.NEWOBJ, NLM_F.CREATE, nftObjectCodec, object);
}

/** Deletes the counter. EBUSY when a rule refers to it, ENOENT when there is none. */
export function delNftCounter({ family, table, name }: NftCounterKey): NetlinkRequest {
  const object = { family, table, name, objectType: NFT_OBJECT.COUNTER };
  return nftChange('delete nft counter', NFT_MSG.DELOBJ, 0, nftObjectCodec, object);
}

/** The named counters of a table; none when there is no such table. */
export function listNftCounters(
  connection: NetlinkConnection,
  { family, table }: Omit<NftCounterKey, 'name'>,
): NftCounter[] {
  const asked = { family, table, objectType: NFT_OBJECT.COUNTER };
  const objects = connection.dump(nftQuery('list nft counters', NFT_MSG.GETOBJ, nftObjectCodec, asked));
  return objects.map(({ name = '', data = new Uint8Array(0), use = 0, userData }) => {
    const { packets = 0n, bytes = 0n } = counterTable.decode(new WireSource(data), 0, data.length);
    return { family, table, name, packets, bytes, use, ...(userData !== undefined && { userData }) };
  });
}
