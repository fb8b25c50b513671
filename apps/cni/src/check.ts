/**
 * CHECK: is there what ADD made and the result lists? Later plugins may have changed things, so what the final result
 * says of them counts (a MAC, an MTU), and what is there beside is no fault. All that is wrong is reported at once.
 */
import { CANAL_ERROR, type CniResult } from '@canal/cni-spec';
import type { Attachment } from '@canal/model';
import { NodeStateError } from '@canal/node-state';
import {
  findLink,
  IFF,
  interfaceAddressOf,
  IPV4_DEVCONF,
  type Link,
  listAddresses,
  listNeighbours,
  listRoutes,
  type NetlinkConnection,
  NUD,
  RT_TABLE,
  routeDestination,
} from 'netlink-ts';
import {
  type Cidr,
  cidrEquals,
  cidrOf,
  formatCidr,
  formatInterfaceAddress,
  formatIp,
  hostCidr,
  type Ip,
  ipFamily,
} from 'net-types';
import { PluginError } from './plugin-error.ts';
import { type AttachedRequest, openNodeFiles, requirePodNetns } from './request.ts';

export function check(request: AttachedRequest, result: CniResult): void {
  const { kernel, netns } = request;
  requirePodNetns(kernel, netns);
  const problems: string[] = [];
  const record = readRecord(request, problems);
  if (record !== undefined) {
    checkReservations(request, record, problems);
    using host = kernel.openNetlink();
    const pod = kernel.withNetns(netns, () => inspectPod(request, record, result, problems));
    checkHost(host, record, pod, request.config.policySocket !== undefined, problems);
  }
  if (problems.length === 0) return;
  throw new PluginError(CANAL_ERROR.checkFailed, 'the attachment is not as ADD left it', {
    details: problems.join('; '),
  });
}

