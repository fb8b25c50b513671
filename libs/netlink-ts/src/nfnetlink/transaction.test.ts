import { describe, expect, test } from 'vitest';
import { createNetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import type { NetlinkTransport } from '../connection/transport.ts';
import { forEachMessage, type MessageFrame, NLMSG } from '../wire/message.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { NFNL_SUBSYS } from './header.ts';
import { runTransaction } from './transaction.ts';

const PORT_ID = 4711;
const ENOENT = 2;
const ENOMEM = 12;
const ERESTART = 85;

/** An answer of the peer: errno for the message at that place of the batch; 0 is the begin message. */
type Answer = readonly [place: number, errno: number];

/** A kernel that answers batches with the given acknowledgements, each in a datagram of its own, and keeps what it got. */
function fakePeer(...answers: readonly (readonly Answer[])[]): {
  transport: () => NetlinkTransport;
  sent: MessageFrame[][];
} {
  const sent: MessageFrame[][] = [];
  const pending: Uint8Array[] = [];
  const transport: NetlinkTransport = {
    portId: PORT_ID,
    sendBufferBytes: 200_000,
    receiveBufferBytes: 200_000,
    send: (datagram) => {
      const frames: MessageFrame[] = [];
      forEachMessage(new WireSource(datagram.slice()), (frame) => frames.push(frame));
      const first = frames[0]?.sequence ?? 0;
      for (const [place, errno] of answers[sent.length] ?? []) pending.push(acknowledgement(first + place, errno));
      sent.push(frames);
    },
    receive: () => {
      const next = pending.shift();
      if (next === undefined) throw Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' });
      return next;
    },
    [Symbol.dispose]: () => undefined,
  };
  return { transport: () => transport, sent };
}

function acknowledgement(sequence: number, errno: number): Uint8Array {
  const writer = new WireWriter();
  const mark = writer.beginMessage(NLMSG.ERROR, 0, sequence);
  new DataView(writer.written.buffer).setUint32(12, PORT_ID, true);
  writer.u32(-errno);
  writer.zeros(16);
  writer.endMessage(mark);
  return writer.written.slice();
}

const REQUESTS: readonly NetlinkRequest[] = ['first', 'second', 'third'].map((operation, index) => ({
  operation,
  type: 0x0a00 + index,
  flags: 0x400,
  writeBody: (writer) => writer.zeros(4),
}));

describe('what is sent', () => {
  test('begin, the requests, end, with the subsystem in both envelopes and an acknowledgement asked of the last request', () => {
    const { transport, sent } = fakePeer([[3, 0]]);
    runTransaction(createNetlinkConnection(transport), NFNL_SUBSYS.NFTABLES, REQUESTS);
    const frames = sent[0] ?? [];
    expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
      [16, 0x1],
      [0x0a00, 0x401],
      [0x0a01, 0x401],
      [0x0a02, 0x405],
      [17, 0x1],
    ]);
    expect(frames.map(({ sequence }) => sequence - (frames[0]?.sequence ?? 0))).toEqual([0, 1, 2, 3, 4]);
    expect([frames[0], frames[4]].map((frame) => body(frame))).toEqual(['0000000a', '0000000a']);
  });

  test('the generation that the requests were made for goes into the begin message', () => {
    const { transport, sent } = fakePeer([[3, 0]]);
    runTransaction(createNetlinkConnection(transport), NFNL_SUBSYS.NFTABLES, REQUESTS, { generation: 0x01020304 });
    expect(body(sent[0]?.[0])).toBe('0000000a0800010001020304');
  });

  test('a dry run has no end', () => {
    const { transport, sent } = fakePeer([[3, 0]]);
    runTransaction(createNetlinkConnection(transport), NFNL_SUBSYS.NFTABLES, REQUESTS, { dryRun: true });
    expect((sent[0] ?? []).map(({ type, flags }) => [type, flags])).toEqual([
      [16, 0x1],
      [0x0a00, 0x401],
      [0x0a01, 0x401],
      [0x0a02, 0x405],
    ]);
  });

  test('an empty transaction is refused before anything is sent', () => {
    const { transport, sent } = fakePeer();
    expect(() => runTransaction(createNetlinkConnection(transport), NFNL_SUBSYS.NFTABLES, [])).toThrow(TypeError);
    expect(sent).toHaveLength(0);
  });
});

describe('what is answered', () => {
  test.each<{ name: string; answers: readonly Answer[]; code: string; operation: string }>([
    {
      name: 'one request refused',
      answers: [
        [2, ENOENT],
        [3, 0],
      ],
      code: 'ENOENT',
      operation: 'second',
    },
    {
      name: 'several refused: the first one is named',
      answers: [
        [1, ENOENT],
        [2, 22],
        [3, 22],
      ],
      code: 'ENOENT',
      operation: 'first',
    },
    { name: 'the last one refused', answers: [[3, ENOENT]], code: 'ENOENT', operation: 'third' },
    { name: 'no memory to keep the errors', answers: [[0, ENOMEM]], code: 'ENOMEM', operation: 'transaction' },
    { name: 'a generation gone by', answers: [[0, ERESTART]], code: 'ERESTART', operation: 'transaction' },
  ])('$name', ({ answers, code, operation }) => {
    const connection = createNetlinkConnection(fakePeer(answers).transport);
    expect(() => runTransaction(connection, NFNL_SUBSYS.NFTABLES, REQUESTS)).toThrow(
      expect.objectContaining({ name: 'NetlinkError', code, operation }),
    );
  });

  test('an acknowledgement of the last request is success', () => {
    const connection = createNetlinkConnection(fakePeer([[3, 0]]).transport);
    expect(() => runTransaction(connection, NFNL_SUBSYS.NFTABLES, REQUESTS)).not.toThrow();
  });

  test('acknowledgements that follow a refused commit are not taken for answers to the next transaction', () => {
    const { transport } = fakePeer(
      [
        [0, ENOMEM],
        [3, 0],
      ],
      [
        [1, ENOENT],
        [3, 0],
      ],
    );
    const connection = createNetlinkConnection(transport);
    expect(() => runTransaction(connection, NFNL_SUBSYS.NFTABLES, REQUESTS)).toThrow(/ENOMEM/);
    expect(() => runTransaction(connection, NFNL_SUBSYS.NFTABLES, REQUESTS)).toThrow(/first: ENOENT/);
  });
});

function body(frame: MessageFrame | undefined): string {
  if (frame === undefined) throw new Error('no such message');
  return frame.source.copy(frame.payloadStart, frame.payloadEnd).toHex();
}
