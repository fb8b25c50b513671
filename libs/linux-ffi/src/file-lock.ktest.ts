import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockFile, tryLockFile } from './file-lock.ts';

const flockTool = (path: string): number => Bun.spawnSync(['flock', '-n', path, 'true']).exitCode;

test('the lock keeps other programs out until it is given back', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lock-'));
  const path = join(directory, 'lock');
  try {
    {
      using _lock = lockFile(path);
      expect(flockTool(path)).toBe(1);
      expect(tryLockFile(path)).toBeUndefined();
    }
    expect(flockTool(path)).toBe(0);
    using again = tryLockFile(path);
    expect(again).toBeDefined();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('waiting ends when the holder does', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lock-'));
  const path = join(directory, 'lock');
  try {
    const holder = Bun.spawn(['flock', path, 'sleep', '0.2']);
    while (flockTool(path) === 0);
    const start = performance.now();
    using _lock = lockFile(path);
    expect(performance.now() - start).toBeGreaterThan(20);
    expect(holder.pid).toBeGreaterThan(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a file that cannot be opened names its path', () => {
  expect(() => lockFile('/nonexistent/lock')).toThrow('/nonexistent/lock');
});
