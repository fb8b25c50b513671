import { EventEmitter } from 'node:events';
import { createFakeClock } from '@canal/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { ConnectionGuard, type CutReason, GUARD_LIMITS, LOOK_INTERVAL_MS } from './connection-guard.ts';

class FakeSocket extends EventEmitter {
  isDestroyed = false;

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.emit('close');
  }
}

class FakeResponse extends EventEmitter {
  writableEnded = false;
  writableFinished = false;
}

const WHOLE_LIMIT_MS = 10_000;

let clock: ReturnType<typeof createFakeClock>;
let cut: CutReason[];
let guard: ConnectionGuard;

beforeEach(() => {
  clock = createFakeClock();
  cut = [];
  guard = new ConnectionGuard(clock, { ...GUARD_LIMITS, maxConnections: 3 }, (reason) => cut.push(reason));
});

/** Looks as often as the listener does. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += LOOK_INTERVAL_MS) {
    await clock.advance(LOOK_INTERVAL_MS);
    guard.look();
  }
}

function connected(): FakeSocket {
  const socket = new FakeSocket();
  guard.connected(socket);
  return socket;
}

function secured(): FakeSocket {
  const socket = connected();
  guard.secured(socket);
  return socket;
}

function requested(socket: FakeSocket, complete = true): { request: { complete: boolean }; response: FakeResponse } {
  const [request, response] = [{ complete }, new FakeResponse()];
  guard.requested(socket, request, response);
  return { request, response };
}

describe('each phase ends within 10 s', () => {
  test.each<[string, CutReason, () => FakeSocket]>([
    ['a handshake', 'handshake', connected],
    ['a head, or nothing', 'head', secured],
    [
      'a body',
      'body',
      () => {
        const socket = secured();
        requested(socket, false);
        return socket;
      },
    ],
    [
      'an answer that is not taken',
      'answer',
      () => {
        const socket = secured();
        requested(socket).response.writableEnded = true;
        return socket;
      },
    ],
    [
      'the time between requests',
      'head',
      () => {
        const socket = secured();
        requested(socket).response.emit('close');
        return socket;
      },
    ],
  ])('%s', async (_name, reason, start) => {
    const socket = start();
    await pass(7_000);
    expect(socket.isDestroyed).toBe(false);
    await pass(WHOLE_LIMIT_MS - 7_000 - LOOK_INTERVAL_MS);
    expect([socket.isDestroyed, cut, guard.size]).toEqual([true, [reason], 0]);
  });

  test('a request that is worked on has time, a stream that flows too', async () => {
    const socket = secured();
    requested(socket);
    await pass(60_000);
    expect(socket.isDestroyed).toBe(false);
  });

  test('an answer that goes out in time', async () => {
    const socket = secured();
    const { response } = requested(socket);
    response.writableEnded = true;
    await pass(5_000);
    response.writableFinished = true;
    response.emit('close');
    await pass(7_000);
    expect(socket.isDestroyed).toBe(false);
  });

  test('the second of two requests on a connection is looked at as well', async () => {
    const socket = secured();
    requested(socket);
    requested(socket, false);
    await pass(8_000);
    expect(cut).toEqual(['body']);
  });
});

describe('when there is no room', () => {
  test('whoever has waited longest without a request makes room', () => {
    const [busy, idle, later] = [secured(), connected(), secured()];
    requested(busy);
    const next = connected();
    expect([busy, idle, later, next].map(({ isDestroyed }) => isDestroyed)).toEqual([false, true, false, false]);
    expect([guard.size, cut]).toEqual([3, ['evicted']]);
  });

  test('where all are asking, the new one goes', () => {
    for (const socket of [secured(), secured(), secured()]) requested(socket);
    expect(connected().isDestroyed).toBe(true);
    expect([guard.size, cut]).toEqual([3, ['full']]);
  });
});

test('those that close by themselves are forgotten', () => {
  connected().destroy();
  expect([guard.size, cut]).toEqual([0, []]);
});
