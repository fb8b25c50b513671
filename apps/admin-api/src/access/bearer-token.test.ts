import { expect, test } from 'vitest';
import { bearerToken } from './bearer-token.ts';

test.each([
  ['Bearer abc.DEF-1_2~+/==', 'abc.DEF-1_2~+/=='],
  ['bearer  abc', 'abc'],
  ['Bearer', undefined],
  ['Bearer ', undefined],
  ['Bearer a b', undefined],
  ['Bearer a\u00e4', undefined],
  ['Bearer a,b', undefined],
  ['Basic abc', undefined],
  ['abc', undefined],
  [`Bearer ${'a'.repeat(20_000)}`, undefined],
  [undefined, undefined],
])('%j holds %j', (header, token) => {
  expect(bearerToken(header)).toBe(token);
});
