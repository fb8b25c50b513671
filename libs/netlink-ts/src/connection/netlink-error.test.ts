import { describe, expect, test } from 'vitest';
import { errnoName, errnoNumber } from './errno.ts';
import { isBusy, isExists, isNotFound, isNotSupported, isRetriable, NetlinkError } from './netlink-error.ts';

const PREDICATES = { isBusy, isExists, isNotFound, isNotSupported, isRetriable };

describe('predicates', () => {
  test.each([
    { code: 'ENODEV', true: ['isNotFound'] },
    { code: 'ESRCH', true: ['isNotFound'] },
    { code: 'ENOENT', true: ['isNotFound'] },
    { code: 'EADDRNOTAVAIL', true: ['isNotFound'] },
    { code: 'EEXIST', true: ['isExists'] },
    { code: 'EBUSY', true: ['isBusy', 'isRetriable'] },
    { code: 'EINTR', true: ['isRetriable'] },
    { code: 'ENOBUFS', true: ['isRetriable'] },
    { code: 'ETIMEDOUT', true: ['isRetriable'] },
    { code: 'EOPNOTSUPP', true: ['isNotSupported'] },
    { code: 'EPERM', true: [] },
    { code: 'EINVAL', true: [] },
  ])('$code: $true', ({ code, true: expected }) => {
    const error = new NetlinkError({ operation: 'test', errno: errnoNumber(code) });
    expect(error.code).toBe(code);
    expect(Object.keys(PREDICATES).filter((name) => PREDICATES[name as keyof typeof PREDICATES](error))).toEqual(
      expected,
    );
  });

  test('ENOTSUPP, which has no name in user space, counts as not supported', () => {
    expect(isNotSupported(new NetlinkError({ operation: 'test', errno: 524 }))).toBe(true);
  });

  test('other errors with the same code are none of ours', () => {
    expect(isNotFound(Object.assign(new Error('open'), { code: 'ENOENT' }))).toBe(false);
    expect(isNotFound('ENOENT')).toBe(false);
  });

  test('an error of another copy of this package is recognised', () => {
    class Copy extends Error {
      override readonly name = 'NetlinkError';
      readonly code = 'EEXIST';
    }
    expect(isExists(new Copy())).toBe(true);
  });
});

describe('errno names', () => {
  test.each([
    [1, 'EPERM'],
    [17, 'EEXIST'],
    [35, 'EDEADLK'],
    [42, 'ENOMSG'],
    [61, 'ENODATA'],
    [95, 'EOPNOTSUPP'],
    [105, 'ENOBUFS'],
    [110, 'ETIMEDOUT'],
    [133, 'EHWPOISON'],
  ])('%d is %s', (errno, name) => {
    expect(errnoName(errno)).toBe(name);
    expect(errnoNumber(name)).toBe(errno);
  });

  test('numbers and names that are not there', () => {
    expect([errnoName(0), errnoName(41), errnoName(524), errnoNumber('ENONSENSE')]).toEqual(['E0', 'E41', 'E524', 0]);
  });
});
