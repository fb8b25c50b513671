/** Over a directory that plays /proc/sys/net; the kernel's own is judged in apps/node-setup/src/uninstall.ktest.ts. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NetworkKernel } from '@canal/kernel-port';
import type { DesiredSysctl } from '@canal/model';
import { parseInterfaceName, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSysctlRecord, recordingSysctls, type SysctlRecord } from './sysctl-record.ts';

let root: string;
let netDir: string;
let stateDir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-sysctl-'));
  [netDir, stateDir] = [join(root, 'net'), join(root, 'state')];
  for (const device of ['all', 'default', 'eth0', 'flannel.1']) {
    for (const family of ['ipv4', 'ipv6']) mkdirSync(join(netDir, family, 'conf', device), { recursive: true });
    set(`ipv4/conf/${device}/forwarding`, '0');
    set(`ipv4/conf/${device}/accept_redirects`, '1');
    set(`ipv6/conf/${device}/forwarding`, '0');
    set(`ipv6/conf/${device}/accept_ra`, '1');
  }
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const set = (key: string, value: string): void => writeFileSync(join(netDir, key), `${value}\n`);
const get = (key: string): string => readFileSync(join(netDir, key), 'utf8').trim();
const open = (bootId = 'boot-1'): SysctlRecord => createSysctlRecord({ stateDir, netDir, bootId });

const sysctl = (link: string, family: 4 | 6 = 4): DesiredSysctl => ({
  link: link === 'all' ? 'all' : unwrap(parseInterfaceName(link)),
  family,
  name: 'forwarding',
  value: 1,
  enforce: true,
});

/** What the kernel does with conf/all/forwarding of IPv4. */
function forwardAll(): void {
  for (const device of ['all', 'default', 'eth0', 'flannel.1']) set(`ipv4/conf/${device}/forwarding`, '1');
  set('ipv4/conf/all/accept_redirects', '0');
}

test('what a bridge answers for others by is recorded, in conf and in neigh, and comes back', () => {
  const keys = ['ipv4/conf/cni0/proxy_arp_pvlan', 'ipv4/neigh/cni0/proxy_delay', 'ipv6/neigh/cni0/proxy_delay'];
  for (const tree of ['ipv4/conf', 'ipv4/neigh', 'ipv6/neigh'])
    mkdirSync(join(netDir, tree, 'cni0'), { recursive: true });
  for (const key of keys) set(key, '80');
  const delay = { ...sysctl('cni0'), name: 'proxy_delay', value: 0 } as const;
  const pvlan = { ...sysctl('cni0'), name: 'proxy_arp_pvlan' } as const;
  open().beforeChange([delay, { ...delay, family: 6 }, pvlan]);
  for (const key of keys) set(key, '0');
  const record = open();
  expect(record.changes().map(({ name }) => name)).toEqual([
    'net.ipv4.conf.cni0.proxy_arp_pvlan',
    'net.ipv4.neigh.cni0.proxy_delay',
    'net.ipv6.neigh.cni0.proxy_delay',
  ]);
  for (const change of record.changes()) record.restore(change);
  expect(keys.map(get)).toEqual(['80', '80', '80']);
});

test('everything that conf/all changes with it is recorded, and comes back, conf/all first', () => {
  set('ipv4/conf/eth0/forwarding', '1');
  open().beforeChange([sysctl('all')]);
  forwardAll();
  const record = open();
  const changes = record.changes();
  expect(changes.map(({ name, original, present }) => `${name} ${present} ${original}`)).toEqual([
    'net.ipv4.conf.all.forwarding 1 0',
    'net.ipv4.conf.all.accept_redirects 0 1',
    'net.ipv4.conf.default.forwarding 1 0',
    'net.ipv4.conf.flannel/1.forwarding 1 0',
  ]);
  for (const change of changes) record.restore(change);
  expect(get('ipv4/conf/flannel.1/forwarding')).toBe('0');
  expect(get('ipv4/conf/all/accept_redirects')).toBe('1');
  expect(get('ipv4/conf/eth0/forwarding')).toBe('1');
  expect(record.changes()).toEqual([]);
});

test('the first value counts, over restarts of the agent', () => {
  open().beforeChange([sysctl('eth0')]);
  set('ipv4/conf/eth0/forwarding', '1');
  open().beforeChange([sysctl('eth0'), sysctl('all', 6)]);
  expect(open().changes()).toEqual([{ name: 'net.ipv4.conf.eth0.forwarding', original: '0', present: '1' }]);
  set('ipv6/conf/eth0/accept_ra', '2');
  expect(open().changes()).toHaveLength(2);
});

test('a device that is gone needs nothing', () => {
  open().beforeChange([sysctl('flannel.1')]);
  rmSync(join(netDir, 'ipv4/conf/flannel.1'), { recursive: true });
  expect(open().changes()).toEqual([]);
});

test('a record of an earlier boot is void, and is begun anew', () => {
  open('boot-1').beforeChange([sysctl('eth0')]);
  set('ipv4/conf/eth0/forwarding', '1');
  expect(open('boot-2').changes()).toEqual([]);
  open('boot-2').beforeChange([sysctl('eth0')]);
  set('ipv4/conf/eth0/forwarding', '0');
  expect(open('boot-2').changes()).toEqual([{ name: 'net.ipv4.conf.eth0.forwarding', original: '1', present: '0' }]);
});

test.each(['', '{', '[]', '{"bootId":"boot-1","values":{"ipv4/conf/../../../etc/passwd":"x","ipv4/conf/eth0/x":1}}'])(
  'a record that holds %s says nothing and leads nowhere',
  (text) => {
    mkdirSync(stateDir);
    writeFileSync(join(stateDir, 'sysctls.json'), text);
    expect(open().changes()).toEqual([]);
  },
);

test('the kernel records before it writes, and goes on when that fails', async () => {
  const order: string[] = [];
  const kernel = { apply: () => (order.push('apply'), Promise.resolve([])) } as unknown as NetworkKernel;
  const failing = {
    beforeChange: () => {
      order.push('record');
      rmSync(join(root, 'not there'));
    },
  };
  const failures: unknown[] = [];
  const recording = recordingSysctls(kernel, failing, (error) => failures.push(error));
  await recording.apply([{ type: 'sysctl-set', sysctl: sysctl('eth0') }]);
  await recording.apply([]);
  expect(order).toEqual(['record', 'apply', 'apply']);
  expect(failures).toHaveLength(1);
});

test('nothing is written when there is nothing new', () => {
  open().beforeChange([]);
  expect(() => readdirSync(stateDir)).toThrow();
});
