import { createTestNetns } from '@canal/testing';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** As in a container: /proc/sys mounted read-only, in a mount namespace of its own. */
const READ_ONLY = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"';
/** As deploy/canal.yaml mounts it. */
const BESIDE = `mount -t tmpfs none /mnt && mkdir /mnt/net && mount --bind /proc/sys/net /mnt/net && ${READ_ONLY}`;

test.each([
  {
    title: 'read-only, as in a container: IPv4 switches of a device are set all the same',
    wrapper: ['unshare', '-m', 'sh', '-c', READ_ONLY, 'sh'],
    directory: [],
    writable: false,
    codes: ['ok', 'ok', 'EROFS', 'EROFS'],
  },
  {
    title: 'read-only, and its net/ mounted elsewhere: all of them, in the namespace that was entered',
    wrapper: ['unshare', '-m', 'sh', '-c', BESIDE, 'sh'],
    directory: ['/mnt/net'],
    writable: true,
    codes: ['ok', 'ok', 'ok', 'ok'],
  },
  { title: 'writable: all of them', wrapper: [], directory: [], writable: true, codes: ['ok', 'ok', 'ok', 'ok'] },
])('/proc/sys $title', ({ wrapper, directory, writable, codes }) => {
  using netns = createTestNetns('sysctl');
  netns.run(['ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'wire']);
  const script = fileURLToPath(import.meta.resolve('./testing/set-switches.ts'));
  const program = [process.execPath, script, netns.path, ...directory];
  const { stdout, stderr, exitCode } = Bun.spawnSync([...wrapper, ...program]);
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: '' });
  expect(JSON.parse(stdout.toString())).toEqual({
    features: { nexthopObjects: true, ipv6: true, sysctlWritable: writable },
    codes,
  });
  const ipv6 = netns.run(['sysctl', '-n', 'net.ipv6.conf.eth0.accept_ra']).trim();
  expect(ipv6).toBe(writable ? '0' : '1');
  const values = ['net.ipv4.conf.eth0.forwarding', 'net.ipv4.conf.eth0.rp_filter'];
  expect(values.map((name) => netns.run(['sysctl', '-n', name]).trim())).toEqual(['1', '2']);
});
