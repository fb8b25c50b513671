import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventStreamParser, type ServerEvent } from './event-stream.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function parsed(text: string): readonly ServerEvent[] {
  return new EventStreamParser(1_000).push(bytesOf(text));
}

test.each<[string, string, readonly ServerEvent[]]>([
  ['id, name and data', 'id: 7\nevent: flow\ndata: {}\n\n', [{ id: '7', name: 'flow', data: '{}' }]],
  [
    'a mark of byte order, and lines that end as others do',
    '\ufeffdata:a\r\rdata: b\r\n\r\n',
    [
      { id: '', name: 'message', data: 'a' },
      { id: '', name: 'message', data: 'b' },
    ],
  ],
  ['data of several lines', 'data: a\ndata:  b\ndata\n\n', [{ id: '', name: 'message', data: 'a\n b\n' }]],
  [
    'an id is kept for the events after it',
    'id: 1\ndata: a\n\ndata: b\n\n',
    [
      { id: '1', name: 'message', data: 'a' },
      { id: '1', name: 'message', data: 'b' },
    ],
  ],
  [
    'comments, unknown fields, ids with NUL and events without data',
    ': heartbeat\n\nfoo: 1\nid: a\0b\nevent: x\n\n',
    [],
  ],
  ['what is not whole is no event', 'data: a\n', []],
])('%s', (_name, text, events) => {
  expect(parsed(text)).toEqual(events);
});

test('retry', () => {
  const parser = new EventStreamParser(100);
  parser.push(bytesOf('retry: soon\n\n'));
  expect(parser.retryMs).toBeUndefined();
  parser.push(bytesOf('retry: 1500\n\n'));
  expect(parser.retryMs).toBe(1500);
});

test('however the bytes are cut, the events are the same', () => {
  const piece = fc.constantFrom(
    'data: ä\n',
    'data: 𝄞\r\n',
    'id: 1\r',
    'event: e\n',
    '\n',
    '\r\n',
    '\r',
    ': c\n',
    'data',
  );
  fc.assert(
    fc.property(fc.array(piece), fc.array(fc.integer({ min: 1, max: 5 })), (pieces, cuts) => {
      const bytes = bytesOf(pieces.join(''));
      const parser = new EventStreamParser(1_000_000);
      const events: ServerEvent[] = [];
      let at = 0;
      for (let i = 0; at < bytes.length; i++) {
        const next = at + (cuts[i % Math.max(1, cuts.length)] ?? 3);
        events.push(...parser.push(bytes.subarray(at, next)));
        at = next;
      }
      expect(events).toEqual(new EventStreamParser(1_000_000).push(bytes));
    }),
  );
});

test.each(['x'.repeat(1_001), 'data: aaaaaaaa\n'.repeat(100)])('more than an event may have', (text) => {
  expect(() => parsed(text)).toThrow(RangeError);
});
