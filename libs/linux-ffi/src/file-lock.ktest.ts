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

test('waiting ends when the holder does', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'lock-'));
  const path = join(directory, 'lock');
  try {
    // It ends when the kernel lists somebody who waits for it, which only this process does.
    const script = `echo held; until grep -q -e '-> FLOCK .* ${process.pid} ' /proc/locks; do sleep 0.01; done; echo ended`;
    const holder = Bun.spawn(['flock', path, 'sh', '-c', script], { stdout: 'pipe' });
    const output = holder.stdout.getReader();
    const read = async (): Promise<string> => Buffer.from((await output.read()).value ?? []).toString();
    expect(await read()).toBe('held\n');
    using _lock = lockFile(path);
    expect(await read()).toBe('ended\n');
    expect(await holder.exited).toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a file that cannot be opened names its path', () => {
  expect(() => lockFile('/nonexistent/lock')).toThrow('/nonexistent/lock');
});
