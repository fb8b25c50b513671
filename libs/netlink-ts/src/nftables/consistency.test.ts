/** Clashes as the kernel tells them; those that come about by themselves are in set-changes.ktest.ts. */
import { describe, expect, test } from 'vitest';
import { createNetlinkConnection, type NetlinkConnection } from '../connection/connection.ts';
import { errnoNumber } from '../connection/errno.ts';
import { nfgenmsg, NFPROTO } from '../nfnetlink/header.ts';
import { createFakePeer } from '../testing/fake-peer.ts';
import { NLM_F } from '../wire/message.ts';
import { readNftables, updateNftables } from './consistency.ts';
import { elementListCodec } from './element.ts';
import { generationCodec } from './generation.ts';
import { nftType } from './message.ts';
import { NFT_MSG } from './message-types.ts';
import { newNftTable } from './requests.ts';
import { listNftElements } from './set-requests.ts';

const REQUESTS = [newNftTable({ family: NFPROTO.INET, name: 't' })];
const NFNL_MSG_BATCH_BEGIN = 16;

/** A kernel that gives these generations in turn, the last one for ever, and answers transactions with these errnos. */
function kernel(generations: readonly number[], errnos: readonly string[] = []) {
  const begun: number[] = [];
  const left = [...generations];
  const answers = [...errnos];
  const peer = createFakePeer((request, replies) => {
    if (request.type === nftType(NFT_MSG.GETGEN)) {
      const id = left.length > 1 ? left.shift() : left[0];
      replies.object(nftType(NFT_MSG.NEWGEN), generationCodec, { id: id ?? 0 });
    } else if (request.type === NFNL_MSG_BATCH_BEGIN) {
      begun.push(request.source.be32(request.payloadStart + nfgenmsg.bytes + 4));
    } else if ((request.flags & NLM_F.ACK) !== 0) {
      const code = answers.shift();
      if (code === undefined) replies.ack();
      else replies.error(errnoNumber(code));
    }
  });
  return { connection: createNetlinkConnection(peer.open), begun };
}

function attempts(connection: NetlinkConnection, limit?: number): number {
  let plans = 0;
  const plan = () => {
    plans++;
    return REQUESTS;
  };
  try {
    updateNftables(connection, plan, limit);
  } catch (error) {
    throw Object.assign(error as Error, { plans });
  }
  return plans;
}

describe('updateNftables', () => {
  test('holds the transaction to the generation that was planned for', () => {
    const { connection, begun } = kernel([7]);
    expect(attempts(connection)).toBe(1);
    expect(begun).toEqual([7]);
  });

  test.each(['ERESTART', 'EAGAIN', 'EBUSY'])('plans anew after %s', (code) => {
    const { connection, begun } = kernel([7, 8, 9], [code, code]);
    expect(attempts(connection)).toBe(3);
    expect(begun).toEqual([7, 8, 9]);
  });

  test.each(['ENOENT', 'EEXIST', 'EINVAL', 'EPERM', 'ENFILE'])('gives up at once after %s', (code) => {
    const { connection } = kernel([7], [code]);
    expect(() => attempts(connection)).toThrow(expect.objectContaining({ code, plans: 1 }));
  });

  test('gives up after the last attempt', () => {
    const { connection } = kernel([7], Array<string>(20).fill('EBUSY'));
    expect(() => attempts(connection, 3)).toThrow(expect.objectContaining({ code: 'EBUSY', plans: 3 }));
    expect(() => attempts(connection)).toThrow(expect.objectContaining({ code: 'EBUSY', plans: 10 }));
  });
});

describe('readNftables', () => {
  test('reads once when nothing happens, and again after each change', () => {
    let reads = 0;
    expect(readNftables(kernel([7]).connection, () => ++reads)).toEqual({ value: 1, generation: 7 });
    expect(readNftables(kernel([7, 8, 9]).connection, () => ++reads)).toEqual({ value: 4, generation: 9 });
  });

  test('gives up after the last attempt', () => {
    const { connection } = kernel([1, 2, 3, 4, 5]);
    expect(() => readNftables(connection, () => 1, 3)).toThrow(expect.objectContaining({ code: 'EINTR' }));
  });
});

describe('a listing of elements', () => {
  const key = { family: NFPROTO.INET, table: 't', name: 's' };

  /** Each dump gives messages of these generations, the last dump for ever. */
  function listing(...dumps: readonly (readonly number[])[]): () => unknown {
    let dump = 0;
    const peer = createFakePeer((_request, replies) => {
      for (const resourceId of dumps[Math.min(dump, dumps.length - 1)] ?? []) {
        const elements = [{ key: Uint8Array.of(dump, resourceId) }];
        replies.object(nftType(NFT_MSG.NEWSETELEM), elementListCodec, { resourceId, elements }, NLM_F.MULTI);
      }
      dump++;
      replies.done();
    });
    const connection = createNetlinkConnection(peer.open);
    return () => listNftElements(connection, key);
  }

  test('is begun anew when its messages are of several generations', () => {
    expect(listing([5, 5])()).toEqual([{ key: Uint8Array.of(0, 5) }, { key: Uint8Array.of(0, 5) }]);
    expect(listing([5, 6], [6, 7, 7], [7])()).toEqual([{ key: Uint8Array.of(2, 7) }]);
    expect(listing([])()).toEqual([]);
  });

  test('that never holds still is EINTR', () => {
    expect(listing([5, 6])).toThrow(expect.objectContaining({ code: 'EINTR', operation: 'list nft elements' }));
  });
});
