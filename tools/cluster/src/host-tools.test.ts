import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { staticBusybox } from './host-tools.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'canal-busybox-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('a busybox that needs the C library is not taken for the pause image, nor is none', () => {
  expect(() => staticBusybox([folder])).toThrow('this machine lacks busybox: run "apt-get install -y busybox-static"');
  symlinkSync('/bin/sh', join(folder, 'busybox'));
  expect(() => staticBusybox([folder])).toThrow(`${folder}/busybox needs libraries`);
});

test('one without an interpreter is', () => {
  // The header of an ELF file without segments: 64 bytes, 64-bit, little-endian.
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  writeFileSync(join(folder, 'busybox'), header);
  expect(staticBusybox(['/nowhere', folder])).toBe(join(folder, 'busybox'));
});
