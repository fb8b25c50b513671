/** This node as compile-network wants it: lease, interface and public address, from the Node object and the kernel. */
import { type AnnotationKeys, type NodeRecord, parseVtep } from '@canal/api-schema';
import type { InterfaceOptions } from '@canal/config';
import type { DefaultRoute, InterfaceFacts } from '@canal/kernel-port';
import type { NetConf } from '@canal/model';
import type { HostNetwork, OwnFamily, OwnNode } from '@canal/network-compile';
import {
  cidrContains,
  cidrFamily,
  err,
  familyBits,
  formatCidr,
  formatIp,
  type InterfaceName,
  type Ip,
  ipFamily,
  ok,
  parseIp,
  type Result,
} from 'net-types';
import { type ChosenInterface, chooseInterface } from './interface-choice.ts';
import { leaseOf, type LeasedSubnet } from './lease.ts';
import type { NodeProblem } from './node-problem.ts';
import { isPodSide } from './pod-side.ts';

export interface HostFacts {
  readonly interfaces: readonly InterfaceFacts[];
  readonly defaultRoutes: readonly DefaultRoute[];
  readonly canReachLink?: InterfaceName;
}

export interface OwnNetwork {
  readonly node: OwnNode;
  readonly leases: readonly LeasedSubnet[];
}

export function ownNetworkOf(
  record: NodeRecord,
  keys: AnnotationKeys,
  conf: NetConf,
  options: InterfaceOptions,
  host: HostFacts,
): Result<OwnNetwork, NodeProblem> {
  const leases = leaseOf(record.name, record.podCidrs, conf, host.interfaces);
  if (!leases.ok) return leases;
  const families: OwnFamily[] = [];
  for (const lease of leases.value) {
    const chosen = chooseFor(lease, record, keys, options, host);
    if (!chosen.ok) return chosen;
    families.push({ ...chosen.value, subnet: lease.subnet, ...announcedMac(lease, record, keys) });
  }
  const ownAddresses = host.interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address.ip));
  const hostNetworks = hostNetworksOf(host.interfaces);
  return ok({ node: { name: record.name, families, ownAddresses, hostNetworks }, leases: leases.value });
}

/**
 * Networks in which this host has an address. A route to a device alone is not one: others lead to pods by such routes.
 * Nor is an address by itself (/32): its device knows nobody else there.
 */
export function hostNetworksOf(interfaces: readonly InterfaceFacts[]): HostNetwork[] {
  return interfaces
    .filter((facts) => !facts.loopback && !isPodSide(facts))
    .flatMap(({ name, addresses, onLinkNetworks }) =>
      onLinkNetworks
        .filter((network) => network.prefixLen < familyBits(cidrFamily(network)))
        .filter((network) => addresses.some(({ address }) => cidrContains(network, address.ip)))
        .map((network) => ({ link: name, network })),
    );
}

function chooseFor(
  { family }: LeasedSubnet,
  record: NodeRecord,
  keys: AnnotationKeys,
  options: InterfaceOptions,
  host: HostFacts,
): Result<ChosenInterface, NodeProblem> {
  const nodePublicIp = readAddress(record, family === 4 ? keys.nodePublicIp : keys.nodePublicIpv6, family);
  if (!nodePublicIp.ok) return nodePublicIp;
  const overwrite = readAddress(record, family === 4 ? keys.publicIpOverwrite : keys.publicIpv6Overwrite, family);
  if (!overwrite.ok) return overwrite;
  return chooseInterface({
    family,
    options,
    ...host,
    ...(nodePublicIp.value !== undefined && { nodePublicIp: nodePublicIp.value }),
    ...(overwrite.value !== undefined && { publicIpOverwrite: overwrite.value }),
  });
}

/** An annotation that people set: empty counts as unset. */
function readAddress(record: NodeRecord, key: string, family: 4 | 6): Result<Ip | undefined, NodeProblem> {
  const text = record.annotations[key] ?? '';
  if (text === '') return ok(undefined);
  const ip = parseIp(text);
  if (ip.ok && ipFamily(ip.value) === family) return ok(ip.value);
  return err({
    reason: 'InvalidAnnotation',
    message: `the annotation ${key} of node ${record.name} is ${JSON.stringify(text.slice(0, 80))}: expected an IPv${family} address`,
    cure: `kubectl annotate node ${record.name} ${key}=<address> --overwrite`,
  });
}

/** Peers know the MAC that was announced before; keeping it spares them a change. */
function announcedMac(lease: LeasedSubnet, record: NodeRecord, keys: AnnotationKeys): Pick<OwnFamily, 'vtepMac'> {
  const vtep = parseVtep(record.annotations[lease.family === 4 ? keys.backendData : keys.backendV6Data] ?? '');
  return vtep.ok ? { vtepMac: vtep.value.mac } : {};
}

/** One line for logs and Events: what makes this node reachable. */
export function describeOwn({ node, leases }: OwnNetwork): string {
  return node.families
    .map(({ family, link, source, publicIp }) => {
      const subnet = leases.find((lease) => lease.family === family)?.subnet;
      const via = source === publicIp ? '' : ` (from ${formatIp(source)})`;
      return `${subnet === undefined ? '' : formatCidr(subnet)} at ${formatIp(publicIp)}${via} on ${link}`;
    })
    .join(', ');
}
