import { describe, expect, test } from 'vitest';
import { addressCodec } from '../address/message.ts';
import { linkCodec } from '../link/message.ts';
import { createFakePeer, encodeReply, type FakePeer, type FakeReplies } from '../testing/fake-peer.ts';
import { type MessageFrame, NLM_F, NLMSG } from '../wire/message.ts';
import { createNetlinkConnection, type NetlinkConnection } from './connection.ts';
import { NetlinkError } from './netlink-error.ts';
import type { NetlinkQuery, NetlinkRequest } from './request.ts';

const request = (operation = 'test', bodyBytes = 0): NetlinkRequest => ({
  operation,
  type: 99,
  flags: 0,
  writeBody: (writer) => writer.zeros(bodyBytes),
});

const links: NetlinkQuery<number> = {
  ...request('list links'),
  decode: (frame) =>
    frame.type === 16 ? linkCodec.decode(frame.source, frame.payloadStart, frame.payloadEnd).index : undefined,
};

/** A peer that answers requests one after the other as the given functions say. */
function scripted(...script: ((replies: FakeReplies, request: MessageFrame) => void)[]): {
  peer: FakePeer;
  connection: NetlinkConnection;
} {
  let step = 0;
  const peer = createFakePeer((frame, replies) => script[step++]?.(replies, frame));
  return { peer, connection: createNetlinkConnection(peer.open) };
}

const link = (replies: FakeReplies, index: number, flags = 0): void =>
  replies.object(16, linkCodec, { index }, NLM_F.MULTI | flags);

function errorOf(action: () => unknown): NetlinkError {
  try {
    action();
  } catch (error) {
    if (error instanceof NetlinkError) return error;
    throw error;
  }
  throw new Error('no NetlinkError was thrown');
}

describe('execute', () => {
  test('asks for an acknowledgement and waits for it', () => {
    const { peer, connection } = scripted((replies) => replies.ack());
    connection.execute(request());
    expect(peer.requests).toMatchObject([{ type: 99, flags: NLM_F.REQUEST | NLM_F.ACK, sequence: 1, portId: 0 }]);
  });

  test('a refusal carries operation, errno, sequence and what the kernel adds', () => {
    const extendedAck = {
      message: 'Nexthop has invalid gateway',
      offset: 36,
      cookie: Uint8Array.of(1, 2),
      missingType: 5,
      missingNest: 20,
    };
    const { connection } = scripted(
      (replies) => replies.ack(),
      (replies) => replies.error(101, extendedAck),
    );
    connection.execute(request());
    const error = errorOf(() => connection.execute(request('new route')));
    expect(error).toMatchObject({ operation: 'new route', code: 'ENETUNREACH', errno: 101, sequence: 2, extendedAck });
    expect(error.message).toBe(
      'new route: ENETUNREACH (101): Nexthop has invalid gateway: at byte 36 of the request: attribute 5 is missing',
    );
  });

  test('what is not an answer to this request is passed over', () => {
    const { connection } = scripted((replies) => {
      replies.raw(encodeReply({ type: NLMSG.ERROR, sequence: 77 }, (writer) => writer.u32(-1)));
      replies.raw(encodeReply({ type: NLMSG.ERROR, sequence: 1, portId: 1 }, (writer) => writer.u32(-1)));
      replies.raw(encodeReply({ type: NLMSG.NOOP, sequence: 1 }, () => undefined));
      replies.ack();
    });
    connection.execute(request());
  });
});

describe('get', () => {
  test('gives the object of the answer', () => {
    const { connection } = scripted((replies) => link(replies, 7));
    expect(connection.get(links)).toBe(7);
  });

  test('a refusal and an answer without object are errors', () => {
    const { connection } = scripted(
      (replies) => replies.error(19),
      (replies) => replies.done(),
      (replies) => replies.object(20, addressCodec, {}),
    );
    expect(errorOf(() => connection.get(links)).code).toBe('ENODEV');
    expect(errorOf(() => connection.get(links)).code).toBe('ENODATA');
    expect(errorOf(() => connection.get(links)).code).toBe('ENODATA');
  });
});

