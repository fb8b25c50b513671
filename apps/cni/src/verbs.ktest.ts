/** Each verb as libcni drives it, in both modes and all families; the verdict is iproute2's and ping's. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { type JsonObject, LATEST_SPEC_VERSION, SPEC_VERSIONS, type SpecVersion } from '@canal/cni-spec';
import { mount, unmount } from '@canal/linux-ffi';
import { CniPluginError } from '@canal/node-state/runtime';
import { waitFor } from '@canal/testing';
import { describe, expect, test } from 'vitest';
import { CniNode, type CniNodeOptions, globalAddresses, IPV4, IPV6, ipJson, type Pod } from './testing/cni-node.ts';

const FAMILIES = { IPv4: IPV4, IPv6: IPV6, dual: [...IPV4, ...IPV6] };

function addressesOf(result: JsonObject): string[] {
  const ips = result['ips'] as { address: string }[];
  return ips.map(({ address }) => address);
}

const bare = (address: string): string => address.replace(/\/.*/, '');

/** One packet there and back, or an error. */
function ping(from: { run(...argv: string[]): string }, to: string): void {
  from.run('ping', '-c', '1', '-W', '2', bare(to));
}

describe.each([
  ['routed', 'IPv4', ['10.244.1.2/32']],
  ['routed', 'IPv6', ['fd00:10:244:1::2/128']],
  ['routed', 'dual', ['10.244.1.2/32', 'fd00:10:244:1::2/128']],
  ['bridge', 'IPv4', ['10.244.1.2/24']],
  ['bridge', 'IPv6', ['fd00:10:244:1::2/64']],
  ['bridge', 'dual', ['10.244.1.2/24', 'fd00:10:244:1::2/64']],
] as const)('%s mode, %s', (mode, family, expected) => {
  const subnet = FAMILIES[family];

  test('ADD, traffic between pods and with the node, CHECK, DEL, nothing left', async () => {
    using node = new CniNode({ mode, subnet });
    const list = node.list();
    const [a, b] = [node.pod('a'), node.pod('b')];
    const results = [await node.runtime.add(list, a), await node.runtime.add(list, b)];
    expect(addressesOf(results[0] ?? {})).toEqual(expected);
    expect(globalAddresses(a)).toEqual(expected);
    for (const address of globalAddresses(b)) {
      ping(a, address);
      ping(node, address);
    }
    for (const address of node.ip('address', 'show', 'dev', 'uplink')[0]?.addr_info ?? []) {
      const isSpoken =
        address.scope === 'global' && expected.some((own) => own.includes(':') === address.local.includes(':'));
      if (isSpoken) ping(b, address.local);
    }
    await node.runtime.check(list, a);
    await node.runtime.del(list, a);
    ping(node, globalAddresses(b)[0] ?? '');
    await node.runtime.del(list, b);
    expect(node.traces()).toEqual([]);
    expect(ipJson(a.run('ip', '-j', 'link')).map(({ ifname }) => ifname)).toEqual(['lo']);
  });

  test('no address is tentative, both ends have the MTU, the host’s end has no address', async () => {
    using node = new CniNode({ mode, subnet });
    const pod = node.pod('a');
    await node.runtime.add(node.list(), pod);
    const [eth0] = ipJson(pod.run('ip', '-j', '-d', 'address', 'show', 'dev', 'eth0'));
    expect(eth0?.addr_info?.filter(({ scope, tentative }) => scope === 'global' && tentative === true)).toEqual([]);
    const host = node.ip('-d', 'address').find(({ ifname = '' }) => ifname.startsWith('cnl'));
    expect([eth0?.mtu, host?.mtu]).toEqual([1450, 1450]);
    expect(host?.addr_info).toEqual([]);
    expect(host?.ifname).toMatch(/^cnl[0-9a-f]{11}$/);
    const [link] = node.ip('-d', 'link', 'show', 'dev', host?.ifname ?? '');
    expect(link?.inet6_addr_gen_mode).toBe('none');
    const acceptRa = (run: (...argv: string[]) => string, device: string): string =>
      run('sysctl', '-n', `net.ipv6.conf.${device}.accept_ra`).trim();
    expect(acceptRa(pod.run, 'eth0')).toBe('0');
    expect(acceptRa((...argv) => node.run(...argv), host?.ifname ?? '')).toBe('0');
  });
});

