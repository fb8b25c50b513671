/**
 * A node with pods, as the CNI plugin leaves them (routed, or on the bridge cni0), and one namespace that is everything
 * else:
 *
 *     pod 1  10.244.1.11  cnl00000000001 ┐                       ┌ 192.0.2.2    another node
 *     pod 2  10.244.1.12  cnl00000000002 ├ node 192.0.2.1 ─ far ─┤ 10.244.2.11  a pod there
 *     pod 3  10.244.1.13  cnl00000000003 ┘                       └ 203.0.113.9  outside
 *
 * IPv6 alike: fd00:10:244:1::b …, 2001:db8::1 and ::2, fd00:10:244:2::b, 2001:db8:9::9.
 */
import { connectNetns, createTestNetns, type TestNetns } from './test-netns.ts';

export interface WorldPod {
  readonly netns: TestNetns;
  readonly hostInterface: string;
  readonly mac: string;
  /** What the pod sends to: its host end, or the bridge. */
  readonly hostMac: string;
  readonly ip4: string;
  readonly ip6: string;
}

export interface PolicyWorld extends Disposable {
  readonly node: TestNetns;
  readonly far: TestNetns;
  readonly pods: readonly WorldPod[];
}

export const NODE = { ip4: '192.0.2.1', ip6: '2001:db8::1' } as const;
export const OTHER_NODE = { ip4: '192.0.2.2', ip6: '2001:db8::2' } as const;
export const REMOTE_POD = { ip4: '10.244.2.11', ip6: 'fd00:10:244:2::b' } as const;
export const OUTSIDE = { ip4: '203.0.113.9', ip6: '2001:db8:9::9' } as const;

export type PodMode = 'routed' | 'bridge';

export function createPolicyWorld(podCount = 3, mode: PodMode = 'routed'): PolicyWorld {
  using stack = new DisposableStack();
  const node = stack.use(createTestNetns('node'));
  const far = stack.use(createTestNetns('far'));
  for (const family of ['4', '6']) node.run(['sysctl', '-qw', `net.ipv${family}.conf.all.forwarding=1`]);
  // A router asks for neighbours by its link-local address, which duplicate detection keeps back for a second.
  for (const netns of [node, far]) netns.run(['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0']);
  connectNetns(
    { netns: node, name: 'eth0', addresses: [`${NODE.ip4}/24`, `${NODE.ip6}/64`] },
    { netns: far, name: 'eth0', addresses: [`${OTHER_NODE.ip4}/24`, `${OTHER_NODE.ip6}/64`] },
  );
  for (const { ip4, ip6 } of [REMOTE_POD, OUTSIDE]) {
    far.run(['ip', 'address', 'add', `${ip4}/32`, 'dev', 'lo']);
    far.run(['ip', 'address', 'add', `${ip6}/128`, 'dev', 'lo']);
    node.run(['ip', 'route', 'add', ip4, 'via', OTHER_NODE.ip4]);
    node.run(['ip', 'route', 'add', ip6, 'via', OTHER_NODE.ip6]);
  }
  far.run(['ip', 'route', 'add', '10.244.1.0/24', 'via', NODE.ip4]);
  far.run(['ip', 'route', 'add', 'fd00:10:244:1::/64', 'via', NODE.ip6]);
  if (mode === 'bridge') addBridge(node);
  const add = mode === 'bridge' ? addBridgePod : addRoutedPod;
  const pods = Array.from({ length: podCount }, (_, index) => add(stack.use(createTestNetns('pod')), node, index + 1));
  const owned = stack.move();
  return { node, far, pods, [Symbol.dispose]: () => owned.dispose() };
}

/** Host ends have no link-local address. */
function plug(netns: TestNetns, node: TestNetns, number: number, prefixes: readonly [number, number]): WorldPod {
  const hostInterface = `cnl${number.toString(16).padStart(11, '0')}`;
  const [ip4, ip6] = [`10.244.1.${10 + number}`, `fd00:10:244:1::${(10 + number).toString(16)}`];
  node.run(['sysctl', '-qw', 'net.ipv6.conf.default.addr_gen_mode=1']);
  const addresses = [`${ip4}/${prefixes[0]}`, `${ip6}/${prefixes[1]}`];
  connectNetns({ netns: node, name: hostInterface }, { netns, name: 'eth0', addresses });
  node.run(['sysctl', '-qw', 'net.ipv6.conf.default.addr_gen_mode=0']);
  return { netns, hostInterface, mac: macOf(netns, 'eth0'), hostMac: macOf(node, hostInterface), ip4, ip6 };
}

