import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable, printableLine, safeJson } from './printable.ts';

test.each([
  ['a colour', '\u001b[31mred', '\\u{1b}[31mred'],
  ['a window title', '\u001b]0;x\u0007', '\\u{1b}]0;x\\u{7}'],
  ['a carriage return that hides a line', 'bad\rgood', 'bad\\u{d}good'],
  ['C1 control sequence introducer', '\u009b31m', '\\u{9b}31m'],
  ['text turned round', 'a\u202eb', 'a\\u{202e}b'],
  ['an invisible tag', 'a\u{e0041}b', 'a\\u{e0041}b'],
  ['ordinary text of any language', 'Zürich 東京 👍', 'Zürich 東京 👍'],
])('%s', (_name, text, expected) => {
  expect(printable(text)).toBe(expected);
});

test('a line stays one line', () => {
  expect(printableLine('a\nb\tc')).toBe('a\\nb\\tc');
});

test('safeJson is the same JSON, without a raw control character', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (value) => {
      const text = safeJson(value);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(printable(text)).toBe(text);
    }),
  );
});