describe('dump', () => {
  test('collects over datagrams up to the end, leaving out what the query leaves out', () => {
    const { peer, connection } = scripted((replies) => {
      link(replies, 1);
      replies.object(20, addressCodec, {}, NLM_F.MULTI);
      link(replies, 2);
      replies.done();
    });
    expect(connection.dump(links)).toEqual([1, 2]);
    expect(peer.requests[0]?.flags).toBe(NLM_F.REQUEST | NLM_F.DUMP);
  });

  test('nothing there is an empty list', () => {
    const { connection } = scripted((replies) => replies.done());
    expect(connection.dump(links)).toEqual([]);
  });

  test.each([
    {
      name: 'a message marked as interrupted',
      interrupted: (replies: FakeReplies) => {
        link(replies, 1, NLM_F.DUMP_INTR);
        replies.done();
      },
    },
    {
      name: 'an end marked as interrupted',
      interrupted: (replies: FakeReplies) => {
        link(replies, 1);
        replies.done({ flags: NLM_F.DUMP_INTR });
      },
    },
    { name: 'an end with EINTR', interrupted: (replies: FakeReplies) => replies.done({ errno: 4 }) },
    { name: 'EINTR at once', interrupted: (replies: FakeReplies) => replies.error(4) },
  ])('$name begins it anew, and what was read is forgotten', ({ interrupted }) => {
    const { peer, connection } = scripted(interrupted, interrupted, (replies) => {
      link(replies, 2);
      replies.done();
    });
    expect(connection.dump(links)).toEqual([2]);
    expect(peer.requests).toHaveLength(3);
  });

  test('without end it is EINTR after a bounded number of attempts', () => {
    const peer = createFakePeer((_frame, replies) => replies.done({ flags: NLM_F.DUMP_INTR }));
    const connection = createNetlinkConnection(peer.open, { dumpAttempts: 3 });
    const error = errorOf(() => connection.dump(links));
    expect([error.code, error.message]).toEqual([
      'EINTR',
      'list links: EINTR (4): the objects changed during each of 3 dumps',
    ]);
    expect(peer.requests).toHaveLength(3);
  });

  test('a refusal at the start or at the end is an error', () => {
    const { connection } = scripted(
      (replies) => replies.error(95, { message: 'no such dump' }),
      (replies) => {
        link(replies, 1);
        replies.done({ errno: 90 });
      },
    );
    expect(errorOf(() => connection.dump(links))).toMatchObject({
      code: 'EOPNOTSUPP',
      extendedAck: { message: 'no such dump' },
    });
    expect(errorOf(() => connection.dump(links)).code).toBe('EMSGSIZE');
  });

  test('an object that cannot be read fails it, but the rest is taken from the socket', () => {
    const { peer, connection } = scripted(
      (replies, { sequence }) => {
        replies.raw(encodeReply({ type: 16, flags: NLM_F.MULTI, sequence }, (writer) => writer.zeros(3)));
        link(replies, 1);
        replies.done();
      },
      (replies) => {
        link(replies, 2);
        replies.done();
      },
    );
    expect(() => connection.dump(links)).toThrow(expect.objectContaining({ name: 'DecodeError', path: 'link' }));
    expect(connection.dump(links)).toEqual([2]);
    expect(peer.openTransports).toBe(1);
  });
});

describe('batch', () => {
  /** Acknowledges what asks for it, refuses the requests that come at these places. */
  const peerRefusing = (refused: readonly number[], options = {}): FakePeer => {
    let place = 0;
    return createFakePeer((frame, replies) => {
      if (refused.includes(place++)) replies.error(17);
      else if ((frame.flags & NLM_F.ACK) !== 0) replies.ack();
    }, options);
  };

  const many = (count: number, bodyBytes = 0): NetlinkRequest[] =>
    Array.from({ length: count }, (_, index) => request(`request ${index}`, bodyBytes));

  test('one datagram, one acknowledgement, a result for each', () => {
    const peer = peerRefusing([1, 3]);
    const results = createNetlinkConnection(peer.open).batch(many(5));
    expect(results.map((error) => error?.message)).toEqual([
      undefined,
      'request 1: EEXIST (17)',
      undefined,
      'request 3: EEXIST (17)',
      undefined,
    ]);
    expect(peer.datagramCount).toBe(1);
    expect(peer.requests.map(({ flags }) => (flags & NLM_F.ACK) !== 0)).toEqual([false, false, false, false, true]);
  });

  test('a refused last request ends it as well', () => {
    const results = createNetlinkConnection(peerRefusing([2]).open).batch(many(3));
    expect(results.map((error) => error?.code)).toEqual([undefined, undefined, 'EEXIST']);
  });

  test.each([
    {
      name: 'answers to all must fit the receive buffer',
      options: { receiveBufferBytes: 8192 },
      count: 10,
      size: 0,
      datagrams: 3,
    },
    {
      name: 'requests fill half the send buffer',
      options: { sendBufferBytes: 4096 },
      count: 10,
      size: 484,
      datagrams: 3,
    },
    {
      name: 'one request goes alone if it is too large',
      options: { sendBufferBytes: 64 },
      count: 3,
      size: 500,
      datagrams: 3,
    },
    {
      name: 'a tiny receive buffer takes one at a time',
      options: { receiveBufferBytes: 1 },
      count: 3,
      size: 0,
      datagrams: 3,
    },
  ])('$name', ({ options, count, size, datagrams }) => {
    const peer = peerRefusing([1], options);
    const results = createNetlinkConnection(peer.open).batch(many(count, size));
    expect(results.map((error) => error?.operation)).toEqual(
      many(count).map((_, i) => (i === 1 ? 'request 1' : undefined)),
    );
    expect([peer.datagramCount, peer.requests.length]).toEqual([datagrams, count]);
  });

  test('nothing to do sends nothing', () => {
    const peer = peerRefusing([]);
    expect(createNetlinkConnection(peer.open).batch([])).toEqual([]);
    expect(peer.datagramCount).toBe(0);
  });
});

