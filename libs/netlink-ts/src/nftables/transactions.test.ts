import { describe, expect, test } from 'vitest';
import { NFNL_SUBSYS, NFPROTO, nfnetlinkType } from '../nfnetlink/header.ts';
import { createFakeEventPeer } from '../testing/fake-event-peer.ts';
import { encodeReply } from '../testing/fake-peer.ts';
import { chainCodec } from './chain.ts';
import { generationCodec } from './generation.ts';
import { NFT_MSG } from './message-types.ts';
import { ruleCodec } from './rule.ts';
import { tableCodec } from './table.ts';
import { type NftTransactionReader, nftTransactions, tableOfNftEvent } from './transactions.ts';

const family = NFPROTO.INET;
const OTHERS = 7;
const OURS = 8;
const type = (message: number): number => nfnetlinkType(NFNL_SUBSYS.NFTABLES, message);

const newTable = (name: string, portId = OTHERS): Uint8Array =>
  encodeReply({ type: type(NFT_MSG.NEWTABLE), portId }, (writer) => tableCodec.encode(writer, { family, name }));
const newChain = (table: string, name: string, portId = OTHERS): Uint8Array =>
  encodeReply({ type: type(NFT_MSG.NEWCHAIN), portId }, (writer) => chainCodec.encode(writer, { family, table, name }));
const delRule = (table: string): Uint8Array =>
  encodeReply({ type: type(NFT_MSG.DELRULE), portId: OTHERS }, (writer) => ruleCodec.encode(writer, { family, table }));
const generation = (id: number, portId = OTHERS): Uint8Array =>
  encodeReply({ type: type(NFT_MSG.NEWGEN), portId }, (writer) => generationCodec.encode(writer, { id }));

/** Each transaction that concerns table t, as one line. */
class Lines implements NftTransactionReader<string> {
  begun = 0;
  #lines: string[] = [];

  begin(): void {
    this.begun++;
    this.#lines = [];
  }

  concerns(_family: number, table: string, message: number): boolean {
    return table === 't' || message === NFT_MSG.NEWCHAIN;
  }

  take(event: Parameters<NftTransactionReader<string>['take']>[0]): void {
    this.#lines.push(`${event.type} of ${tableOfNftEvent(event).table ?? ''}`);
  }

  end({ id = 0 }: { readonly id?: number | undefined }): string | undefined {
    const lines = this.#lines;
    this.#lines = [];
    return lines.length === 0 ? undefined : `${id}: ${lines.join(', ')}`;
  }
}

/** What is told until there are so many. */
async function told(count: number, act: (peer: ReturnType<typeof createFakeEventPeer>) => void): Promise<unknown[]> {
  const peer = createFakeEventPeer();
  const reader = new Lines();
  const seen: unknown[] = [];
  let begun = 0;
  for await (const event of nftTransactions(peer.open, reader, { isOwnPort: (port) => port === OURS })) {
    if (typeof event === 'string') seen.push(event);
    else {
      seen.push(event.type);
      expect(reader.begun).toBe(++begun);
      if (begun === 1) act(peer);
    }
    if (seen.length === count) break;
  }
  expect(peer.openTransports).toBe(0);
  return seen;
}

describe('transactions', () => {
  test('are told by their objects, once they are whole, those that concern nobody not at all', async () => {
    const seen = await told(3, (peer) => {
      peer.push(Buffer.concat([newTable('t'), delRule('other')]));
      peer.push(Buffer.concat([newChain('other', 'c'), generation(1), newTable('other'), generation(2)]));
      peer.push(Buffer.concat([delRule('t'), generation(3)]));
    });
    expect(seen).toEqual(['resync', '1: table of t, chain of other', '3: rule of t']);
  });

  test('of our own sockets are passed over', async () => {
    const seen = await told(2, (peer) => {
      peer.push(Buffer.concat([newTable('t', OURS), newChain('t', 'c', OURS), generation(1, OURS)]));
      peer.push(Buffer.concat([newChain('t', 'c'), generation(2)]));
    });
    expect(seen).toEqual(['resync', '2: chain of t']);
  });

  test('of which events were lost are void', async () => {
    const peer = createFakeEventPeer();
    const seen: unknown[] = [];
    for await (const event of nftTransactions(peer.open, new Lines(), { isOwnPort: () => false })) {
      seen.push(event);
      if (seen.length === 1) {
        peer.push(newTable('t'));
        peer.overrun();
      }
      if (seen.length === 2) peer.push(Buffer.concat([generation(1), delRule('t'), generation(2)]));
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([{ type: 'resync' }, { type: 'resync' }, '2: rule of t']);
  });
});
