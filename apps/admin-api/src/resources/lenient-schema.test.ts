import * as z from 'zod';
import { expect, test } from 'vitest';
import { lenient } from './lenient-schema.ts';

const strict = z.strictObject({
  text: z.string(),
  name: z.string().regex(/^[a-z]+$/),
  kind: z.enum(['a', 'b']),
  list: z.array(z.strictObject({ index: z.int().min(0) })),
  maybe: z.strictObject({ more: z.array(z.string()) }).optional(),
});
const value = { text: 'x', name: 'a', kind: 'a', list: [{ index: 1 }] } as const;

test('what is not known is passed over, at any depth, and what is too long is cut', () => {
  const told = {
    ...value,
    text: 'x'.repeat(5_000),
    list: Array.from({ length: 2_000 }, () => ({ index: 1, later: true })),
    maybe: { more: ['y'.repeat(5_000)], later: 1 },
    later: {},
  };
  const read = lenient(strict).parse(told);
  expect([read.text.length, read.list.length, read.maybe?.more[0]?.length]).toEqual([1_024, 1_000, 1_024]);
  expect(strict.parse(read)).toEqual(read);
  expect(lenient(strict).parse(value)).toEqual(value);
});

test.each([
  ['a field that is missing', { text: undefined }],
  ['a name of another form', { name: 'A B' }],
  ['a kind that nobody knows', { kind: 'c' }],
  ['a number that cannot be', { list: [{ index: -1 }] }],
])('%s is refused', (_name, change) => {
  expect(lenient(strict).safeParse({ ...value, ...change }).success).toBe(false);
});
