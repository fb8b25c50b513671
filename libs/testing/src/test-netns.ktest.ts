import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { connectNetns, createTestNetns } from './test-netns.ts';

test('a test namespace is there for other tools while it lives, and gone afterwards', () => {
  let name = '';
  {
    using netns = createTestNetns('life');
    name = netns.name;
    expect(readdirSync('/run/netns')).toContain(name);
    expect(netns.json(['ip', '-j', 'link'])).toMatchObject([{ ifname: 'lo', operstate: 'UNKNOWN' }]);
    expect(Bun.spawnSync(['ip', 'netns', 'exec', name, 'ip', 'link', 'show', 'lo']).exitCode).toBe(0);
  }
  expect(readdirSync('/run/netns')).not.toContain(name);
});

test('a veth pair connects two namespaces over IPv4 and IPv6', () => {
  using a = createTestNetns('a');
  using b = createTestNetns('b');
  connectNetns(
    { netns: a, name: 'to-b', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
    { netns: b, name: 'to-a', addresses: ['10.0.0.2/24', 'fd00::2/64'] },
    { mtu: 1400 },
  );
  expect(a.json(['ip', '-j', 'link', 'show', 'to-b'])).toMatchObject([{ mtu: 1400 }]);
  a.run(['ping', '-c1', '-W2', '10.0.0.2']);
  a.run(['ping', '-c1', '-W2', 'fd00::2']);
});

test('within() sees the namespace and leaves it again', () => {
  using netns = createTestNetns('in');
  const own = readFileSync('/proc/net/dev', 'utf8');
  expect(netns.within(() => readFileSync('/proc/thread-self/net/dev', 'utf8').trim().split('\n'))).toHaveLength(3);
  expect(readFileSync('/proc/net/dev', 'utf8').split('\n')).toHaveLength(own.split('\n').length);
});

test('run() names the program, the namespace and its complaint', () => {
  using netns = createTestNetns('fail');
  expect(() => netns.run(['ip', 'link', 'show', 'nowhere'])).toThrow(
    /in t\d+-\d+-fail: ip link show nowhere .*nowhere/s,
  );
});
