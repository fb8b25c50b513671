import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bindMount, MNT_DETACH, unmount } from '@canal/linux-ffi';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mountRoots } from './mounted-directories.ts';

let root: string;
let onHost: string;
let inPod: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal mounted-'));
  [onHost, inPod] = [join(root, 'net.d'), join(root, 'in-pod')];
  mkdirSync(onHost);
  mkdirSync(inPod);
  bindMount(onHost, inPod);
});

afterEach(() => {
  unmount(inPod, MNT_DETACH);
  rmSync(root, { recursive: true });
});

const shown = (): string | undefined => mountRoots(readFileSync('/proc/self/mountinfo', 'utf8')).get(inPod);

test.each([
  ['deleted and made anew', () => rmSync(onHost, { recursive: true }), '//deleted'],
  ['renamed and made anew', () => renameSync(onHost, `${onHost}.old`), '/net.d.old'],
])('the kernel says that a mounted directory was %s', (_title, replace, end) => {
  const before = shown();
  expect(before?.endsWith('/net.d')).toBe(true);
  expect(shown()).toBe(before);
  replace();
  mkdirSync(onHost);
  expect(shown()?.endsWith(end)).toBe(true);
});
