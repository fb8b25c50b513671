import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { backoffMs } from './backoff.ts';
import { compareResourceVersions, isKubeObject, objectKey } from './kube-object.ts';

test('an object is named by its namespace and name', () => {
  expect(objectKey({ name: 'a' })).toBe('a');
  expect(objectKey({ name: 'a', namespace: '' })).toBe('a');
  expect(objectKey({ name: 'a', namespace: 'n' })).toBe('n/a');
});

describe('order of versions', () => {
  test('is that of the numbers they are', () => {
    const version = fc.bigInt({ min: 0n, max: 10n ** 20n });
    fc.assert(
      fc.property(version, version, (a, b) => {
        const order = compareResourceVersions(String(a), String(b));
        expect(Math.sign(order ?? Number.NaN)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  test.each([
    ['1', 'x'],
    ['01', '1'],
    ['', '1'],
    ['-1', '1'],
  ])('%s and %s have none', (a, b) => {
    expect(compareResourceVersions(a, b)).toBeUndefined();
  });
});

describe('what counts as an object', () => {
  test.each([
    { name: 'a name alone', value: { metadata: { name: 'a' } }, is: true },
    {
      name: 'absent members written as null',
      value: { metadata: { name: 'a', labels: null, namespace: null } },
      is: true,
    },
    { name: 'no metadata', value: {}, is: false },
    { name: 'a list', value: [{ metadata: { name: 'a' } }], is: false },
    { name: 'an empty name', value: { metadata: { name: '' } }, is: false },
    { name: 'a version that is a number', value: { metadata: { name: 'a', resourceVersion: 1 } }, is: false },
    { name: 'a label that is no string', value: { metadata: { name: 'a', labels: { b: 1 } } }, is: false },
    { name: 'annotations that are a list', value: { metadata: { name: 'a', annotations: [] } }, is: false },
  ])('$name: $is', ({ value, is }) => {
    expect(isKubeObject(value)).toBe(is);
  });
});

test('waits double up to the maximum, and jitter takes all of them', () => {
  const options = { baseMs: 100, maxMs: 1_000 };
  expect([0, 1, 2, 3, 4, 500].map((attempt) => backoffMs(attempt, options, () => 1))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ]);
  expect(backoffMs(3, options, () => 0)).toBe(0);
});
