import fc from 'fast-check';
import { expect, test } from 'vitest';
import { excessOf, maxAnswerBytes } from './answer-bounds.ts';

const many = (item: string, count = 20_000): string => `{"ok":true,"value":[${Array(count).fill(item).join(',')}]}`;

test.each([
  ['empty lists', many('[]')],
  ['empty objects', many('{}')],
  ['small objects', many('{"a":1}')],
  ['numbers', many('1')],
  ['lists in each other', `{"ok":true,"value":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
])('a line of %s is not read', (_name, line) => {
  expect(excessOf(line)).toMatch(/^it (?:has more|is nested)/);
});

test.each([
  ['policies', many(JSON.stringify({ policy: 'a/b', uid: 'c'.repeat(36), localEndpoints: 0, problems: [] }))],
  ['addresses', many(JSON.stringify({ address: '10.0.0.1', state: 'in-use', pod: { namespace: 'a', name: 'b' } }))],
  [
    'endpoints',
    many(JSON.stringify({ key: 'c', hostInterface: 'v', addresses: ['10.0.0.1'], ingress: [], egress: [] })),
  ],
  ['names', many('"shop/web"')],
  ['a text with what users wrote', many(JSON.stringify(`a \\"${'[{,'.repeat(50)}\\`), 200)],
])('a line of %s is', (_name, line) => {
  expect(JSON.parse(line)).toMatchObject({ ok: true });
  expect(line.length).toBeGreaterThan(16_384);
  expect(excessOf(line)).toBeUndefined();
});

test('whatever stands in a text, it ends where JSON says', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('"', '\\', '[', '{', 'a') }), (text) => {
      const padding = 'x'.repeat(20_000);
      expect(excessOf(JSON.stringify([text, padding]))).toBeUndefined();
      expect(excessOf(`${JSON.stringify([text, padding]).slice(0, -1)},${'['.repeat(40)}`)).toContain('nested');
    }),
  );
});

test('a line that is short, and one that ends within a text', () => {
  expect(excessOf('['.repeat(1_000))).toBeUndefined();
  expect(excessOf(`["${'a'.repeat(20_000)}`)).toBeUndefined();
});

test('each question has a bound, those of later versions too', () => {
  for (const op of ['status', 'peers', 'something-new', 'constructor']) expect(maxAnswerBytes(op)).toBeGreaterThan(0);
});