/** Permanent neighbours on both sides, no address on the host's end. */
function addRoutedPod(netns: TestNetns, node: TestNetns, number: number): WorldPod {
  const pod = plug(netns, node, number, [32, 128]);
  for (const [address, gateway] of [
    [pod.ip4, '169.254.1.1'],
    [pod.ip6, 'fe80::1'],
  ] as const) {
    node.run(['ip', 'neigh', 'add', address, 'lladdr', pod.mac, 'dev', pod.hostInterface, 'nud', 'permanent']);
    node.run(['ip', 'route', 'add', address, 'dev', pod.hostInterface]);
    netns.run(['ip', 'neigh', 'add', gateway, 'lladdr', pod.hostMac, 'dev', 'eth0', 'nud', 'permanent']);
    netns.run(['ip', 'route', 'add', 'default', 'via', gateway, 'dev', 'eth0', 'onlink']);
  }
  return pod;
}

const GATEWAY = { ip4: '10.244.1.1', ip6: 'fd00:10:244:1::1' } as const;

/** A bridge in the place of one that was deleted, with another MAC, and all pods' ports on it. Gives the MAC. */
export function makeBridge({ node, pods }: PolicyWorld, mac = '0a:58:0a:f4:01:77'): string {
  addBridge(node, mac);
  for (const pod of pods) addPort(node, pod);
  return mac;
}

/** The bridge answers for pods, at once: proxy ARP for IPv4, an entry for each pod for IPv6. The way to a pod is its port. */
function addBridge(node: TestNetns, mac = '0a:58:0a:f4:01:01'): void {
  node.run(['ip', 'link', 'add', 'cni0', 'address', mac, 'type', 'bridge']);
  for (const [name, value] of [
    ['proxy_arp', 1],
    ['proxy_arp_pvlan', 1],
    ['send_redirects', 0],
    ['rp_filter', 2],
  ] as const) {
    node.run(['sysctl', '-qw', `net.ipv4.conf.cni0.${name}=${value}`]);
  }
  node.run(['sysctl', '-qw', 'net.ipv6.conf.cni0.proxy_ndp=1', 'net.ipv6.conf.cni0.accept_redirects=0']);
  for (const family of ['4', '6']) node.run(['sysctl', '-qw', `net.ipv${family}.neigh.cni0.proxy_delay=0`]);
  node.run(['ip', 'link', 'set', 'cni0', 'up']);
  node.run(['ip', 'address', 'add', `${GATEWAY.ip4}/24`, 'dev', 'cni0']);
  node.run(['ip', 'address', 'add', `${GATEWAY.ip6}/64`, 'dev', 'cni0', 'nodad']);
}

function addBridgePod(netns: TestNetns, node: TestNetns, number: number): WorldPod {
  const pod = plug(netns, node, number, [24, 64]);
  addPort(node, pod);
  for (const gateway of Object.values(GATEWAY)) netns.run(['ip', 'route', 'add', 'default', 'via', gateway]);
  return { ...pod, hostMac: macOf(node, 'cni0') };
}

function addPort(node: TestNetns, { hostInterface: port, mac, ip4, ip6 }: WorldPod): void {
  node.run(['ip', 'link', 'set', port, 'master', 'cni0']);
  node.run(['bridge', 'link', 'set', 'dev', port, 'isolated', 'on', 'hairpin', 'on']);
  node.run(['ip', 'neigh', 'add', 'proxy', ip6, 'dev', 'cni0']);
  for (const [address, gateway] of [
    [ip4, GATEWAY.ip4],
    [ip6, GATEWAY.ip6],
  ] as const) {
    node.run(['ip', 'neigh', 'replace', address, 'lladdr', mac, 'dev', port, 'nud', 'permanent']);
    node.run(['ip', 'route', 'replace', address, 'dev', port, 'src', gateway]);
  }
}

function macOf(netns: TestNetns, link: string): string {
  const [found] = netns.json(['ip', '-j', 'link', 'show', link]) as { address: string }[];
  if (found === undefined) throw new Error(`no device ${link}`);
  return found.address;
}
