/** Pods that were on the bridge before policy was enforced are policed too, and what others break of it comes back. */
import { createLinuxKernel } from '@canal/kernel-linux';
import type { Attachment } from '@canal/model';
import { connectNetns, createCapturedLogger, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { parseInterfaceAddress, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { planRemoval, removeNetwork } from './remove-network.ts';
import { TestAgent } from './testing/test-agent.ts';

const LIMIT_MS = 1_000;
const GATEWAYS = ['10.244.1.1', 'fd00:10:244:1::1'] as const;

interface Pod {
  readonly netns: TestNetns;
  readonly ip4: string;
  readonly ip6: string;
  readonly attachment: Attachment;
}

let stack: DisposableStack;
let node: TestNetns;
let a: Pod;
let b: Pod;
let agent: TestAgent;

/** As the CNI plugin leaves it in bridge mode where policy is off, and as flannel's plugin does. */
function plug(number: number): Pod {
  const netns = stack.use(createTestNetns(`pod${number}`));
  const hostInterface = `cnl0000000000${number}`;
  const addresses = [`10.244.1.${number}/24`, `fd00:10:244:1::${number}/64`];
  connectNetns({ netns: node, name: hostInterface }, { netns, name: 'eth0', addresses });
  node.run(['ip', 'link', 'set', hostInterface, 'master', 'cni0']);
  for (const gateway of GATEWAYS) netns.run(['ip', 'route', 'add', 'default', 'via', gateway]);
  const macOf = (where: TestNetns, link: string): string =>
    (where.json(['ip', '-j', 'link', 'show', link]) as { address: string }[])[0]?.address ?? '';
  const attachment: Attachment = {
    network: 'canal',
    containerId: `pod-${number}`,
    containerInterface: unwrap(parseInterfaceName('eth0')),
    netns: netns.path,
    mode: 'bridge',
    hostInterface: unwrap(parseInterfaceName(hostInterface)),
    hostMac: unwrap(parseMac(macOf(node, hostInterface))),
    containerMac: unwrap(parseMac(macOf(netns, 'eth0'))),
    addresses: addresses.map((text) => unwrap(parseInterfaceAddress(text))),
    gateways: GATEWAYS.map((text) => unwrap(parseIp(text))),
    mtuBytes: 1500,
    bootId: 'boot',
  };
  return { netns, ip4: `10.244.1.${number}`, ip6: `fd00:10:244:1::${number}`, attachment };
}

beforeEach(() => {
  stack = new DisposableStack();
  node = stack.use(createTestNetns('node'));
  const far = stack.use(createTestNetns('far'));
  connectNetns(
    { netns: node, name: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
    { netns: far, name: 'eth0' },
  );
  node.run(['ip', 'route', 'add', 'default', 'via', '192.0.2.254']);
  node.run(['ip', 'link', 'add', 'cni0', 'address', '0a:58:0a:f4:01:01', 'type', 'bridge']);
  node.run(['sysctl', '-qw', 'net.ipv6.conf.cni0.accept_dad=0', 'net.ipv4.conf.all.rp_filter=1']);
  node.run(['ip', 'link', 'set', 'cni0', 'up']);
  node.run(['ip', 'address', 'add', `${GATEWAYS[0]}/24`, 'dev', 'cni0']);
  node.run(['ip', 'address', 'add', `${GATEWAYS[1]}/64`, 'dev', 'cni0', 'nodad']);
  node.run(['nft', 'add', 'table', 'inet', 't']);
  node.run(['nft', 'add', 'chain', 'inet', 't', 'on-forward', '{ type filter hook forward priority 0; }']);
  node.run(['nft', 'add', 'rule', 'inet', 't', 'on-forward', 'iifname', 'cni0', 'oifname', '"cnl*"', 'counter']);
  [a, b] = [plug(5), plug(6)];
  const kernel = createLinuxKernel({ netns: node.path });
  const log = createCapturedLogger();
  agent = stack.use(
    new TestAgent({ kernel, clock: CLOCK, log }, { number: 1, attachment: a.attachment }, 'vxlan', [4, 6]),
  );
  agent.attachments = [a.attachment, b.attachment];
});

afterEach(() => {
  stack.dispose();
});

const CLOCK = {
  nowMs: () => performance.now(),
  sleep: (ms: number, signal?: AbortSignal) => setTimeout(ms, undefined, { ...(signal && { signal }) }),
};

function forwarded(): number {
  return Number(/packets (\d+)/.exec(node.run(['nft', 'list', 'table', 'inet', 't']))?.[1]);
}

function ping(from: Pod, to: Pod): boolean {
  return [to.ip4, to.ip6].every((address) => from.netns.exec(['ping', '-c1', '-W1', address]).exitCode === 0);
}

/** What a pod has learned is good for half a minute; then it asks again. */
function forget(): void {
  for (const { netns } of [a, b]) netns.run(['ip', 'neigh', 'flush', 'dev', 'eth0']);
}

test('pods that are there already are policed when policy is switched on, and as before when it is off again', async () => {
  await agent.turn();
  expect(node.run(['bridge', '-d', 'link'])).not.toContain('isolated on');
  expect([ping(a, b), forwarded()]).toEqual([true, 0]);
  agent.policed = true;
  expect((await agent.turn()).failures).toEqual([]);
  forget();
  expect([ping(a, b), forwarded()]).toEqual([true, 4]);
  expect((await agent.turn()).performed).toEqual([]);
  agent.policed = false;
  await agent.turn();
  forget();
  expect(ping(a, b)).toBe(true);
  expect(node.run(['bridge', '-d', 'link'])).not.toContain('isolated on');
});

test('what the bridge answered for a pod goes with the pod, and nobody else’s', async () => {
  agent.policed = true;
  await agent.turn();
  node.run(['ip', 'neigh', 'add', 'proxy', 'fd00::77', 'dev', 'cni0']);
  node.run(['ip', 'link', 'del', a.attachment.hostInterface]);
  await agent.turn();
  const proxies = node.run(['ip', 'neigh', 'show', 'proxy']).trim().split('\n');
  expect(proxies.map((line) => line.split(' ')[0]).sort()).toEqual(['fd00:10:244:1::6', 'fd00::77']);
});

test('an uninstall takes away what the bridge answered for, on a bridge that stays', async () => {
  agent.policed = true;
  await agent.turn();
  node.run(['ip', 'neigh', 'add', 'proxy', 'fd00::77', 'dev', 'cni0']);
  const removals = await removeNetwork(agent.kernel, await planRemoval(agent.kernel, { pods: true }));
  expect(removals.filter(({ problem }) => problem !== undefined)).toEqual([]);
  expect(node.run(['ip', 'neigh', 'show', 'proxy']).trim()).toBe('fd00::77 dev cni0 proxy');
});

const PORT = 'cnl00000000005';
const SYSCTL = 'net.ipv4.conf.cni0';

test.each([
  [
    'bridge link',
    ['bridge', 'link', 'set', 'dev', PORT, 'isolated', 'off'],
    ['bridge', '-d', 'link', 'show', 'dev', PORT],
    'isolated on',
  ],
  [
    'ip link',
    ['ip', 'link', 'set', PORT, 'type', 'bridge_slave', 'isolated', 'off'],
    ['bridge', '-d', 'link', 'show', 'dev', PORT],
    'isolated on',
  ],
  [
    'a port that left and came back',
    ['sh', '-c', `ip link set ${PORT} nomaster && ip link set ${PORT} master cni0`],
    ['bridge', '-d', 'link', 'show', 'dev', PORT],
    'isolated on',
  ],
  ['route', ['ip', 'route', 'del', '10.244.1.5'], ['ip', 'route', 'show', '10.244.1.5'], 'src 10.244.1.1'],
  [
    'IPv6 route',
    ['ip', '-6', 'route', 'del', 'fd00:10:244:1::5'],
    ['ip', '-6', 'route', 'show', 'fd00:10:244:1::5'],
    'proto 204',
  ],
  ['neighbour', ['ip', 'neigh', 'del', '10.244.1.5', 'dev', PORT], ['ip', 'neigh', 'show', '10.244.1.5'], 'PERMANENT'],
  ['proxy ARP', ['sysctl', '-qw', `${SYSCTL}.proxy_arp=0`], ['sysctl', `${SYSCTL}.proxy_arp`], '= 1'],
  ['reverse path filter', ['sysctl', '-qw', `${SYSCTL}.rp_filter=1`], ['sysctl', `${SYSCTL}.rp_filter`], '= 2'],
  ['proxy NDP', ['sysctl', '-qw', 'net.ipv6.conf.cni0.proxy_ndp=0'], ['sysctl', 'net.ipv6.conf.cni0.proxy_ndp'], '= 1'],
])('what others take away of it is back within a second: %s', async (what, command, probe, words) => {
  agent.policed = true;
  const loop = await agent.start();
  await waitFor('the first turn', () => loop.health().inSync);
  const isWhole = (): boolean => node.exec(probe).stdout.includes(words);
  await waitFor(`${what} before`, isWhole);
  await setTimeout(200);
  node.run(command);
  const beganMs = performance.now();
  await waitFor(`${what} repaired`, isWhole);
  const tookMs = performance.now() - beganMs;
  process.stderr.write(`${Math.round(tookMs)} ms  ${what}\n`);
  expect(tookMs).toBeLessThan(LIMIT_MS);
  expect(ping(b, a)).toBe(true);
  await agent.stop();
});

test('what the kernel tells nobody of is put back by the next look', async () => {
  agent.policed = true;
  await agent.turn();
  const whole = (): string[] =>
    [
      ['ip', 'neigh', 'show', 'proxy'],
      ['sysctl', `${SYSCTL}.send_redirects`, `${SYSCTL}.proxy_arp_pvlan`],
      ['sysctl', 'net.ipv4.neigh.cni0.proxy_delay', 'net.ipv6.neigh.cni0.proxy_delay'],
    ].map((argv) => node.run(argv).trim());
  const before = whole();
  node.run(['ip', 'neigh', 'del', 'proxy', a.ip6, 'dev', 'cni0']);
  node.run(['sysctl', '-qw', `${SYSCTL}.send_redirects=1`, `${SYSCTL}.proxy_arp_pvlan=0`]);
  for (const family of [4, 6]) node.run(['sysctl', '-qw', `net.ipv${family}.neigh.cni0.proxy_delay=80`]);
  expect(whole()).not.toEqual(before);
  await agent.turn();
  expect(whole().map((text) => text.split('\n').sort())).toEqual(before.map((text) => text.split('\n').sort()));
});
