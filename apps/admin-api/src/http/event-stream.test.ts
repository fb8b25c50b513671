import { createFakeClock, type FakeClock, waitFor } from '@canal/testing';
import { describe, expect, test } from 'vitest';
import type { StreamEvent } from '../handler.ts';
import { EventQueue } from './event-queue.ts';
import { formatEvent, type StreamSink, writeEventStream } from './event-stream.ts';

/** Takes what it is given, until it is full. */
class FakeSink implements StreamSink {
  written = '';
  state: 'open' | 'ended' | 'destroyed' = 'open';
  isFull = false;
  readonly #drains = new Set<() => void>();

  write(text: string): boolean {
    this.written += text;
    return !this.isFull;
  }

  once(_event: 'drain', listener: () => void): void {
    this.#drains.add(listener);
  }

  off(_event: 'drain', listener: () => void): void {
    this.#drains.delete(listener);
  }

  drain(): void {
    this.isFull = false;
    for (const listener of [...this.#drains]) listener();
  }

  end(): void {
    if (this.state === 'open') this.state = 'ended';
  }

  destroy(): void {
    this.state = 'destroyed';
  }
}

/** Events that come when they are pushed. */
class Source implements AsyncIterator<StreamEvent<number>> {
  readonly #events: StreamEvent<number>[] = [];
  #wake = Promise.withResolvers<undefined>();
  isReturned = false;

  push(id: number): void {
    this.#events.push({ type: 'item', id: String(id), data: id });
    this.#wake.resolve(undefined);
  }

  async next(): Promise<IteratorResult<StreamEvent<number>, undefined>> {
    for (;;) {
      const value = this.#events.shift();
      if (value !== undefined) return { done: false, value };
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }

  return(): Promise<IteratorResult<StreamEvent<number>, undefined>> {
    this.isReturned = true;
    return Promise.resolve({ done: true, value: undefined });
  }
}

interface Running {
  readonly sink: FakeSink;
  readonly source: Source;
  readonly clock: FakeClock;
  readonly gone: AbortController;
  readonly end: Promise<string>;
}

function start(): Running {
  const [sink, source, clock, gone] = [new FakeSink(), new Source(), createFakeClock(), new AbortController()];
  const end = writeEventStream(sink, source, { event: 'flow', clock, signal: gone.signal, stallMs: 8_000 });
  return { sink, source, clock, gone, end };
}

describe('a stream', () => {
  test('writes events as they come, and a heartbeat when none does', async () => {
    const { sink, source, clock, gone, end } = start();
    source.push(1);
    await clock.advance(0);
    expect(sink.written).toBe('retry: 1000\n\nid: 1\nevent: flow\ndata: 1\n\n');
    sink.written = '';
    await clock.advance(14_999);
    expect(sink.written).toBe('');
    await clock.advance(1);
    expect(sink.written).toBe(': heartbeat\n\n');
    await clock.advance(30_000);
    expect(sink.written).toBe(': heartbeat\n\n'.repeat(3));
    gone.abort();
    expect(await end).toBe('gone');
    expect(source.isReturned).toBe(true);
    expect(clock.sleeping).toBe(0);
  });

  test('a reader that takes nothing for 8 s is cut off, one that takes some is not', async () => {
    const { sink, source, clock, end } = start();
    await clock.advance(0);
    sink.isFull = true;
    source.push(1);
    await clock.advance(7_999);
    sink.drain();
    await clock.advance(7_999);
    expect(sink.state).toBe('open');
    sink.isFull = true;
    source.push(2);
    await clock.advance(8_000);
    expect(await end).toBe('slow');
    expect(sink.state).toBe('destroyed');
    expect(clock.sleeping).toBe(0);
  });

  test('what does not fit while the reader is slow gives way to one resync', async () => {
    const { sink, source, clock, gone, end } = start();
    await clock.advance(0);
    sink.isFull = true;
    source.push(0);
    await clock.advance(0);
    sink.written = '';
    for (let id = 1; id <= 2000; id++) source.push(id);
    await clock.advance(1);
    sink.drain();
    await clock.advance(1);
    const ids = [...sink.written.matchAll(/id: (\d+)\nevent: (\w+)/g)].map(
      ([, id, event]) => [Number(id), event] as const,
    );
    expect(ids[0]?.[1]).toBe('resync');
    expect(ids.slice(1).every(([, event]) => event === 'flow')).toBe(true);
    // Nothing is missing after the resync.
    expect(ids.map(([id]) => id)).toEqual(Array.from(ids, (_id, index) => 2000 - ids.length + 1 + index));
    expect(ids.length).toBeLessThan(600);
    gone.abort();
    await end;
  });

  test('ends after a while, so that the token is looked at anew', async () => {
    const { sink, clock, end } = start();
    await clock.advance(15 * 60_000);
    expect(await end).toBe('over');
    expect(sink.state).toBe('ended');
  });

  test('what its source throws ends it', async () => {
    const sink = new FakeSink();
    const broken = { next: () => Promise.reject(new Error('broken')) };
    const options = { event: 'flow', clock: createFakeClock(), signal: new AbortController().signal, stallMs: 8_000 };
    await expect(writeEventStream(sink, broken, options)).rejects.toThrow('broken');
    expect(sink.state).toBe('ended');
  });

  test('that nobody reads from the start', async () => {
    const { gone, end } = start();
    gone.abort();
    expect(await waitFor('its end', () => end)).toBe('gone');
  });
});

test('an id cannot begin another field', () => {
  expect(formatEvent('flow', 'a\nevent: b\r\0', '{}')).toBe('id: a event: b  \nevent: flow\ndata: {}\n\n');
});

test('a queue is bounded by characters, too', () => {
  const queue = new EventQueue((id) => `resync ${id};`);
  const text = 'x'.repeat(100_000);
  for (const id of ['1', '2', '3', '4']) queue.push({ id, text });
  expect(queue.take()).toBe(`resync 3;${text}`);
  expect(queue.isEmpty).toBe(true);
});

test('a value that many streams tell is made a text once', async () => {
  let rendered = 0;
  const data = { toJSON: () => ({ made: ++rendered }) };
  const event: StreamEvent<typeof data> = { type: 'item', id: '1', data };
  const sinks = [new FakeSink(), new FakeSink(), new FakeSink()];
  for (const sink of sinks) {
    const options = { event: 'flow', clock: createFakeClock(), signal: new AbortController().signal, stallMs: 1_000 };
    await writeEventStream(sink, once(event), options);
    expect(sink.written).toContain('data: {"made":1}\n');
  }
  expect(rendered).toBe(1);
});

async function* once<T>(value: T): AsyncGenerator<T, void> {
  yield await Promise.resolve(value);
}
