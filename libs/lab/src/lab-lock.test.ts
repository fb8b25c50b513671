import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockLab } from './lab-lock.ts';
import { labPaths, type LabPaths } from './lab-paths.ts';

let root: string;
let paths: LabPaths;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-lock-'));
  paths = labPaths(root, 'blue');
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

test('makes the directory in which it stands', async () => {
  using _lock = await lockLab(paths);
  expect(existsSync(paths.lock)).toBe(true);
});

test('one at a time: the second waits, says so once, and gets it when the first has ended', async () => {
  const first = await lockLab(paths);
  const said: string[] = [];
  let got = false;
  const second = lockLab(paths, { onWait: () => said.push('waiting') }).then((lock) => {
    got = true;
    return lock;
  });
  await Bun.sleep(120);
  expect({ got, said }).toEqual({ got: false, said: ['waiting'] });
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
});

test('waiting can be given up', async () => {
  using _lock = await lockLab(paths);
  const reason = new Error('interrupted');
  await expect(lockLab(paths, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('other labs are not held up', async () => {
  using _blue = await lockLab(paths);
  using _red = await lockLab(labPaths(root, 'red'));
});

test('a lock on a file that was removed meanwhile is none: the one who holds the new file has the lab', async () => {
  const removed = await lockLab(paths);
  rmSync(paths.root, { recursive: true });
  // What "down" leaves: the file is gone, its lock still held.
  const current = await lockLab(paths);
  removed[Symbol.dispose]();
  const said: string[] = [];
  const attempt = lockLab(paths, { signal: AbortSignal.timeout(80), onWait: () => said.push('waiting') });
  await expect(attempt).rejects.toThrow();
  expect(said).toEqual(['waiting']);
  current[Symbol.dispose]();
});
