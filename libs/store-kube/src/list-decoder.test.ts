import { StoreError } from '@canal/store-port';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { ListDecoder } from './list-decoder.ts';

const LIMIT = 1024 * 1024;

/** Feeds the text in pieces that end at these offsets. */
function decode(text: string, cuts: readonly number[], maxItemBytes = LIMIT): { items: unknown[]; frame: unknown } {
  const items: unknown[] = [];
  const decoder = new ListDecoder((item) => items.push(item), maxItemBytes);
  const bytes = new TextEncoder().encode(text);
  let start = 0;
  for (const cut of [...new Set(cuts.map((offset) => offset % (bytes.length + 1)))].sort((a, b) => a - b)) {
    decoder.push(bytes.subarray(start, cut));
    start = cut;
  }
  decoder.push(bytes.subarray(start));
  return { items, frame: decoder.finish() };
}

describe('a list', () => {
  test('of any JSON objects comes out as it went in, however the bytes are cut', () => {
    const item = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
    const metadata = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }));
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 5 }),
        metadata,
        fc.constantFrom('before', 'after'),
        fc.constantFrom(undefined, 2),
        fc.array(fc.nat(2000), { maxLength: 20 }),
        (items, meta, place, indent, cuts) => {
          const rest = { kind: 'List', metadata: meta };
          const list = place === 'before' ? { ...rest, items } : { items, ...rest };
          const text = JSON.stringify(list, undefined, indent);
          const result = decode(text, cuts);
          // Compared as texts: -0 and __proto__ are the JSON parser's affair.
          expect(JSON.stringify(result.items)).toBe(JSON.stringify(JSON.parse(JSON.stringify(items))));
          expect(JSON.stringify(result.frame)).toBe(JSON.stringify(JSON.parse(JSON.stringify({ ...list, items: [] }))));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is not misled by lists called items elsewhere', () => {
    const text = '{"other":[{"a":1}],"metadata":{"items":[{"b":1}],"x":"\\"items\\":["},"items":[{"items":[{"c":1}]}]}';
    expect(decode(text, [])).toEqual({
      items: [{ items: [{ c: 1 }] }],
      frame: { other: [{ a: 1 }], metadata: { items: [{ b: 1 }], x: '"items":[' }, items: [] },
    });
  });

  test('may be empty, or null where Go has no items', () => {
    expect(decode('{"items":[],"metadata":{"resourceVersion":"1"}}', [])).toMatchObject({ items: [] });
    expect(decode('{"metadata":{"resourceVersion":"1"},"items":null}', [])).toMatchObject({
      items: [],
      frame: { items: null },
    });
  });
});

describe('what is refused, always as a StoreError', () => {
  test.each([
    { name: 'a cut answer', text: '{"items":[{"a":1},{"b"' },
    { name: 'an answer cut between items', text: '{"items":[{"a":1}' },
    { name: 'no JSON', text: '<html>' },
    { name: 'an item that is no JSON', text: '{"items":[{a}]}' },
    { name: 'an empty answer', text: '' },
    { name: 'brackets that do not match', text: '{"items":[{"a":1]}}' },
  ])('$name', ({ text }) => {
    expect(() => decode(text, [])).toThrow(StoreError);
  });

  test('an item above the limit, before it has arrived whole', () => {
    const decoder = new ListDecoder(() => undefined, 1_000);
    decoder.push(new TextEncoder().encode('{"items":[{"a":"'));
    expect(() => {
      for (let piece = 0; piece < 20; piece += 1) decoder.push(new TextEncoder().encode('x'.repeat(100)));
    }).toThrow(/longer than 1000 bytes/);
  });

  test('random bytes and random cuts of valid lists', () => {
    const valid = JSON.stringify({ metadata: { resourceVersion: '1' }, items: [{ a: 'ü"\\' }, { b: [1, {}] }] });
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.uint8Array({ maxLength: 50 }), (cut, noise) => {
        const decoder = new ListDecoder(() => undefined, LIMIT);
        try {
          decoder.push(new TextEncoder().encode(valid.slice(0, cut)));
          decoder.push(noise);
          decoder.finish();
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
        }
      }),
    );
  });
});
