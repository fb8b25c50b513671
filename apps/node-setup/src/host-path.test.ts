import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostPathOf, resolveInRoot } from './host-path.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-root-'));
  mkdirSync(join(root, 'usr/libexec/cni'), { recursive: true });
  mkdirSync(join(root, 'opt'));
  symlinkSync('/usr/libexec/cni', join(root, 'opt/absolute'));
  symlinkSync('../usr/libexec/cni', join(root, 'opt/relative'));
  symlinkSync('../../../../etc', join(root, 'opt/escaping'));
  symlinkSync('loop', join(root, 'opt/loop'));
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

test.each([
  ['/opt/cni/bin', '/opt/cni/bin'],
  ['/opt/absolute', '/usr/libexec/cni'],
  ['/opt/absolute/canal', '/usr/libexec/cni/canal'],
  ['/opt/relative/canal', '/usr/libexec/cni/canal'],
  ['/opt/escaping', '/etc'],
  ['/opt/../../..', '/'],
  ['/opt//./cni', '/opt/cni'],
])('%s of the host is %s', (path, resolved) => {
  expect(hostPathOf(root, resolveInRoot(root, path))).toBe(resolved);
});

test('a loop of links is an error, not a hang', () => {
  expect(() => resolveInRoot(root, '/opt/loop')).toThrow(/too many symbolic links/);
});
