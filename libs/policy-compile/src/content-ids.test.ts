import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ContentIds, hash48 } from './content-ids.ts';

/** As if all texts had one hash. */
const sameHash = (): string => '0123456789ab';

test('an id is a prefix and 12 hex digits, the same in every process', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(hash48(text)).toMatch(/^[0-9a-f]{12}$/);
      expect(new ContentIds().take('in-', text)).toBe(`in-${hash48(text)}`);
    }),
  );
});

test('texts that differ in little have ids that differ', () => {
  const texts = Array.from(
    { length: 200_000 },
    (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32`,
  );
  expect(new Set(texts.map(hash48)).size).toBe(texts.length);
});

test('two texts with one hash get two ids, and keep them until they are freed', () => {
  const ids = new ContentIds((text) => (text.includes('\0') ? hash48(text) : sameHash()));
  const first = ids.take('ad-', 'mine');
  const second = ids.take('ad-', "another's");
  expect(second).not.toBe(first);
  expect(ids.take('ad-', 'mine')).toBe(first);
  expect(ids.take('ad-', "another's")).toBe(second);
  ids.free(first);
  expect(ids.take('ad-', "another's")).toBe(second);
  expect(ids.take('ad-', 'third')).toBe(first);
});
