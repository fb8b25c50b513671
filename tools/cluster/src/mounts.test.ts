import { expect, test } from 'vitest';

import { mountsBelow } from './mounts.ts';

test('what is mounted below a folder, inner mounts first, with blanks in their names', () => {
  const mounts = [
    'proc /proc proc rw 0 0',
    'tmpfs /var/lib/canal-cluster/a tmpfs rw 0 0',
    'nsfs /var/lib/canal-cluster/a/netns/outside nsfs rw 0 0',
    'nsfs /var/lib/canal-cluster/ab/netns/outside nsfs rw 0 0',
    '/dev/sda1 /var/lib/canal-cluster/a/my\\040disk\\134 ext4 rw 0 0',
    '/dev/sda2 /var/lib/canal-cluster/a/my\\040disk\\134/inner ext4 rw 0 0',
    '',
  ].join('\n');
  expect(mountsBelow('/var/lib/canal-cluster/a', mounts)).toEqual([
    '/var/lib/canal-cluster/a/my disk\\/inner',
    '/var/lib/canal-cluster/a/my disk\\',
    '/var/lib/canal-cluster/a/netns/outside',
  ]);
});