function readRecord({ network, key, ...rest }: AttachedRequest, problems: string[]): Attachment | undefined {
  try {
    const record = openNodeFiles({ network, ...rest }).attachments.read(network.name, key);
    if (record === undefined) problems.push('no record of this attachment: it was deleted, or never added');
    return record;
  } catch (error) {
    if (!(error instanceof NodeStateError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

function checkReservations(request: AttachedRequest, record: Attachment, problems: string[]): void {
  const held = openNodeFiles(request).addresses.heldBy(request.key);
  for (const { ip } of record.addresses) {
    if (!held.includes(ip)) problems.push(`${formatIp(ip)} is not reserved for this container`);
  }
}

/** Inside the pod's namespace. Gives the pod's link. */
function inspectPod(
  { kernel, key, netns }: AttachedRequest,
  record: Attachment,
  result: CniResult,
  problems: string[],
): Link | undefined {
  using pod = kernel.openNetlink();
  const name = key.containerInterface;
  const link = findLink(pod, { name });
  if (link === undefined) {
    problems.push(`no interface ${name} in the pod`);
    return undefined;
  }
  if ((link.flags & IFF.UP) === 0) problems.push(`${name} is down`);
  const index = result.interfaces.findIndex((each) => each.name === name && each.sandbox === netns);
  const listed = result.interfaces[index];
  if (listed?.mac !== undefined && listed.mac.toLowerCase() !== link.address) {
    problems.push(`${name} has MAC ${link.address ?? 'none'}, the result says ${listed.mac}`);
  }
  if (listed?.mtu !== undefined && listed.mtu !== link.mtu) {
    problems.push(`${name} has MTU ${link.mtu ?? 0}, the result says ${listed.mtu}`);
  }
  checkPodAddresses(pod, link, record, result, problems);
  checkPodRoutes(pod, record, result, problems);
  if (record.mode === 'routed') {
    checkNeighbours(pod, link, record.gateways, record.hostMac, `${name} in the pod`, problems);
  }
  return link;
}

function checkPodAddresses(
  pod: NetlinkConnection,
  link: Link,
  record: Attachment,
  result: CniResult,
  problems: string[],
): void {
  const present = listAddresses(pod, { index: link.index }).flatMap((address) => interfaceAddressOf(address) ?? []);
  const texts = new Set(present.map(formatInterfaceAddress));
  const listed = new Set(result.ips.map(({ address }) => formatInterfaceAddress(address)));
  for (const text of record.addresses.map(formatInterfaceAddress)) {
    if (listed.has(text) && !texts.has(text)) problems.push(`${link.name ?? 'the interface'} lacks ${text}`);
  }
}

function checkPodRoutes(pod: NetlinkConnection, record: Attachment, result: CniResult, problems: string[]): void {
  const own = result.routes.filter(({ gw }) => gw !== undefined && record.gateways.includes(gw));
  const wanted = own.map(({ dst }) => cidrOf(dst.ip, dst.prefixLen));
  const present = listRoutes(pod, { table: RT_TABLE.MAIN }).flatMap((route) => routeDestination(route) ?? []);
  for (const destination of wanted) {
    if (!present.some((each) => cidrEquals(each, destination))) {
      problems.push(`the pod has no route to ${formatCidr(destination)}`);
    }
  }
}

function checkHost(
  host: NetlinkConnection,
  record: Attachment,
  pod: Link | undefined,
  isPoliced: boolean,
  problems: string[],
): void {
  const { hostInterface: name } = record;
  const link = findLink(host, { name });
  if (link === undefined) {
    problems.push(`no interface ${name} on the host`);
    return;
  }
  if ((link.flags & IFF.UP) === 0) problems.push(`${name} is down`);
  if (record.mode === 'bridge') checkPort(host, link, record, isPoliced, problems);
  else checkRouted(host, link, record, pod, problems);
}

function checkPort(
  host: NetlinkConnection,
  link: Link,
  record: Attachment,
  isPoliced: boolean,
  problems: string[],
): void {
  const master = link.master === undefined ? undefined : findLink(host, { index: link.master });
  if (master?.info?.kind !== 'bridge') {
    problems.push(`${record.hostInterface} is no port of a bridge`);
    return;
  }
  if (isPoliced && link.info?.bridgePort?.isolated !== true) {
    problems.push(`${record.hostInterface} is not isolated from other ports, past policy`);
  }
  const name = master.name ?? 'the bridge';
  if ((master.flags & IFF.UP) === 0) problems.push(`${name} is down`);
  const present = listAddresses(host, { index: master.index }).map((address) => interfaceAddressOf(address)?.ip);
  for (const gateway of record.gateways) {
    if (!present.includes(gateway)) problems.push(`${name} lacks the gateway ${formatIp(gateway)}`);
  }
}

function checkRouted(
  host: NetlinkConnection,
  link: Link,
  record: Attachment,
  pod: Link | undefined,
  problems: string[],
): void {
  const name = record.hostInterface;
  const present = listRoutes(host, { oif: link.index, table: RT_TABLE.MAIN });
  const destinations = present.flatMap((route): Cidr[] =>
    (route.gateway === undefined ? [routeDestination(route)] : []).filter((each) => each !== undefined),
  );
  for (const { ip } of record.addresses) {
    const wanted = hostCidr(ip);
    if (!destinations.some((each) => cidrEquals(each, wanted))) problems.push(`no route to ${formatIp(ip)} by ${name}`);
  }
  const hasIpv4 = record.addresses.some(({ ip }) => ipFamily(ip) === 4);
  if (hasIpv4 && link.afSpec?.inet?.conf?.[IPV4_DEVCONF.FORWARDING] === 0) problems.push(`${name} does not forward`);
  // The MAC that the pod's end has now: a later plugin that changed it without the entry has cut the pod off.
  const ips = record.addresses.map(({ ip }) => ip);
  if (pod?.address !== undefined) checkNeighbours(host, link, ips, pod.address, name, problems);
}

function checkNeighbours(
  netlink: NetlinkConnection,
  link: Link,
  ips: readonly Ip[],
  mac: string,
  where: string,
  problems: string[],
): void {
  const entries = listNeighbours(netlink, { index: link.index });
  for (const ip of ips) {
    const entry = entries.find((each) => each.dst === ip);
    if (entry?.lladdr === mac && (entry.state & NUD.PERMANENT) !== 0) continue;
    problems.push(`${formatIp(ip)} has no permanent neighbour entry with MAC ${mac} by ${where}`);
  }
}
