import { createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { type MountComplaint, mountRoots, watchMountedDirectories } from './mounted-directories.ts';

const LINE = (root: string, point: string): string =>
  `1201 1190 259:1 ${root} ${point} rw,relatime master:1 - ext4 /dev/nvme0n1p1 rw\n`;
const OTHER = LINE('/', '/') + LINE('/etc/hosts', '/etc/hosts');

test('what each mount shows; the later of two on one point, blanks as they are', () => {
  const text = LINE('/a', '/x') + LINE('/b\\040c', '/x') + 'half a line\n';
  expect([...mountRoots(text)]).toEqual([['/x', '/b c']]);
});

function watching(directories: readonly string[], before: string) {
  const clock = createFakeClock();
  const told: MountComplaint[] = [];
  const stop = new AbortController();
  const world = { mountinfo: before };
  let end: string | undefined;
  const deps = {
    clock,
    readMountinfo: () => world.mountinfo,
    problems: { update: (_: string, complaints: readonly MountComplaint[]) => void told.push(...complaints) },
  };
  const done = watchMountedDirectories(directories, deps, stop.signal).then(
    () => (end = 'resolved'),
    (error: unknown) => (end = String(error)),
  );
  return { clock, told, stop, world, done, end: () => end };
}

test.each([
  ['deleted', '/etc/cni/net.d//deleted'],
  ['renamed', '/etc/cni/net.d.old'],
])('a directory that was %s on the host: told, and the agent ends', async (_title, root) => {
  const { clock, told, world, end } = watching(
    ['/run/flannel', '/etc/cni/net.d'],
    OTHER + LINE('/etc/cni/net.d', '/etc/cni/net.d'),
  );
  await clock.advance(60_000);
  expect([told, end()]).toEqual([[], undefined]);
  world.mountinfo = OTHER + LINE(root, '/etc/cni/net.d');
  await clock.advance(3_000);
  expect(told).toMatchObject([{ event: 'HostDirectoryReplaced', message: expect.stringContaining(root) as string }]);
  await clock.advance(2_000);
  expect(end()).toContain('/etc/cni/net.d is a mount of a directory of the host that was deleted or renamed');
});

test('mounts of others may change; a signal ends it quietly', async () => {
  const before = OTHER + LINE('/etc/cni/net.d', '/etc/cni/net.d');
  const { clock, told, world, stop, done, end } = watching(['/etc/cni/net.d'], before);
  world.mountinfo = before + LINE('/var/lib/x//deleted', '/x');
  await clock.advance(10_000);
  stop.abort();
  await done;
  expect([told, end()]).toEqual([[], 'resolved']);
});

test('none of them is a mount: nothing to do, until the signal', async () => {
  const { clock, world, stop, done, end } = watching(['/etc/cni/net.d'], OTHER);
  world.mountinfo = OTHER + LINE('/etc/cni/net.d//deleted', '/etc/cni/net.d');
  await clock.advance(10_000);
  expect(end()).toBeUndefined();
  stop.abort();
  await done;
  expect(end()).toBe('resolved');
});
