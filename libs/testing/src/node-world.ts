/**
 * Nodes of a cluster as namespaces, with a pod each, on an underlay with a router in it:
 *
 *      node 1      node 2                         node 3
 *   192.0.2.1   192.0.2.2                     198.51.100.3
 *        └─────┬─────┘                              │
 *         underlay (bridge) ── 192.0.2.254  router  198.51.100.254
 *
 * IPv6 alike: 2001:db8::<n> and 2001:db8:100::3. So 1 and 2 are neighbours, and 3 is behind a router. Pods are what
 * the CNI plugin would leave: a veth into the pod's namespace, without routes on the node's side.
 */
import type { Attachment } from '@canal/model';
import { type InterfaceAddress, parseInterfaceAddress, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { connectNetns, createTestNetns, type TestNetns } from './test-netns.ts';

export interface WorldNode {
  readonly number: number;
  readonly netns: TestNetns;
  readonly pod: TestNetns;
  readonly attachment: Attachment;
}

export interface NodeWorld extends Disposable {
  readonly nodes: readonly [WorldNode, WorldNode, WorldNode];
  /** The bridge br0, with the ports node1, node2, router. */
  readonly underlay: TestNetns;
}

export function createNodeWorld(): NodeWorld {
  using stack = new DisposableStack();
  const namespace = (label: string): TestNetns => stack.use(createTestNetns(label));
  const underlay = namespace('underlay');
  underlay.run(['ip', 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0']);
  underlay.run(['ip', 'link', 'set', 'br0', 'up']);
  const router = namespace('router');
  plug(underlay, 'router', { netns: router, name: 'near', addresses: ['192.0.2.254/24', '2001:db8::fe/64'] });
  for (const family of ['4', '6']) router.run(['sysctl', '-qw', `net.ipv${family}.conf.all.forwarding=1`]);
  const nodes = [1, 2, 3].map((number) => {
    const netns = namespace(`node${number}`);
    if (number < 3) attachNear(underlay, netns, number);
    else attachFar(router, netns);
    return createNode(number, netns, namespace(`pod${number}`));
  });
  const [first, second, third] = nodes;
  if (first === undefined || second === undefined || third === undefined) throw new Error('three nodes');
  const owned = stack.move();
  return { nodes: [first, second, third], underlay, [Symbol.dispose]: () => owned.dispose() };
}

function attachNear(underlay: TestNetns, netns: TestNetns, number: number): void {
  const addresses = [`192.0.2.${number}/24`, `2001:db8::${number}/64`];
  plug(underlay, `node${number}`, { netns, name: 'eth0', addresses });
  netns.run(['ip', 'route', 'add', 'default', 'via', '192.0.2.254']);
  netns.run(['ip', '-6', 'route', 'add', 'default', 'via', '2001:db8::fe']);
}

function attachFar(router: TestNetns, netns: TestNetns): void {
  connectNetns(
    { netns: router, name: 'far', addresses: ['198.51.100.254/24', '2001:db8:100::fe/64'] },
    { netns, name: 'eth0', addresses: ['198.51.100.3/24', '2001:db8:100::3/64'] },
  );
  netns.run(['ip', 'route', 'add', 'default', 'via', '198.51.100.254']);
  netns.run(['ip', '-6', 'route', 'add', 'default', 'via', '2001:db8:100::fe']);
}

function plug(underlay: TestNetns, port: string, end: Parameters<typeof connectNetns>[1]): void {
  connectNetns({ netns: underlay, name: port }, end);
  underlay.run(['ip', 'link', 'set', port, 'master', 'br0']);
}

function createNode(number: number, netns: TestNetns, pod: TestNetns): WorldNode {
  const hostInterface = `cnl0000000000${number}`;
  const addresses = [`10.244.${number}.5/32`, `fd00:10:244:${number}::5/128`];
  connectNetns({ netns, name: hostInterface }, { netns: pod, name: 'eth0', addresses });
  // As routed pods have it: the first hop is link-local, and known without asking.
  const hostMac = macOf(netns, hostInterface);
  for (const [family, hop] of [
    ['-4', '169.254.1.1'],
    ['-6', 'fe80::ecee:eeff:feee:eeee'],
  ] as const) {
    pod.run(['ip', 'neigh', 'add', hop, 'lladdr', hostMac, 'dev', 'eth0', 'nud', 'permanent']);
    pod.run(['ip', family, 'route', 'add', 'default', 'via', hop, 'dev', 'eth0', 'onlink']);
  }
  return { number, netns, pod, attachment: attachmentOf(number, hostInterface, hostMac, pod, addresses) };
}

function attachmentOf(
  number: number,
  hostInterface: string,
  hostMac: string,
  pod: TestNetns,
  addresses: readonly string[],
): Attachment {
  return {
    network: 'canal',
    containerId: `pod-${number}`,
    containerInterface: unwrap(parseInterfaceName('eth0')),
    netns: pod.path,
    mode: 'routed',
    hostInterface: unwrap(parseInterfaceName(hostInterface)),
    hostMac: unwrap(parseMac(hostMac)),
    containerMac: unwrap(parseMac(macOf(pod, 'eth0'))),
    addresses: addresses.map((text): InterfaceAddress => unwrap(parseInterfaceAddress(text))),
    gateways: [unwrap(parseIp('169.254.1.1'))],
    mtuBytes: 1500,
    bootId: 'boot',
  };
}

function macOf(netns: TestNetns, link: string): string {
  const [found] = netns.json(['ip', '-j', 'link', 'show', link]) as { address: string }[];
  if (found === undefined) throw new Error(`no device ${link}`);
  return found.address;
}
