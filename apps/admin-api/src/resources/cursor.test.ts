import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProblemError } from '../handler.ts';
import { compareKeys, Cursors } from './cursor.ts';
import { pageOfItems } from './pages.ts';

const LIST = new Cursors('endpoints', { node: 'a' });

function problemOf(work: () => unknown): string {
  try {
    return `no problem, but ${JSON.stringify(work())}`;
  } catch (error) {
    if (error instanceof ProblemError) return error.problem;
    throw error;
  }
}

test('a cursor is the key that it was made of', () => {
  const key = ['shop/ü', '\u0000"'];
  const cursor = LIST.encode(key);
  expect(cursor).toMatch(/^[\w-]+$/);
  expect(LIST.decode(cursor, 2)).toEqual(key);
  expect(LIST.decode(undefined, 2)).toBeUndefined();
});

test('the longest names fit into what the schema takes', () => {
  const key = ['n'.repeat(253), 's'.repeat(63), 'p'.repeat(253), `${'c'.repeat(128)}/${'e'.repeat(15)}`];
  expect(LIST.encode(key).length).toBeLessThanOrEqual(2048);
});

test.each([
  ['of another list', new Cursors('addresses', { node: 'a' }).encode(['x', 'y']), 'invalid'],
  ['of another filter', new Cursors('endpoints', { node: 'b' }).encode(['x', 'y']), 'invalid'],
  ['with too few parts', LIST.encode(['x']), 'invalid'],
  ['of another version', Buffer.from('[2,"endpoints","",{}]').toString('base64url'), 'cursor-expired'],
  ['no JSON', Buffer.from('nothing').toString('base64url'), 'invalid'],
  ['an object', Buffer.from('{"a":1}').toString('base64url'), 'invalid'],
  ['null', Buffer.from('null').toString('base64url'), 'invalid'],
  ['not base64url', 'a b+c', 'invalid'],
])('a cursor %s is refused', (_, cursor, problem) => {
  expect(problemOf(() => LIST.decode(cursor, 2))).toBe(problem);
});

test('whatever is no cursor of ours is refused, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(problemOf(() => LIST.decode(text === '' ? 'x' : text, 2))).toMatch(/^(invalid|cursor-expired)$/);
    }),
  );
});

test('keys are compared part by part, and a shorter one comes first', () => {
  const keys = [['b'], ['a', 'z'], ['a'], ['a', 'b', 'c'], ['a', 'b']];
  expect(keys.sort(compareKeys)).toEqual([['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'z'], ['b']]);
});

test('pages tell each item that stays once and in order, whatever comes and goes between them', () => {
  const name = fc.string({ minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { maxLength: 30 }),
      fc.infiniteStream(fc.record({ come: fc.array(name, { maxLength: 3 }), goes: fc.nat() })),
      fc.integer({ min: 1, max: 5 }),
      (names, changes, limit) => {
        const stay = new Set(names);
        const present = new Set(names);
        const told: string[] = [];
        const order = { cursors: LIST, keyOf: (item: string) => [item], parts: 1 };
        let cursor: string | undefined;
        do {
          const page = pageOfItems([...present], { limit, cursor }, order);
          expect(page.items.length).toBeLessThanOrEqual(limit);
          told.push(...page.items);
          cursor = page.next;
          const change = changes.next().value as { readonly come: readonly string[]; readonly goes: number };
          // Bounded: what comes is taken from what may stay in front.
          for (const come of change.come) if (told.length < 60) present.add(come);
          const goes = [...present][change.goes % Math.max(present.size, 1)];
          if (goes !== undefined) {
            present.delete(goes);
            stay.delete(goes);
          }
        } while (cursor !== undefined);
        expect(told).toEqual([...new Set(told)].sort());
        for (const one of stay) expect(told).toContain(one);
      },
    ),
  );
});
