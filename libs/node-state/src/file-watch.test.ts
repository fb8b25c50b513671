import { existsSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCapturedLogger, waitFor } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchDirectoryOf } from './file-watch.ts';

let directory: string;
let stop: AbortController;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-watch-'));
  stop = new AbortController();
});

afterEach(() => {
  stop.abort();
  rmSync(directory, { recursive: true });
});

test('the last of a burst is told, when the directory is as it leaves it', async () => {
  const [path, temporary] = [join(directory, 'file'), join(directory, 'temporary')];
  const seen: boolean[] = [];
  watchDirectoryOf(path, createCapturedLogger(), () => seen.push(isThere()), stop.signal);
  for (let round = 0; round < 10; round++) {
    writeFileSync(temporary, '');
    renameSync(temporary, path);
    await Bun.sleep(1);
    seen.length = 0;
    unlinkSync(path);
    await waitFor('word of the deletion', () => seen.at(-1) === false, 1_000);
  }

  function isThere(): boolean {
    return existsSync(path);
  }
});

test('a directory that cannot be watched is no error', () => {
  const log = createCapturedLogger();
  watchDirectoryOf(join(directory, 'missing/file'), log, () => undefined, stop.signal);
  expect(log.messages()).toEqual([expect.stringContaining('not watched')]);
});

test('the end of the watch is no complaint', async () => {
  const log = createCapturedLogger();
  watchDirectoryOf(join(directory, 'file'), log, () => undefined, stop.signal);
  stop.abort(new Error('SIGTERM'));
  await Bun.sleep(20);
  expect(log.messages('warn')).toEqual([]);
});
