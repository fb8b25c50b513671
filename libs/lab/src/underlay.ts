/** The network between the nodes: bridges and their addresses, and a node's link to one of them. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { cidrOf, hostCidr, type InterfaceAddress, type InterfaceName, type Ip, isIpv6 } from 'net-types';
import {
  addressInput,
  delLink,
  findLink,
  getLink,
  IFA_F,
  IFF,
  IN6_ADDR_GEN_MODE,
  isNotFound,
  newAddress,
  newLink,
  newRoute,
  type NetlinkConnection,
  type NetlinkRequest,
  NLM_F,
  routeTo,
  setLink,
} from 'netlink-ts';
import { LabError } from './lab-error.ts';
import { type LabSpec } from './lab-spec.ts';
import { ensureNamespace, inNamespace, namespacePath, rtnetlinkIn } from './namespaces.ts';
import { type LabTopology, type NodePlan, type SegmentPlan } from './topology.ts';

const UP = { flags: IFF.UP, change: IFF.UP } as const;
const REPLACE = NLM_F.CREATE | NLM_F.REPLACE;

/** Makes what is missing of the underlay; what is there stays. */
export function ensureUnderlay(spec: LabSpec, topology: LabTopology): void {
  const { underlayNamespace, segments, outside } = topology;
  ensureNamespace(underlayNamespace);
  using rtnetlink = rtnetlinkIn(underlayNamespace);
  rtnetlink.execute(setLink({ name: 'lo', ...UP }));
  const lo = getLink(rtnetlink, { name: 'lo' }).index;
  for (const ip of outside) rtnetlink.execute(address(lo, ip, hostCidr(ip).prefixLen));
  for (const segment of segments) ensureBridge(rtnetlink, segment, spec.mtuBytes);
  if (segments.length > 1) enableForwarding(underlayNamespace, spec);
}

function ensureBridge(rtnetlink: NetlinkConnection, segment: SegmentPlan, mtu: number): void {
  const name = segment.bridge;
  if (findLink(rtnetlink, { name }) === undefined) {
    // No spanning tree, no multicast snooping: a wire, that carries neighbour discovery from the first moment.
    const bridge = { stpState: 0, forwardDelay: 0, mcastSnooping: false };
    rtnetlink.execute(newLink({ name, mtu, info: { kind: 'bridge', bridge } }));
  }
  bringUp(rtnetlink, name, [...segment.linkLocal, ...segment.gateways]);
}

/** Between segments the underlay routes, as the network between two racks does. */
function enableForwarding(namespace: string, spec: LabSpec): void {
  const files = [
    ...(spec.ipFamily === 'ipv6' ? [] : ['/proc/sys/net/ipv4/ip_forward']),
    ...(spec.ipFamily === 'ipv4' ? [] : ['/proc/sys/net/ipv6/conf/all/forwarding']),
  ];
  for (const file of files) {
    try {
      inNamespace(namespace, () => writeFileSync(file, '1'));
    } catch (cause) {
      throw new LabError('not-supported', `several segments need routing between them, and ${file} cannot be written`, {
        hint: 'run where /proc/sys is writable, or with one segment',
        cause,
      });
    }
  }
}

/** A node's namespace with its link, addresses and default routes; what is there stays. */
export function ensureNodeLink(spec: LabSpec, topology: LabTopology, node: NodePlan): void {
  ensureNamespace(node.namespace);
  const segment = topology.segments[node.segment - 1];
  if (segment === undefined) throw new LabError('invalid', `${node.name}: there is no segment ${node.segment}`);
  using inside = rtnetlinkIn(node.namespace);
  if (findLink(inside, { name: node.uplink }) === undefined) {
    connect(topology.underlayNamespace, segment.bridge, spec.mtuBytes, node);
  }
  inside.execute(setLink({ name: 'lo', ...UP }));
  const index = bringUp(inside, node.uplink, [...node.linkLocal, ...node.addresses]);
  for (const gateway of node.gateways) {
    inside.execute(newRoute({ ...routeTo(cidrOf(gateway, 0)), gateway, oif: index }, REPLACE));
  }
}

/** The underlay's end of a node's link. The kernel would take it away with the namespace, but only some time later. */
export function removeNodeLink(underlay: string, node: Pick<NodePlan, 'port'>): void {
  using rtnetlink = rtnetlinkIn(underlay);
  const [error] = rtnetlink.batch([delLink({ name: node.port })]);
  if (error !== undefined && !isNotFound(error)) throw error;
}

/** One veth, both ends born where they belong: nothing passes through the host's namespace. */
function connect(underlay: string, bridge: InterfaceName, mtu: number, node: NodePlan): void {
  using rtnetlink = rtnetlinkIn(underlay);
  const netnsFd = openSync(namespacePath(node.namespace), 'r');
  try {
    const master = getLink(rtnetlink, { name: bridge }).index;
    const peer = { name: node.uplink, mtu, netnsFd };
    rtnetlink.execute(newLink({ name: node.port, mtu, master, info: { kind: 'veth', veth: { peer } }, ...UP }));
  } finally {
    closeSync(netnsFd);
  }
}

/**
 * The device up with its addresses; gives its index. IPv6 link-local addresses are ours: the kernel asks for a next hop
 * in the name of its own only after it has watched two seconds for duplicates, and forwarded packets wait so long.
 */
function bringUp(rtnetlink: NetlinkConnection, name: string, addresses: readonly InterfaceAddress[]): number {
  if (addresses.some(({ ip }) => isIpv6(ip))) {
    rtnetlink.execute(setLink({ name, afSpec: { inet6: { addrGenMode: IN6_ADDR_GEN_MODE.NONE } } }));
  }
  rtnetlink.execute(setLink({ name, ...UP }));
  const { index } = getLink(rtnetlink, { name });
  for (const { ip, prefixLen } of addresses) rtnetlink.execute(address(index, ip, prefixLen));
  return index;
}

/** Without duplicate address detection: the plan has no duplicates, and IPv6 would wait a second for it. */
function address(index: number, ip: Ip, prefixLen: number): NetlinkRequest {
  return newAddress({ ...addressInput(index, { ip, prefixLen }), flags: IFA_F.NODAD }, REPLACE);
}
