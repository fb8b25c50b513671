import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isFresh } from './debian-packages.ts';

test('lists are fetched again after a day, and from another mirror', () => {
  const folder = mkdtempSync(join(tmpdir(), 'canal-fresh-'));
  try {
    const stamp = join(folder, 'updated');
    expect(isFresh(stamp, 'a mirror')).toBe(false);
    writeFileSync(stamp, 'a mirror');
    expect(isFresh(stamp, 'a mirror')).toBe(true);
    expect(isFresh(stamp, 'another mirror')).toBe(false);
    const yesterday = new Date(Date.now() - 25 * 3600 * 1000);
    utimesSync(stamp, yesterday, yesterday);
    expect(isFresh(stamp, 'a mirror')).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
