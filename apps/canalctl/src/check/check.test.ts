/** How what was found on a node is judged. */
import type { DefaultRoute, ForwardDrop, InterfaceFacts } from '@canal/kernel-port';
import { parseCidr, parseInterfaceAddress, parseInterfaceName, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { type DirectoryFacts, judgeDirectory } from './directories.ts';
import { kernelAge } from './kernel-age.ts';
import type { Observation } from './observation.ts';
import { judgeConfFiles, judgeDevices, judgeTables } from './other-networks.ts';
import { judgeForwardDrops, judgePodNetwork } from './pod-network.ts';
import { type BoundSocket, judgePorts, parseSockets } from './ports.ts';
import { renderCheck } from './render-check.ts';
import { judgeSysctls } from './sysctls.ts';
import { judgeUplink, type UplinkFacts } from './uplink.ts';

function troubles(observations: readonly Observation[]): readonly string[] {
  return observations.filter(({ verdict }) => verdict !== 'ok').map(({ id, verdict }) => `${id}: ${verdict}`);
}

test.each([
  ['6.12.0-generic', 'ok'],
  ['5.5.0', 'ok'],
  ['5.4.0-200', 'warn'],
  ['5.3.1', 'warn'],
  ['5.2.99', 'fail'],
  ['4.18.0-553.el8', 'fail'],
  ['strange', 'fail'],
])('kernel %s: %s', (release, verdict) => {
  expect(kernelAge(release)).toMatchObject({ verdict, found: `Linux ${release}` });
});

describe('ports', () => {
  const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:2389 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
`;
  const UDP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  70: 00000000000000000000000000000000:2118 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 0 2 0 0
`;
  const udp: BoundSocket = { protocol: 'udp', port: 8472, inode: 7 };
  const device = (name: string, id: number) => ({ name, id, port: 8472 });

  test('are read from what listens', () => {
    expect(parseSockets(TCP, 'tcp')).toEqual([{ protocol: 'tcp', port: 9096, inode: 4711 }]);
    expect(parseSockets(UDP6, 'udp')).toEqual([{ protocol: 'udp', port: 8472, inode: 0 }]);
    expect(parseSockets('', 'udp')).toEqual([]);
  });

  test.each<
    [string, readonly BoundSocket[], [number, string][], { name: string; id: number; port: number }[], string[]]
  >([
    ['free', [], [], [], []],
    ["canal's own", [{ protocol: 'tcp', port: 9097, inode: 1 }], [[1, 'canal (pid 4)']], [], []],
    [
      "another's",
      [{ protocol: 'tcp', port: 9097, inode: 1 }],
      [[1, 'node_exporter (pid 4)']],
      [],
      ['port-9097-tcp: fail'],
    ],
    ['one that nobody is seen to have', [{ protocol: 'tcp', port: 9096, inode: 1 }], [], [], ['port-9096-tcp: warn']],
    ['another program on that of vxlan', [udp], [[7, 'x (pid 1)']], [], ['port-8472-udp: fail']],
    ["flannel's device", [{ ...udp, inode: 0 }], [], [device('flannel.1', 1), device('flannel-v6.1', 1)], []],
    [
      "another network's, of another VNI",
      [{ ...udp, inode: 0 }],
      [],
      [device('cilium_vxlan', 2)],
      ['port-8472-udp: warn'],
    ],
    ["another network's, of ours", [{ ...udp, inode: 0 }], [], [device('x', 1)], ['port-8472-udp: fail']],
    ['a device on another port', [], [], [{ name: 'vxlan.calico', id: 4096, port: 4789 }], []],
  ])('%s', (_name, sockets, owners, vxlans, expected) => {
    expect(troubles(judgePorts(sockets, new Map(owners), vxlans))).toEqual(expected);
  });
});

describe('the interface', () => {
  const link = (name: string, mtuBytes: number, more: Partial<InterfaceFacts> = {}): InterfaceFacts => ({
    name: unwrap(parseInterfaceName(name)),
    up: true,
    carrier: true,
    loopback: false,
    pointToPoint: false,
    mtuBytes,
    addresses: [address('192.168.0.1/24')],
    onLinkNetworks: [unwrap(parseCidr('192.168.0.0/24'))],
    ...more,
  });
  const address = (text: string): InterfaceFacts['addresses'][number] => ({
    address: unwrap(parseInterfaceAddress(text)),
    linkScope: false,
    permanent: true,
    temporary: false,
    deprecated: false,
    tentative: false,
  });
  const route = (name: string, family: 4 | 6): DefaultRoute => ({
    family,
    link: unwrap(parseInterfaceName(name)),
    metric: 0,
  });
  const facts = (links: InterfaceFacts[], routes: DefaultRoute[], vrfs: [string, string][] = []): UplinkFacts => ({
    interfaces: links,
    defaultRoutes: routes,
    vrfs: new Map(vrfs),
  });
  const vxlan = { iface: undefined, backend: 'vxlan' } as const;

  test.each<[string, UplinkFacts, Parameters<typeof judgeUplink>[1], string, string[]]>([
    [
      'that of the default route',
      facts([link('eth0', 1500)], [route('eth0', 4)]),
      vxlan,
      '1500 of eth0, pods get 1450',
      [],
    ],
    ['over IPv6', facts([link('eth0', 1500)], [route('eth0', 6)]), vxlan, '1500 of eth0, pods get 1430', []],
    [
      'both: IPv4',
      facts([link('a', 1500), link('b', 9000)], [route('a', 6), route('b', 4)]),
      vxlan,
      '9000 of b, pods get 8950',
      [],
    ],
    [
      'by name',
      facts([link('a', 1500), link('b', 9000)], [route('a', 4)]),
      { iface: 'b', backend: 'host-gw' },
      '9000 of b, pods get 9000',
      [],
    ],
    [
      'by name, with IPv6 alone',
      facts([link('b', 1500, { addresses: [address('fd00::1/64')] })], []),
      { iface: 'b', backend: 'vxlan' },
      '1500 of b, pods get 1430',
      [],
    ],
    ['too small for IPv6', facts([link('a', 1300)], [route('a', 4)]), vxlan, '1300 of a, pods get 1250', ['mtu: warn']],
    ['too small', facts([link('a', 600)], [route('a', 4)]), vxlan, '600 of a, pods get 550', ['mtu: fail']],
    [
      'in a VRF',
      facts([link('a', 1500)], [route('a', 4)], [['a', 'red']]),
      vxlan,
      '1500 of a, pods get 1450',
      ['interface: fail'],
    ],
  ])('%s', (_name, given, options, mtu, expected) => {
    const found = judgeUplink(given, options);
    expect(found.find(({ id }) => id === 'mtu')?.found).toBe(mtu);
    expect(troubles(found)).toEqual(expected);
  });

  test('none, and what there is', () => {
    const [found] = judgeUplink(facts([link('a', 1500), link('lo', 65536, { loopback: true })], []), vxlan);
    expect(found).toMatchObject({ verdict: 'fail', next: expect.stringMatching(/there are a$/) as string });
  });

  test.each([
    ['10.244.0.0/16', []],
    ['192.168.0.0/16', ['pod-network: fail']],
    ['192.168.0.128/25', ['pod-network: fail']],
  ])('pod network %s', (text, expected) => {
    const network = unwrap(parseCidr(text));
    expect(troubles([judgePodNetwork(network, [link('eth0', 1500)])])).toEqual(expected);
    const own = ['cni0', 'flannel.1', 'cnl0123456789a'].map((name) => link(name, 1500));
    expect(troubles([judgePodNetwork(network, own)])).toEqual([]);
  });
});

test.each<[string, [string, number][], string[]]>([
  ['nothing loaded', [], []],
  [
    'what agents set',
    [
      ['net/ipv4/ip_forward', 0],
      ['net/ipv4/conf/all/rp_filter', 1],
      ['net/ipv6/conf/all/forwarding', 0],
    ],
    [],
  ],
  ['IPv6 off', [['net/ipv6/conf/all/disable_ipv6', 1]], ['net.ipv6.conf.all.disable_ipv6: warn']],
  ['few flows', [['net/netfilter/nf_conntrack_max', 8192]], ['net.netfilter.nf_conntrack_max: warn']],
  [
    'nearly full',
    [
      ['net/netfilter/nf_conntrack_max', 262_144],
      ['net/netfilter/nf_conntrack_count', 250_000],
    ],
    ['net.netfilter.nf_conntrack_max: warn'],
  ],
  [
    'enough',
    [
      ['net/netfilter/nf_conntrack_max', 262_144],
      ['net/netfilter/nf_conntrack_count', 1000],
    ],
    [],
  ],
])('sysctls: %s', (_name, values, expected) => {
  expect(troubles(judgeSysctls(new Map(values)))).toEqual(expected);
});

describe('other networks', () => {
  test.each<[string, [string, string[]][], string[]]>([
    ['none', [], []],
    ['ours', [['10-canal.conflist', ['canal', 'portmap']]], []],
    ['one behind ours', [['99-loopback.conf', ['loopback']]], []],
    ['one before ours', [['05-cilium.conflist', ['cilium-cni']]], ['cni-conf: fail']],
    ['one before ours that calls canal', [['05-mesh.conflist', ['canal', 'istio-cni']]], []],
    ['one that nobody can read', [['00-x.conf', []]], ['cni-conf: fail']],
  ])('files: %s', (_name, files, expected) => {
    const given = files.map(([name, types]) => ({ name, types }));
    expect(troubles([judgeConfFiles('/etc/cni/net.d', given)])).toEqual(expected);
  });

  test.each<[string, string[]]>([
    ['eth0', []],
    ['flannel.1', []],
    ['docker0', []],
    ['tunl0', []],
    ['cali0123456789a', ['foreign-devices: warn']],
    ['vxlan.calico', ['foreign-devices: warn']],
    ['cilium_host', ['foreign-devices: warn']],
    ['lxc_health', ['foreign-devices: warn']],
    ['kube-bridge', ['foreign-devices: warn']],
    ['antrea-gw0', ['foreign-devices: warn']],
    ['weave', ['foreign-devices: warn']],
  ])('device %s', (name, expected) => {
    expect(troubles(judgeDevices([{ name, alias: undefined }]))).toEqual(expected);
  });

  test("flannel's devices are told, canal's are not", () => {
    const found = judgeDevices([
      { name: 'flannel.1', alias: undefined },
      { name: 'cni0', alias: 'canal' },
    ]);
    expect(found[1]).toMatchObject({ verdict: 'ok', found: 'flannel.1: canal takes them over' });
  });

  test.each<[string, string, string[], boolean, string[]]>([
    ['ours', 'canal-policy', ['judge'], false, []],
    ["kube-proxy's", 'nat', ['KUBE-SERVICES', 'KUBE-MARK-MASQ'], false, []],
    ["Calico's chains", 'filter', ['INPUT', 'cali-INPUT'], false, ['foreign-rules: warn']],
    ["Calico's table", 'calico', [], false, ['foreign-rules: warn']],
    ["flannel's chains", 'nat', ['FLANNEL-POSTRTG'], false, ['foreign-rules: warn']],
    ["flannel's table", 'flannel-ipv4', [], false, ['foreign-rules: warn']],
    ["Cilium's", 'mangle', ['CILIUM_PRE_mangle'], false, ['foreign-rules: warn']],
    ["kube-router's", 'filter', ['KUBE-ROUTER-FORWARD'], false, ['foreign-rules: warn']],
    ['ours, owned by another program', 'canal-network', [], true, ['own-tables: fail']],
    ['an owned table of others', 'firewalld', [], true, []],
  ])('tables: %s', (_name, name, chains, owned, expected) => {
    expect(troubles(judgeTables([{ family: 'ip', name, chains, owned }]))).toEqual(expected);
  });

  test('who drops packets of pods is named with the cure', () => {
    const drop = { family: 'ip', table: 'filter', chain: 'FORWARD', message: 'm', cure: 'c' } as ForwardDrop;
    expect(judgeForwardDrops([drop])).toMatchObject([{ verdict: 'warn', cause: 'm', next: 'c' }]);
    expect(troubles(judgeForwardDrops([]))).toEqual([]);
  });
});

test.each<[string, Partial<DirectoryFacts>, boolean, string[]]>([
  ['good', {}, true, []],
  ['not there yet', { exists: false }, true, []],
  ['read-only', { refusal: 'EROFS' }, false, ['directory-x: fail']],
  ['forbidden', { refusal: 'EACCES' }, false, ['directory-x: fail']],
  ['noexec, where nothing is started', { noexec: true }, false, []],
  ['noexec', { noexec: true }, true, ['directory-x: fail']],
  ['full', { freeBytes: 99 }, false, ['directory-x: fail']],
  ['nearly full', { freeBytes: 150 }, false, ['directory-x: warn']],
])('directory: %s', (_name, facts, runs, expected) => {
  const good: DirectoryFacts = { exists: true, refusal: undefined, noexec: false, freeBytes: 1e9 };
  const use = { path: '/x', runs, needBytes: 100, wantBytes: 200 };
  expect(troubles(judgeDirectory(use, { ...good, ...facts }))).toEqual(expected);
});

test('what is printed: a line a thing, cause and next step beneath, and the sum', () => {
  const observations: readonly Observation[] = [
    { id: 'a', what: 'kernel', found: 'Linux 6', verdict: 'ok' },
    { id: 'b', what: 'UDP port 8472', found: 'x\u001b[2J (pid 1)', verdict: 'fail', cause: 'because', next: 'do' },
  ];
  expect(renderCheck(observations)).toBe(
    [
      'ok    kernel         Linux 6',
      'fail  UDP port 8472  x\\u{1b}[2J (pid 1)',
      '      cause: because',
      '      next:  do',
      '',
      '1 ok, 0 warn, 1 fail',
      '',
    ].join('\n'),
  );
});