describe('a broken exchange', () => {
  test.each([
    { operation: 'send' as const, code: 'EMSGSIZE' },
    { operation: 'receive' as const, code: 'ENOBUFS' },
  ])(
    '$code at $operation is a NetlinkError with its cause; the next request has a new socket',
    ({ operation, code }) => {
      const { peer, connection } = scripted(
        ...Array<(replies: FakeReplies) => void>(3).fill((replies) => replies.ack()),
      );
      peer.failNext(operation, code);
      const error = errorOf(() => connection.execute(request('new link')));
      expect(error).toMatchObject({ code, operation: 'new link', cause: { code } });
      expect(peer.openTransports).toBe(0);
      connection.execute(request());
      expect(peer.openTransports).toBe(1);
    },
  );

  test('silence is ETIMEDOUT', () => {
    const { connection } = scripted(() => undefined);
    expect(errorOf(() => connection.execute(request())).code).toBe('ETIMEDOUT');
  });

  test('bytes that are no messages are a DecodeError that names the operation', () => {
    const { peer, connection } = scripted((replies) => replies.raw(Uint8Array.of(1, 2, 3)));
    expect(() => connection.execute(request('new link'))).toThrow(
      expect.objectContaining({ name: 'DecodeError', path: 'new link' }),
    );
    expect(peer.openTransports).toBe(0);
  });

  test('an error without errno name is passed on as it is', () => {
    const open = (): never => {
      throw new TypeError('no socket for you');
    };
    expect(() => createNetlinkConnection(open)).toThrow(TypeError);
  });

  test('a request that cannot be written sends nothing and leaves the socket alone', () => {
    const { peer, connection } = scripted((replies) => replies.ack());
    const unwritable: NetlinkRequest = {
      ...request(),
      writeBody: () => {
        throw new RangeError('too long');
      },
    };
    expect(() => connection.execute(unwritable)).toThrow(RangeError);
    connection.execute(request());
    expect([peer.datagramCount, peer.openTransports]).toEqual([1, 1]);
  });
});

test('a closed connection says so and has no socket', () => {
  const { peer, connection } = scripted((replies) => replies.ack());
  connection[Symbol.dispose]();
  connection[Symbol.dispose]();
  expect(peer.openTransports).toBe(0);
  expect(errorOf(() => connection.execute(request())).code).toBe('EBADF');
});

test('the trace sees what goes out and what comes in', () => {
  const peer = createFakePeer((_frame, replies) => replies.ack());
  const seen: [string, number][] = [];
  const connection = createNetlinkConnection(peer.open, {
    trace: (direction, datagram) => seen.push([direction, datagram.length]),
  });
  connection.execute(request('test', 4));
  expect(seen).toEqual([
    ['sent', 20],
    ['received', 36],
  ]);
});

test("an exchange of one's own gets each reply until it has enough", () => {
  const { connection } = scripted(
    (replies) => link(replies, 1),
    (replies) => {
      link(replies, 2);
      link(replies, 3);
    },
  );
  const types: [number, number][] = [];
  connection.exchange(
    'own',
    (writer, nextSequence) => {
      for (const type of [50, 51]) writer.endMessage(writer.beginMessage(type, NLM_F.REQUEST, nextSequence()));
    },
    ({ type, sequence }) => types.push([type, sequence]) === 2,
  );
  expect(types).toEqual([
    [16, 1],
    [16, 2],
  ]);
  expect(connection.limits.sendBufferBytes).toBeGreaterThan(0);
});
