import { expect, test } from 'vitest';
import { mountOptionsOf } from './mount-options.ts';

test('mountOptionsOf takes the deepest mount, and of two on one point the later', () => {
  const text = [
    '1 0 8:1 / / rw,relatime - ext4 /dev/sda rw',
    '2 1 8:2 / /host/opt rw - ext4 /dev/sdb rw',
    '3 2 8:3 / /host/opt/cni\\040bin ro - ext4 /dev/sdc rw',
    '4 1 8:2 / /host/opt rw,noexec - tmpfs tmpfs rw',
  ].join('\n');
  expect(mountOptionsOf(text, '/host/opt/x')?.has('noexec')).toBe(true);
  expect(mountOptionsOf(text, '/host/optional')?.has('noexec')).toBe(false);
  expect(mountOptionsOf(text, '/host/opt/cni bin')?.has('ro')).toBe(true);
});