describe('what a mode makes', () => {
  test('routed: a next hop that nobody has, and permanent neighbours at both ends', async () => {
    using node = new CniNode({ subnet: FAMILIES.dual });
    const pod = node.pod('a');
    await node.runtime.add(node.list(), pod);
    const [host] = node.ip('link').filter(({ ifname = '' }) => ifname.startsWith('cnl'));
    const [eth0] = ipJson(pod.run('ip', '-j', 'link', 'show', 'dev', 'eth0'));
    const routes = (text: string) => ipJson(text).map(({ dst, gateway, dev }) => [dst, gateway, dev]);
    expect(routes(pod.run('ip', '-j', 'route'))).toEqual([
      ['default', '169.254.1.1', 'eth0'],
      ['169.254.1.1', undefined, 'eth0'],
    ]);
    expect(routes(pod.run('ip', '-j', '-6', 'route'))).toContainEqual(['default', 'fe80::1', 'eth0']);
    const neighbours = (text: string) => ipJson(text).map(({ dst, lladdr, state }) => [dst, lladdr, state?.[0]]);
    expect(neighbours(pod.run('ip', '-j', 'neigh')).sort()).toEqual([
      ['169.254.1.1', host?.address, 'PERMANENT'],
      ['fe80::1', host?.address, 'PERMANENT'],
    ]);
    expect(neighbours(node.run('ip', '-j', 'neigh', 'show', 'dev', host?.ifname ?? '')).sort()).toEqual([
      ['10.244.1.2', eth0?.address, 'PERMANENT'],
      ['fd00:10:244:1::2', eth0?.address, 'PERMANENT'],
    ]);
    expect(node.ip('route', 'show', 'protocol', '204')).toMatchObject([{ dst: '10.244.1.2', scope: 'link' }]);
    expect(node.run('sysctl', '-n', `net.ipv4.conf.${host?.ifname ?? ''}.forwarding`).trim()).toBe('1');
  });

  test('routed without IPv6: the host’s end takes no IPv6 from the pod', async () => {
    using node = new CniNode();
    await node.runtime.add(node.list(), node.pod('a'));
    const [host] = node.ip('link').filter(({ ifname = '' }) => ifname.startsWith('cnl'));
    expect(node.run('sysctl', '-n', `net.ipv6.conf.${host?.ifname ?? ''}.disable_ipv6`).trim()).toBe('1');
  });

  test('bridge: cni0 with the gateway’s address and a MAC of its own, hairpin ports', async () => {
    using node = new CniNode({ mode: 'bridge', subnet: FAMILIES.dual });
    await node.runtime.add(node.list(), node.pod('a'));
    const mac = node.ip('link', 'show', 'dev', 'cni0')[0]?.address;
    const second = node.pod('b');
    await node.runtime.add(node.list(), second);
    const [cni0] = node.ip('-d', 'address', 'show', 'dev', 'cni0');
    const global = cni0?.addr_info?.filter(({ scope }) => scope === 'global') ?? [];
    expect(global.map(({ local, prefixlen }) => `${local}/${prefixlen}`)).toEqual([
      '10.244.1.1/24',
      'fd00:10:244:1::1/64',
    ]);
    expect(cni0).toMatchObject({ address: mac, linkinfo: { info_kind: 'bridge' } });
    const ports = node.ip('-d', 'link', 'show', 'master', 'cni0');
    expect(ports.map(({ linkinfo }) => linkinfo?.info_slave_data?.hairpin)).toEqual([true, true]);
    expect(ipJson(second.run('ip', '-j', 'route')).map(({ dst }) => dst)).toEqual([
      'default',
      '10.244.0.0/16',
      '10.244.1.0/24',
    ]);
    await node.runtime.del(node.list(), second);
    expect(node.ip('link', 'show', 'dev', 'cni0')[0]?.address).toBe(mac);
  });

  test('bridge: a released address that comes back finds its neighbours informed', async () => {
    using node = new CniNode({ mode: 'bridge', subnet: FAMILIES.dual });
    const [first, client, second] = [node.pod('first'), node.pod('client'), node.pod('second')];
    await node.runtime.add(node.list(), client);
    const addresses = ['10.244.1.6', 'fd00:10:244:1::6'];
    const ips: JsonObject = { ips: addresses };
    await node.runtime.add(node.list(), { ...first, capabilityArgs: ips });
    for (const address of addresses) for (const from of [node, client]) ping(from, address);
    await node.runtime.del(node.list(), first);
    await node.runtime.add(node.list(), { ...second, capabilityArgs: ips });
    for (const address of addresses) for (const from of [node, client]) ping(from, address);
  });

  test('names and MACs are the same for the same container, interface and network', async () => {
    const seen: unknown[] = [];
    for (let round = 0; round < 2; round++) {
      using node = new CniNode();
      seen.push((await node.runtime.add(node.list(), node.pod('same')))['interfaces']);
    }
    const names = (interfaces: unknown) =>
      (interfaces as { name: string; mac: string }[]).map(({ name, mac }) => [name, mac]);
    expect(names(seen[0])).toEqual(names(seen[1]));
  });
});

