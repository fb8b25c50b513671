import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commentOf, commentUserData } from './user-data.ts';

test('a comment is one row of type 0 with a zero byte at its end, as libnftnl writes it', () => {
  expect(commentUserData('x').toHex()).toBe('00027800');
  expect(commentUserData('').toHex()).toBe('000100');
});

test('what is written is read, whatever the language', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
      fc.pre(!text.includes('\0') && new TextEncoder().encode(text).length <= 128);
      expect(commentOf(commentUserData(text))).toBe(text.toWellFormed());
    }),
  );
});

test.each([
  { name: 'no user data', bytes: undefined, comment: undefined },
  { name: 'empty user data', bytes: '', comment: undefined },
  { name: 'a row that is cut off', bytes: '000578', comment: undefined },
  { name: 'a header that is cut off', bytes: '00', comment: undefined },
  { name: 'rows of other types alone', bytes: '0101ff', comment: undefined },
  { name: 'a comment behind another row', bytes: '0101ff00027800', comment: 'x' },
  { name: 'a comment without its zero', bytes: '000178', comment: 'x' },
])('$name', ({ bytes, comment }) => {
  expect(commentOf(bytes === undefined ? undefined : Uint8Array.fromHex(bytes))).toBe(comment);
});

test.each([
  { name: 'longer than nft accepts', comment: 'ä'.repeat(65) },
  { name: 'with a zero inside', comment: 'a\0b' },
])('a comment $name is refused', ({ comment }) => {
  expect(() => commentUserData(comment)).toThrow(RangeError);
});
