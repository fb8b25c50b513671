import { homedir } from 'node:os';
import { expect, test } from 'vitest';
import { cacheFolder } from './cache.ts';

test.each([
  [undefined, `${homedir()}/.cache/canal/image`],
  ['', `${homedir()}/.cache/canal/image`],
  ['/var/cache/x', '/var/cache/x/image'],
  ['cache', `${process.cwd()}/cache/image`],
])('CANAL_CACHE %j is %s', (CANAL_CACHE, expected) => {
  expect(cacheFolder('image', { CANAL_CACHE })).toBe(expected);
});
