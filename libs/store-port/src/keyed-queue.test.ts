import fc from 'fast-check';
import { expect, test } from 'vitest';

import { KeyedQueue } from './keyed-queue.ts';
import type { StoreEvent } from './store.ts';

function drain(queue: KeyedQueue<number>): StoreEvent<number>[] {
  const events: StoreEvent<number>[] = [];
  for (let event = queue.shift(); event !== undefined; event = queue.shift()) events.push(event);
  return events;
}

function put(queue: KeyedQueue<number>, key: string, value: number): void {
  queue.put(key, { ok: true, value }, String(value));
}

test('what was put before the mark comes before it, what is new after it comes after', () => {
  const queue = new KeyedQueue<number>();
  put(queue, 'a', 1);
  put(queue, 'b', 1);
  queue.markInSync();
  put(queue, 'c', 1);
  put(queue, 'a', 2);
  expect(drain(queue).map((event) => ('key' in event ? event.key : event.type))).toEqual(['a', 'b', 'in-sync', 'c']);
  queue.markInSync();
  expect(drain(queue)).toEqual([]);
});

test('what takes the place of an object is told before the object goes', () => {
  const queue = new KeyedQueue<number>();
  put(queue, 'old', 1);
  drain(queue);
  put(queue, 'old', 2);
  put(queue, 'new', 1);
  queue.delete('old');
  expect(drain(queue).map((event) => ('key' in event ? `${event.type} ${event.key}` : event.type))).toEqual([
    'put new',
    'delete old',
  ]);
});

test('only changes of the connection are told, and only the latest', () => {
  const queue = new KeyedQueue<number>();
  queue.connection(true);
  queue.connection(true);
  expect(drain(queue)).toEqual([{ type: 'connection', connected: true }]);
  queue.connection(false, 'cut');
  queue.connection(true);
  expect(drain(queue)).toEqual([{ type: 'connection', connected: true }]);
});

test('a waiter wakes for an event, and for the end', async () => {
  const queue = new KeyedQueue<number>();
  const abort = new AbortController();
  const first = queue.ready(abort.signal);
  put(queue, 'a', 1);
  await first;
  drain(queue);
  const second = queue.ready(abort.signal);
  abort.abort();
  await second;
});

test('however puts, deletes and reads mix, the reader ends with the writer, and no more waits than there are objects', () => {
  const step = fc.record({
    do: fc.constantFrom('put', 'delete', 'read'),
    key: fc.constantFrom('a', 'b', 'c'),
    value: fc.nat(99),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const queue = new KeyedQueue<number>();
      const written = new Map<string, number>();
      const read = new Map<string, number>();
      const take = (event: StoreEvent<number> | undefined): void => {
        if (event?.type === 'put' && event.parsed.ok) read.set(event.key, event.parsed.value);
        if (event?.type === 'delete') expect(read.delete(event.key), 'only what was told is taken back').toBe(true);
      };
      for (const { do: action, key, value } of steps) {
        if (action === 'put') {
          put(queue, key, value);
          written.set(key, value);
        } else if (action === 'delete') {
          queue.delete(key);
          written.delete(key);
        } else take(queue.shift());
        expect(queue.size).toBeLessThanOrEqual(new Set([...written.keys(), ...read.keys()]).size);
      }
      for (let event = queue.shift(); event !== undefined; event = queue.shift()) take(event);
      expect(read).toEqual(written);
    }),
  );
});
