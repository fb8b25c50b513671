import { describe, expect, test } from 'vitest';
import { linkCodec } from '../link/message.ts';
import { objectQuery } from '../rtnetlink/object-request.ts';
import { createFakePeer, type FakeReplies } from '../testing/fake-peer.ts';
import { type MessageFrame, NLM_F } from '../wire/message.ts';
import { dumpByDatagram } from './dump-by-datagram.ts';

const query = objectQuery('list links', 18, 16, linkCodec, {});
const { MULTI, DUMP_INTR } = NLM_F;

/** What is visited by step, from a kernel that answers so. */
function steps(answer: (replies: FakeReplies, request: MessageFrame) => void): (number | undefined)[][] {
  const peer = createFakePeer((request, replies) => answer(replies, request));
  using transport = peer.open();
  const seen: (number | undefined)[][] = [[]];
  for (const _ of dumpByDatagram(transport, query, (frame) => seen.at(-1)?.push(query.decode(frame)?.index)))
    seen.push([]);
  return seen;
}

describe('a dump by datagram', () => {
  test('gives the messages of each datagram in a step of its own, and ends with the last', () => {
    const seen = steps((replies, { flags }) => {
      expect(flags).toBe(NLM_F.REQUEST | NLM_F.DUMP);
      replies.object(16, linkCodec, { index: 1 }, MULTI);
      replies.object(16, linkCodec, { index: 2 }, MULTI);
      replies.done();
    });
    expect(seen).toEqual([[1], [2], []]);
  });

  test('passes over what belongs to another exchange', () => {
    const seen = steps((replies, request) => {
      replies.raw(new Uint8Array([20, 0, 0, 0, 16, 0, 2, 0, 99, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]));
      replies.object(16, linkCodec, { index: 1 }, MULTI);
      expect(request.type).toBe(18);
      replies.done();
    });
    expect(seen).toEqual([[], [1], []]);
  });

  test.each<{ name: string; answer: (replies: FakeReplies) => void; code: string }>([
    { name: 'a refusal', answer: (replies) => replies.error(1), code: 'EPERM' },
    { name: 'an error at the end', answer: (replies) => replies.done({ errno: 12 }), code: 'ENOMEM' },
    { name: 'no answer', answer: () => undefined, code: 'ETIMEDOUT' },
    {
      name: 'a table that changed meanwhile',
      answer: (replies) => {
        replies.object(16, linkCodec, { index: 1 }, MULTI | DUMP_INTR);
        replies.done();
      },
      code: 'EINTR',
    },
  ])('$name is a NetlinkError', ({ answer, code }) => {
    expect(() => steps(answer)).toThrow(
      expect.objectContaining({ name: 'NetlinkError', code, operation: 'list links' }),
    );
  });

  test('lost answers are a NetlinkError', () => {
    const peer = createFakePeer(() => undefined);
    using transport = peer.open();
    peer.failNext('receive', 'ENOBUFS');
    expect(() => [...dumpByDatagram(transport, query, () => undefined)]).toThrow(
      expect.objectContaining({ name: 'NetlinkError', code: 'ENOBUFS' }),
    );
  });
});