describe('versions of the specification', () => {
  const since: Record<'CHECK' | 'GC' | 'STATUS', SpecVersion> = { CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' };

  test.each(SPEC_VERSIONS)('%s: ADD, CHECK, DEL, GC and STATUS', async (version) => {
    using node = new CniNode({ subnet: FAMILIES.dual });
    const list = node.list(version);
    expect(list.cniVersion).toBe(version);
    const pod = node.pod('a');
    const result = await node.runtime.add(list, pod);
    const [v4] = result['ips'] as { version?: string; interface: number; gateway: string }[];
    const [host, eth0] = result['interfaces'] as { mtu?: number; sandbox?: string }[];
    expect(result).toMatchObject({ cniVersion: version, dns: {} });
    expect(v4).toMatchObject({ interface: 1, gateway: '169.254.1.1' });
    expect(v4?.version).toBe(version < '1.0.0' ? '4' : undefined);
    expect(host?.mtu).toBe(version === '1.1.0' ? 1450 : undefined);
    expect([host?.sandbox, eth0?.sandbox]).toEqual([undefined, pod.netns]);
    expect(result['routes']).toEqual([
      { dst: '0.0.0.0/0', gw: '169.254.1.1' },
      { dst: '::/0', gw: 'fe80::1' },
    ]);
    if (version >= since.CHECK) await node.runtime.check(list, pod);
    else await expect(node.runtime.check(list, pod)).rejects.toThrow('does not support the CHECK command');
    await node.runtime.status(list);
    await node.runtime.del(list, pod);
    await node.runtime.gc(list, []);
    expect(node.traces()).toEqual([]);
  });

  test('VERSION answers without a configuration and lists what is supported', async () => {
    using node = new CniNode();
    expect(await node.runtime.version(node.list().plugins[0]?.type ?? never())).toEqual({
      cniVersion: LATEST_SPEC_VERSION,
      supportedVersions: [...SPEC_VERSIONS],
    });
  });
});

describe('ADD refuses', () => {
  test('a second time for the same container and interface, and the first one goes on working', async () => {
    using node = new CniNode();
    const [a, b] = [node.pod('a'), node.pod('b')];
    await node.runtime.add(node.list(), a);
    await node.runtime.add(node.list(), b);
    const before = node.traces();
    await expectCode(node.runtime.add(node.list(), a), 4, 'CNI_IFNAME: interface "eth0" exists already');
    expect(node.traces()).toEqual(before);
    ping(b, globalAddresses(a)[0] ?? '');
    await node.runtime.check(node.list(), a);
  });

  test('an interface that another plugin made, and leaves it alone', async () => {
    using node = new CniNode();
    const pod = node.pod('a');
    pod.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
    await expectCode(node.runtime.add(node.list(), pod), 4, 'CNI_IFNAME');
    expect(node.traces()).toEqual([]);
    expect(ipJson(pod.run('ip', '-j', 'link')).map(({ ifname }) => ifname)).toContain('eth0');
  });

  test.each([
    ['its own namespace', (node: CniNode) => node.netns, "is the plugin's own namespace"],
    ['a file that is no namespace', (node: CniNode) => `${node.folder}/subnet.env`, 'is not a network namespace'],
    ['a path that is not there', () => '/run/netns/none-such', 'is not a network namespace'],
    ['a directory', () => '/run', 'is not a network namespace'],
  ])('%s, code 8', async (_what, netnsOf, message) => {
    using node = new CniNode();
    await expectCode(node.runtime.add(node.list(), { ...node.pod('a'), netns: netnsOf(node) }), 8, message);
    expect(node.traces()).toEqual([]);
  });

  test('a full subnet, code 11, with nothing left of the try', async () => {
    const subnet = ['FLANNEL_NETWORK=10.244.0.0/16', 'FLANNEL_SUBNET=10.244.1.1/30'];
    using node = new CniNode({ subnet });
    await node.runtime.add(node.list(), node.pod('a'));
    const before = node.traces();
    await expectCode(node.runtime.add(node.list(), node.pod('b')), 11, 'no free address in 10.244.1.1-10.244.1.2');
    expect(node.traces()).toEqual(before);
  });

  test('a full disk, code 5, with nothing left of the try', async () => {
    using node = new CniNode();
    mkdirSync(`${node.folder}/networks`);
    mount('tmpfs', `${node.folder}/networks`, 'tmpfs', 0, 'size=16k');
    try {
      await node.runtime.add(node.list(), node.pod('a'));
      const before = node.traces();
      expect(() => writeFileSync(`${node.folder}/networks/filler`, new Uint8Array(65_536))).toThrow('ENOSPC');
      await expectCode(node.runtime.add(node.list(), node.pod('b')), 5, 'ENOSPC');
      expect(node.traces()).toEqual(before);
      await node.runtime.gc(node.list(), []);
      expect(node.traces()).toEqual([]);
    } finally {
      unmount(`${node.folder}/networks`);
    }
  });

  test('a full subnet takes back what a vanished sandbox held', async () => {
    const subnet = ['FLANNEL_NETWORK=10.244.0.0/16', 'FLANNEL_SUBNET=10.244.1.1/30'];
    using node = new CniNode({ subnet });
    const gone = node.pod('gone');
    await node.runtime.add(node.list(), gone);
    const isLinkGone = (): boolean => !node.traces().some((trace) => trace.startsWith('link'));
    gone.remove();
    // The kernel takes a namespace down in the background.
    await waitFor('the link to go', isLinkGone, 20_000);
    const pod = node.pod('b');
    await node.runtime.add(node.list(), pod);
    expect(globalAddresses(pod)).toEqual(['10.244.1.2/32']);
    expect(node.files()).toEqual(['address 10.244.1.2', 'record b:eth0.json']);
  });
});

describe('requests of the runtime', () => {
  const added = async (node: CniNode, call: Partial<Pod>): Promise<Pod> => {
    const pod = node.pod('a');
    await node.runtime.add(node.list(), { ...pod, ...call });
    return pod;
  };
  test.each<[string, Partial<Pod>]>([
    ['the ips capability', { capabilityArgs: { ips: ['10.244.1.77/24'] } }],
    ['CNI_ARGS IP', { args: [['IP', '10.244.1.77']] }],
  ])('an address by %s', async (_what, call) => {
    using node = new CniNode();
    expect(globalAddresses(await added(node, call))).toEqual(['10.244.1.77/32']);
  });
  test.each<[string, Partial<Pod>]>([
    ['the mac capability', { capabilityArgs: { mac: '02:11:22:33:44:55' } }],
    ['CNI_ARGS MAC', { args: [['MAC', '02:11:22:33:44:55']] }],
  ])('a MAC by %s', async (_what, call) => {
    using node = new CniNode();
    const pod = await added(node, call);
    expect(ipJson(pod.run('ip', '-j', 'link', 'show', 'dev', 'eth0'))[0]?.address).toBe('02:11:22:33:44:55');
    await node.runtime.check(node.list(), pod);
    ping(node, globalAddresses(pod)[0] ?? '');
  });
  test.each<[string, Partial<Pod>, number, string]>([
    ['an address of another node', { capabilityArgs: { ips: ['10.244.2.7'] } }, 7, '10.244.2.7 is not an address'],
    ['the gateway', { capabilityArgs: { ips: ['10.244.1.1'] } }, 7, '10.244.1.1 is not an address'],
    ['no address', { args: [['IP', 'x']] }, 4, 'CNI_ARGS: IP="x"'],
    ['a group MAC', { capabilityArgs: { mac: '01:00:5e:00:00:01' } }, 7, 'not of a group'],
  ])('%s is refused', async (_what, call, code, message) => {
    using node = new CniNode();
    await expectCode(added(node, call), code, message);
    expect(node.traces()).toEqual([]);
  });
});

describe('DEL succeeds', () => {
  async function addedNode(options?: CniNodeOptions) {
    const node = new CniNode(options);
    const pod = node.pod('a');
    await node.runtime.add(node.list(), pod);
    return { node, pod };
  }

  test.each<[string, (node: CniNode, pod: Pod) => void]>([
    ['the namespace is gone', (_node, pod) => pod.remove()],
    ['the link is gone', (_node, pod) => pod.run('ip', 'link', 'delete', 'eth0')],
    ['the subnet file is gone', (node) => rmSync(`${node.folder}/subnet.env`)],
    ['the reservations are gone', (node) => rmSync(`${node.folder}/networks`, { recursive: true })],
    ['the record is gone', (node) => rmSync(`${node.folder}/state`, { recursive: true })],
    ['the runtime’s cache is gone', (node) => rmSync(`${node.folder}/cni`, { recursive: true })],
    [
      'everything is gone',
      (node, pod) => {
        pod.remove();
        for (const name of ['networks', 'state', 'cni', 'subnet.env'])
          rmSync(`${node.folder}/${name}`, { recursive: true });
      },
    ],
  ])('when %s, and twice', async (_what, remove) => {
    const { node: made, pod } = await addedNode();
    using node = made;
    remove(node, pod);
    await node.runtime.del(node.list(), pod);
    expect(node.traces()).toEqual([]);
    await node.runtime.del(node.list(), { ...pod, netns: '' });
    await node.runtime.del(node.list(), pod);
    expect(node.traces()).toEqual([]);
  });

  test('for a container that never was, without making a directory', async () => {
    using node = new CniNode();
    await node.runtime.del(node.list(), node.pod('ghost'));
    expect(existsSync(`${node.folder}/networks`)).toBe(false);
    expect(existsSync(`${node.folder}/state`)).toBe(false);
  });

  test('and frees one interface of a container alone', async () => {
    using node = new CniNode();
    const pod = node.pod('a');
    const second = { ...pod, containerInterface: node.pod('x', { ifname: 'net1' }).containerInterface };
    await node.runtime.add(node.list(), pod);
    await node.runtime.add(node.list(), second);
    await node.runtime.del(node.list(), pod);
    expect(node.files()).toEqual(['address 10.244.1.3', 'record a:net1.json']);
    expect(ipJson(pod.run('ip', '-j', 'link')).map(({ ifname }) => ifname)).toEqual(['lo', 'net1']);
  });
});

describe('CHECK finds', () => {
  test.each<['routed' | 'bridge', string, (node: CniNode, pod: Pod, host: string) => void, RegExp]>([
    [
      'routed',
      'a missing address',
      (_n, pod) => pod.run('ip', 'address', 'flush', 'dev', 'eth0'),
      /eth0 lacks 10.244.1.2\/32/,
    ],
    ['routed', 'a pod’s end that is down', (_n, pod) => pod.run('ip', 'link', 'set', 'eth0', 'down'), /eth0 is down/],
    ['routed', 'a host’s end that is down', (n, _p, host) => n.run('ip', 'link', 'set', host, 'down'), /is down/],
    ['routed', 'a missing link', (n, _p, host) => n.run('ip', 'link', 'delete', host), /no interface eth0 in the pod/],
    [
      'routed',
      'a missing default route',
      (_n, pod) => pod.run('ip', 'route', 'delete', 'default'),
      /no route to 0.0.0.0\/0/,
    ],
    [
      'routed',
      'a missing host route',
      (n) => n.run('ip', 'route', 'delete', '10.244.1.2'),
      /no route to 10.244.1.2 by/,
    ],
    [
      'routed',
      'a missing neighbour of the pod',
      (_n, pod) => pod.run('ip', 'neigh', 'flush', 'nud', 'permanent'),
      /169.254.1.1 has no permanent neighbour/,
    ],
    [
      'routed',
      'a missing neighbour of the host',
      (n) => n.run('ip', 'neigh', 'flush', 'nud', 'permanent'),
      /10.244.1.2 has no permanent neighbour/,
    ],
    [
      'routed',
      'a changed MAC',
      (_n, pod) => pod.run('ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:07'),
      /the result says/,
    ],
    [
      'routed',
      'a changed MTU',
      (_n, pod) => pod.run('ip', 'link', 'set', 'eth0', 'mtu', '1400'),
      /MTU 1400, the result says 1450/,
    ],
    [
      'routed',
      'forwarding that is off',
      (n, _p, host) => n.run('sysctl', '-qw', `net.ipv4.conf.${host}.forwarding=0`),
      /does not forward/,
    ],
    [
      'routed',
      'a missing reservation',
      (n) => rmSync(`${n.folder}/networks/canal/10.244.1.2`),
      /10.244.1.2 is not reserved/,
    ],
    ['routed', 'a missing record', (n) => rmSync(`${n.folder}/state`, { recursive: true }), /no record/],
    [
      'bridge',
      'a port that left the bridge',
      (n, _p, host) => n.run('ip', 'link', 'set', host, 'nomaster'),
      /is no port of a bridge/,
    ],
    ['bridge', 'a bridge that is down', (n) => n.run('ip', 'link', 'set', 'cni0', 'down'), /cni0 is down/],
    [
      'bridge',
      'a bridge without the gateway',
      (n) => n.run('ip', 'address', 'flush', 'dev', 'cni0'),
      /cni0 lacks the gateway 10.244.1.1/,
    ],
  ])('in %s mode %s', async (mode, _what, tamper, expected) => {
    using node = new CniNode({ mode });
    const pod = node.pod('a');
    await node.runtime.add(node.list(), pod);
    await node.runtime.check(node.list(), pod);
    const [host] = node.ip('link').filter(({ ifname = '' }) => ifname.startsWith('cnl'));
    tamper(node, pod, host?.ifname ?? never());
    const error = await expectCode(node.runtime.check(node.list(), pod), 100, 'not as ADD left it');
    expect(error.details).toMatch(expected);
  });

  test('no fault in what a later plugin or a person added', async () => {
    using node = new CniNode();
    const pod = node.pod('a');
    await node.runtime.add(node.list(), pod);
    pod.run('ip', 'address', 'add', '192.0.2.7/32', 'dev', 'eth0');
    pod.run('ip', 'route', 'add', '198.51.100.0/24', 'via', '169.254.1.1');
    await node.runtime.check(node.list(), pod);
  });
});

describe('GC', () => {
  test('removes what is not listed, however little of it is left, and nothing else', async () => {
    using node = new CniNode({ subnet: FAMILIES.dual });
    const pods = ['live', 'whole', 'no-files', 'no-record', 'no-link'].map((id) => node.pod(id));
    for (const pod of pods) await node.runtime.add(node.list(), pod);
    for (const ip of ['10.244.1.4', 'fd00:10:244:1::4']) rmSync(`${node.folder}/networks/canal/${ip}`);
    for (const pod of pods.slice(3)) pod.run('ip', 'link', 'delete', 'eth0');
    rmSync(`${node.folder}/state/attachments/canal/no-record:eth0.json`);
    const [live] = pods;
    await node.call('GC', gcConfig(node, [{ containerID: 'live', ifname: 'eth0' }]));
    expect(node.files()).toEqual(['address 10.244.1.2', 'address fd00:10:244:1::2', 'record live:eth0.json']);
    expect(node.traces().filter((trace) => trace.startsWith('link'))).toHaveLength(1);
    ping(node, globalAddresses(live ?? never())[0] ?? '');
  });

  test('as libcni drives it: DEL for what it cached, then GC', async () => {
    using node = new CniNode();
    const [live, gone] = [node.pod('live'), node.pod('gone')];
    for (const pod of [live, gone]) await node.runtime.add(node.list(), pod);
    await node.runtime.gc(node.list(), [live]);
    expect(node.files()).toEqual(['address 10.244.1.2', 'record live:eth0.json']);
    await node.runtime.gc(node.list(), []);
    expect(node.traces()).toEqual([]);
  });

  test('without a list removes only what is provably gone', async () => {
    using node = new CniNode();
    const [live, gone] = [node.pod('live'), node.pod('gone')];
    for (const pod of [live, gone]) await node.runtime.add(node.list(), pod);
    gone.run('ip', 'link', 'delete', 'eth0');
    gone.remove();
    await node.call('GC', gcConfig(node, null));
    expect(node.files()).toEqual(['address 10.244.1.2', 'record live:eth0.json']);
    ping(node, globalAddresses(live)[0] ?? '');
  });

  test('with an entry that cannot be read removes nothing', async () => {
    using node = new CniNode();
    await node.runtime.add(node.list(), node.pod('a'));
    const before = node.traces();
    await expectCode(node.call('GC', gcConfig(node, [{ containerID: '../a' }])), 7, 'containerID');
    expect(node.traces()).toEqual(before);
  });
});

describe('STATUS', () => {
  test.each<[string, (node: CniNode) => void, string]>([
    ['no subnet file', (node) => rmSync(`${node.folder}/subnet.env`), 'has not given this node a subnet yet'],
    ['a file without a subnet', (node) => node.writeSubnet([]), 'no usable subnet'],
    [
      'a subnet without room',
      (node) => node.writeSubnet(['FLANNEL_NETWORK=10.0.0.0/8', 'FLANNEL_SUBNET=10.0.0.1/31']),
      'cannot be used',
    ],
    [
      'a file of an earlier boot',
      (node) => node.writeSubnet([...IPV4, 'CANAL_BOOT_ID=00000000-0000-4000-8000-000000000000']),
      'has not confirmed',
    ],
  ])('is 50 with %s, and ADD then is 11 and leaves nothing', async (_what, change, message) => {
    using node = new CniNode();
    await node.runtime.status(node.list());
    change(node);
    await expectCode(node.runtime.status(node.list()), 50, message);
    await expectCode(node.runtime.add(node.list(), node.pod('a')), 11, message);
    expect(node.traces()).toEqual([]);
  });
});

/** The configuration of a GC with any list, or none. */
function gcConfig(node: CniNode, valid: unknown): object {
  return { ...node.plugin(), cniVersion: '1.1.0', name: 'canal', 'cni.dev/valid-attachments': valid };
}

async function expectCode(call: Promise<unknown>, code: number, message: string): Promise<CniPluginError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof CniPluginError)) throw new Error(`expected code ${code}, got ${String(error)}`);
  expect(error.pluginCode, error.message).toBe(code);
  expect(`${error.message} ${error.details ?? ''}`).toContain(message);
  return error;
}

function never(): never {
  throw new Error('absent');
}
