import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { inspectJsonText } from './json-text.ts';
import {
  isDnsLabel,
  isDnsSubdomain,
  isLabelKey,
  isLabelValue,
  matchesLabels,
  parseLabelSelector,
} from './label-selector.ts';
import { mergePatch } from './patch/merge-patch.ts';

/** The examples of RFC 7386, appendix A. */
describe('merge patch', () => {
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });

  test('leaves its inputs as they are, and makes members of any name', () => {
    const target = { a: { b: 1 } };
    const patch: unknown = JSON.parse('{"__proto__":{"x":1},"a":{"b":2}}');
    const merged = mergePatch(target, patch);
    expect(JSON.stringify(merged)).toBe('{"a":{"b":2},"__proto__":{"x":1}}');
    expect(target).toEqual({ a: { b: 1 } });
    expect(Reflect.get({}, 'x')).toBeUndefined();
  });
});

describe('a JSON text', () => {
  test.each([
    { text: '{"a":1,"a":2}', duplicates: ['a'] },
    { text: '{"a":1,"\\u0061":2}', duplicates: ['a'] },
    { text: '{"a":{"a":1},"b":[{"a":1},{"a":2}]}', duplicates: [] },
    { text: '{"a":["a","a"],"b":"a"}', duplicates: [] },
    { text: '{"a":[{"x":1,"y":",","x":2}]}', duplicates: ['x'] },
    { text: '{"a\\"":1,"a\\"":2}', duplicates: ['a"'] },
  ])('$text names twice: $duplicates', ({ text, duplicates }) => {
    expect(inspectJsonText(text, 10).duplicates).toEqual(duplicates);
  });

  test('that a serialiser wrote never names a member twice', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(inspectJsonText(JSON.stringify(value), 100)).toEqual({ tooDeep: false, duplicates: [] });
      }),
    );
  });

  test('is found too deep before it is parsed, and brackets in strings do not count', () => {
    expect(inspectJsonText('['.repeat(11), 10).tooDeep).toBe(true);
    expect(inspectJsonText('['.repeat(10), 10).tooDeep).toBe(false);
    expect(inspectJsonText(`["${'['.repeat(50)}"]`, 10).tooDeep).toBe(false);
    expect(inspectJsonText('['.repeat(1_000_000), 64).tooDeep).toBe(true);
  });
});

describe('label selectors', () => {
  const labels = { app: 'web', tier: 'front', n: '5' };
  test.each([
    ['', true],
    ['app', true],
    ['!app', false],
    ['app=web', true],
    ['app = web', true],
    ['app==web,tier!=back', true],
    ['absent!=x', true],
    ['absent notin (x)', true],
    ['absent in (x)', false],
    ['app in (web, api)', true],
    ['app notin (web)', false],
    ['app in (),app', false],
    ['n>4', true],
    ['n<5', false],
    ['app>4', false],
    ['example.com/app', false],
  ])('%s: %s', (selector, matches) => {
    expect(matchesLabels(parseLabelSelector(selector), labels)).toBe(matches);
  });

  test.each(['a=b=c', '=a', 'a in b', 'a in (b', 'a,,b', 'a b', '!a=b', 'a>x', 'a=b c', '-a', 'a=-b', 'A/b/c', '!'])(
    '%s is refused',
    (selector) => {
      expect(() => parseLabelSelector(selector)).toThrow();
    },
  );

  test('random texts are read or refused, nothing else', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          matchesLabels(parseLabelSelector(text), labels);
        } catch (error) {
          expect(error).toMatchObject({ code: 400 });
        }
      }),
    );
  });
});

test('names', () => {
  expect(['a', 'a.b-c', '0', 'a'.repeat(253)].every(isDnsSubdomain)).toBe(true);
  expect(['', 'A', 'a_b', '-a', 'a-', 'a..b', '.a', 'a'.repeat(254)].some(isDnsSubdomain)).toBe(false);
  expect(['a.b', 'a'.repeat(64)].some(isDnsLabel)).toBe(false);
  expect(['app', 'x.y/App_1', 'example.com/a.b'].every(isLabelKey)).toBe(true);
  expect(['', 'a/b/c', '/a', 'a/', 'a b', 'UPPER/a', 'a'.repeat(64)].some(isLabelKey)).toBe(false);
  expect(['', 'A_b.c-1', 'a'.repeat(63)].every(isLabelValue)).toBe(true);
  expect(['-a', 'a-', 'a b', 'a/b', 'a'.repeat(64)].some(isLabelValue)).toBe(false);
});
