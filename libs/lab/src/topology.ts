/**
 * Where everything in a lab is: names and addresses as a function of the spec and a node's number. The underlay is a
 * namespace of its own, so every lab uses the same addresses and none can meet the host's.
 *
 *       host ── 127.0.0.1:port ── API server ─┐
 *                                             │ listens on :6443
 *   underlay namespace   br1 192.168.77.1 ────┴── br2 192.168.78.1      198.51.100.1 on lo is "outside the cluster"
 *                         │       │                │
 *   node namespaces     eth0    eth0             eth0   192.168.(76+segment).(10+number)
 *                       node1   node2            node3
 */
import {
  type Cidr,
  cidrOf,
  familyBits,
  type InterfaceAddress,
  type InterfaceName,
  type Ip,
  ipAdd,
  ipFamily,
  parseInterfaceName,
  parseIp,
  unwrap,
} from 'net-types';
import { type LabFamily, type LabSpec } from './lab-spec.ts';

export interface LabTopology {
  /** Name of the namespace that holds the bridges; also the outside world. */
  readonly underlayNamespace: string;
  readonly segments: readonly SegmentPlan[];
  /** Addresses that belong to no node and no pod: traffic to them leaves the cluster. */
  readonly outside: readonly Ip[];
  /** Cluster networks: what net-conf.json calls Network and IPv6Network. */
  readonly podNetworks: readonly Cidr[];
}

export interface SegmentPlan {
  /** From 1. */
  readonly number: number;
  readonly bridge: InterfaceName;
  /** The bridge's own addresses: gateway of the segment's nodes. */
  readonly gateways: readonly InterfaceAddress[];
  readonly linkLocal: readonly InterfaceAddress[];
}

export interface NodePlan {
  readonly name: string;
  /** From 1; decides the addresses. */
  readonly number: number;
  readonly namespace: string;
  readonly segment: number;
  /** The node's end of its link. */
  readonly uplink: InterfaceName;
  /** The bridge's end of its link, in the underlay namespace. */
  readonly port: InterfaceName;
  readonly addresses: readonly InterfaceAddress[];
  /** Of the uplink, given rather than made by the kernel, which would not use its own for two seconds. */
  readonly linkLocal: readonly InterfaceAddress[];
  readonly gateways: readonly Ip[];
  readonly podCidrs: readonly Cidr[];
}

const ip = (text: string): Ip => unwrap(parseIp(text));

/** One per family; a segment's network is `first + (segment - 1) * step`. */
const UNDERLAY = [
  { first: ip('192.168.77.0'), step: 1 << 8, prefixLen: 24 },
  { first: ip('fd00:c0a8:4d::'), step: 1n << 64n, prefixLen: 64 },
] as const;
const PODS = [
  { first: ip('10.244.0.0'), networkLen: 16, nodeLen: 24 },
  { first: ip('fd00:10:244::'), networkLen: 56, nodeLen: 64 },
] as const;
/** RFC 5737 TEST-NET-2 and RFC 3849: on nobody's network. */
const OUTSIDE: readonly Ip[] = [ip('198.51.100.1'), ip('2001:db8:ffff::1')];

const LINK_LOCAL = ip('fe80::');

/** Node addresses begin above the gateway's, so that the last digits show the number. */
const NODE_ADDRESS_OFFSET = 10;
export const UPLINK = unwrap(parseInterfaceName('eth0'));
export const API_PORT = 6443;

/** Everything of a lab in the file system and among namespaces begins with this. */
export function namespacePrefix(lab: string): string {
  return `canal-${lab}.`;
}

export function planTopology(spec: LabSpec): LabTopology {
  return {
    underlayNamespace: `${namespacePrefix(spec.name)}${RESERVED_NODE_NAME}`,
    segments: Array.from({ length: spec.segments }, (_, index) => planSegment(spec.ipFamily, index + 1)),
    outside: OUTSIDE.filter((address) => hasFamily(spec.ipFamily, address)),
    podNetworks: PODS.filter(({ first }) => hasFamily(spec.ipFamily, first)).map(({ first, networkLen }) =>
      cidrOf(first, networkLen),
    ),
  };
}

/** The namespace of the underlay has the name a node of this name would have. */
export const RESERVED_NODE_NAME = 'underlay';

function planSegment(family: LabFamily, number: number): SegmentPlan {
  return {
    number,
    bridge: unwrap(parseInterfaceName(`br${number}`)),
    gateways: underlayAddresses(family, number, 1),
    linkLocal: linkLocalAddresses(family, 1),
  };
}

export function planNode(spec: LabSpec, node: { name: string; number: number; segment: number }): NodePlan {
  const { name, number, segment } = node;
  return {
    name,
    number,
    segment,
    namespace: `${namespacePrefix(spec.name)}${name}`,
    uplink: UPLINK,
    port: unwrap(parseInterfaceName(`node${number}`)),
    addresses: underlayAddresses(spec.ipFamily, segment, NODE_ADDRESS_OFFSET + number),
    linkLocal: linkLocalAddresses(spec.ipFamily, NODE_ADDRESS_OFFSET + number),
    gateways: underlayAddresses(spec.ipFamily, segment, 1).map((address) => address.ip),
    podCidrs: PODS.filter(({ first }) => hasFamily(spec.ipFamily, first)).map(({ first, nodeLen }) =>
      cidrOf(offset(first, BigInt(number) << BigInt(familyBits(ipFamily(first)) - nodeLen)), nodeLen),
    ),
  };
}

/** The nodes that `up` starts with: spread over the segments in order, the first ones the fuller. */
export function initialNodes(spec: LabSpec): readonly NodePlan[] {
  return Array.from({ length: spec.nodes }, (_, index) =>
    planNode(spec, {
      name: `node${index + 1}`,
      number: index + 1,
      segment: Math.floor((index * spec.segments) / spec.nodes) + 1,
    }),
  );
}

/** Name of a pod's network namespace; pods of the namespace `default` go without it, as in kubectl. */
export function podNetworkNamespace(lab: string, node: string, pod: { namespace: string; name: string }): string {
  const shown = pod.namespace === 'default' ? pod.name : `${pod.namespace}.${pod.name}`;
  return `${namespacePrefix(lab)}${node}.${shown}`;
}

function underlayAddresses(family: LabFamily, segment: number, host: number): readonly InterfaceAddress[] {
  return UNDERLAY.filter(({ first }) => hasFamily(family, first)).map(({ first, step, prefixLen }) => ({
    ip: offset(first, BigInt(step) * BigInt(segment - 1) + BigInt(host)),
    prefixLen,
  }));
}

function linkLocalAddresses(family: LabFamily, host: number): readonly InterfaceAddress[] {
  return family === 'ipv4' ? [] : [{ ip: offset(LINK_LOCAL, BigInt(host)), prefixLen: 64 }];
}

function hasFamily(family: LabFamily, address: Ip): boolean {
  return family === 'dual' || (family === 'ipv4') === (ipFamily(address) === 4);
}

function offset(base: Ip, by: bigint): Ip {
  const sum = ipAdd(base, by);
  if (sum === undefined) throw new RangeError(`the lab's address plan has no room for offset ${by}`);
  return sum;
}
