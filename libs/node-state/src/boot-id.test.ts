import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readBootId } from './boot-id.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'canal-boot-id-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('the running boot’s id is a UUID and the same at each reading', () => {
  expect(readBootId()).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(readBootId()).toBe(readBootId());
});

test('a file that holds something else, or is not there, is an error that names it', () => {
  const path = join(folder, 'boot_id');
  expect(() => readBootId(path)).toThrow(path);
  writeFileSync(path, 'short\n');
  expect(() => readBootId(path)).toThrow('"short" is not a boot id');
});
