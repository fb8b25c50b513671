/** Carries out a wiring plan: few messages, and whatever fails half way leaves no link behind. */
import { closeSync, openSync } from 'node:fs';
import { CNI_ERROR } from '@canal/cni-spec';
import { type Attachment, POD_ROUTE_PROTOCOL } from '@canal/model';
import {
  delLink,
  delNeighbour,
  IFF,
  IN6_ADDR_GEN_MODE,
  IPV4_DEVCONF,
  isExists,
  isNotFound,
  type LinkInput,
  type NetlinkConnection,
  type NeighbourInput,
  type NetlinkError,
  type NetlinkRequest,
  newAddress,
  newLink,
  newNeighbour,
  newRoute,
  NLM_F,
  permanentNeighbour,
  proxyNeighbour,
  RTNH_F,
  type RouteInput,
  routeTo,
  setLink,
} from 'netlink-ts';
import { hostCidr, ipFamily } from 'net-types';
import type { AddedBridge } from './added-result.ts';
import { ensureBridge } from './bridge.ts';
import { deviceAddress } from './device-address.ts';
import { executeAll, type Kernel } from './kernel.ts';
import { glanceLink, linkIndex } from './link-glance.ts';
import { PluginError } from './plugin-error.ts';
import type { PodRoute, WiringPlan } from './wiring-plan.ts';

const UP: LinkInput = { flags: IFF.UP, change: IFF.UP };
const REPLACE = NLM_F.CREATE | NLM_F.REPLACE;

export interface WiringSite {
  /** A connection of the plugin's own namespace. */
  readonly host: NetlinkConnection;
  /** False when an earlier ADD of this container and interface may have made the link that is found. */
  readonly isFirstAdd: boolean;
  /** Called when the pod is wired, before anybody hears of its addresses. What it throws takes the link away again. */
  readonly admit: () => void;
}

/**
 * Makes the pod's link and all that belongs to it. On failure the link is gone again, unless another ADD made it. Gives
 * the bridge, in bridge mode.
 */
export function wirePod(kernel: Kernel, site: WiringSite, plan: WiringPlan): AddedBridge | undefined {
  const { host } = site;
  const { attachment, bridge } = plan;
  const master = bridge && ensureBridge(kernel, host, bridge, attachment.mtuBytes);
  const netns = openSync(attachment.netns, 'r');
  // Until the kernel has answered nobody knows whether there is a link; before the first ADD there is none but ours.
  let isOurs = site.isFirstAdd;
  try {
    isOurs = createVeth(kernel, host, plan, netns, master?.index);
    if (!isOurs) throw takenError(plan);
    configureHost(kernel, host, plan, master?.index);
    configurePod(kernel, netns, site, plan);
  } catch (error) {
    if (isOurs) unwire(host, plan, master?.index);
    throw error;
  } finally {
    closeSync(netns);
  }
  return master;
}

/** Best effort: the error that led here is the one to report, and DEL, which follows, does the rest. */
function unwire(host: NetlinkConnection, plan: WiringPlan, bridge: number | undefined): void {
  try {
    const proxies = plan.bridge?.isolated === true ? proxiesOf(plan, bridge) : [];
    host.batch([delLink({ name: plan.attachment.hostInterface }), ...proxies.map((each) => delNeighbour(each))]);
  } catch {
    // The address stays reserved as long as the link is there: see add.ts.
  }
}

/**
 * Both ends are born where they live: no link is moved, renamed or seen half made in the pod. False when the pod has an
 * interface of that name already.
 */
function createVeth(
  kernel: Kernel,
  host: NetlinkConnection,
  plan: WiringPlan,
  netns: number,
  master: number | undefined,
): boolean {
  const { hostInterface, hostMac, containerInterface, containerMac, mtuBytes: mtu } = plan.attachment;
  const peer = { name: containerInterface, address: containerMac, mtu, netnsFd: netns };
  const request = newLink({
    name: hostInterface,
    address: hostMac,
    mtu,
    ...(master !== undefined && { master }),
    info: { kind: 'veth', veth: { peer } },
  });
  const [error] = host.batch([request]);
  if (error === undefined) return true;
  if (!isExists(error)) throw error;
  // Either of the two names may be the one that exists.
  if (isTaken(kernel, plan, netns)) return false;
  // The host's end of an ADD whose sandbox is another one by now, or is being taken down.
  executeAll(host, [delLink({ name: hostInterface })], isNotFound);
  executeAll(host, [request]);
  return true;
}

function isTaken(kernel: Kernel, { attachment }: WiringPlan, netns: number): boolean {
  return kernel.withNetns(netns, () => {
    using pod = kernel.openNetlink();
    return glanceLink(pod, attachment.containerInterface) !== undefined;
  });
}

function takenError({ attachment }: WiringPlan): PluginError {
  const { containerInterface, netns } = attachment;
  const message = `CNI_IFNAME: interface "${containerInterface}" exists already in ${netns}`;
  return new PluginError(CNI_ERROR.invalidEnvironment, message);
}

/** The host's end forwards, has no address of its own, and takes no router's word from a pod (CVE-2020-10749). */
function configureHost(kernel: Kernel, host: NetlinkConnection, plan: WiringPlan, master: number | undefined): void {
  const { attachment, bridge } = plan;
  const { hostInterface, addresses } = attachment;
  const kernelHasIpv6 = kernel.writeIpv6Sysctl(hostInterface, 'accept_ra', 0);
  const index = linkIndex(host, hostInterface);
  // No link-local address: a bridge port needs none, and in routed mode nobody speaks to the host's end itself.
  const inet6 = kernelHasIpv6 && { inet6: { addrGenMode: IN6_ADDR_GEN_MODE.NONE } };
  const up = setLink({ index, ...UP });
  if (bridge !== undefined) {
    const { hairpin, isolated } = bridge;
    const port = { slaveKind: 'bridge', bridgePort: { hairpin, ...(isolated && { isolated }) } };
    const ways = isolated ? [...waysTo(plan, index), ...proxiesOf(plan, master).map((each) => newNeighbour(each))] : [];
    executeAll(host, [setLink({ index, ...(inet6 && { afSpec: inet6 }), info: port }), up, ...ways]);
    return;
  }
  // Nothing of IPv6 is meant for a pod without an IPv6 address, so nothing of it is taken from it.
  // And where it is off for new devices, a pod with one could not be reached.
  const isIpv6Off = addresses.some(({ ip }) => ipFamily(ip) === 6) ? 0 : 1;
  kernel.writeIpv6Sysctl(hostInterface, 'disable_ipv6', isIpv6Off);
  const inet = { conf: { [IPV4_DEVCONF.FORWARDING]: 1 } };
  executeAll(host, [setLink({ index, afSpec: { inet, ...inet6 } }), up, ...waysTo(plan, index)]);
}

/** From the node to the pod, without a question to anybody. A node speaks to pods of its bridge as their gateway. */
function waysTo({ attachment, bridge }: WiringPlan, index: number): NetlinkRequest[] {
  return attachment.addresses.flatMap(({ ip }) => {
    const gateway = bridge?.addresses.find((address) => ipFamily(address.ip) === ipFamily(ip))?.ip;
    const prefSrc = gateway !== undefined && { prefSrc: gateway };
    return [
      newNeighbour(permanentNeighbour(index, ip, attachment.containerMac)),
      // Also over one that is there: the node agent may repair the very same at this moment.
      newRoute({ ...routeTo(hostCidr(ip)), oif: index, protocol: POD_ROUTE_PROTOCOL, ...prefSrc }, REPLACE),
    ];
  });
}

/** IPv6 addresses that the bridge answers for; in IPv4 it does so for all that it has a route to. */
function proxiesOf({ attachment }: WiringPlan, bridge: number | undefined): NeighbourInput[] {
  if (bridge === undefined) return [];
  const addresses = attachment.addresses.filter(({ ip }) => ipFamily(ip) === 6);
  return addresses.map(({ ip }) => proxyNeighbour(bridge, ip, POD_ROUTE_PROTOCOL));
}

/** The pod's end gets its addresses, comes up, gets its routes, and is let in. */
function configurePod(kernel: Kernel, netns: number, { host, admit }: WiringSite, plan: WiringPlan): void {
  const { attachment, bridge } = plan;
  const { containerInterface, addresses, gateways, hostMac } = attachment;
  using pod = kernel.withNetns(netns, () => {
    kernel.writeIpv6Sysctl(containerInterface, 'accept_ra', 0);
    // Some runtimes, and nodes by their defaults, make namespaces in which the kernel refuses IPv6 addresses.
    const hasIpv6 = addresses.some(({ ip }) => ipFamily(ip) === 6);
    if (hasIpv6) kernel.writeIpv6Sysctl(containerInterface, 'disable_ipv6', 0);
    if (bridge !== undefined) kernel.writeIpv6Sysctl(containerInterface, 'ndisc_notify', 1);
    return kernel.openNetlink();
  });
  const index = linkIndex(pod, containerInterface);
  const neighbours = bridge === undefined ? gateways.map((gateway) => permanentNeighbour(index, gateway, hostMac)) : [];
  const requests = [
    ...addresses.map((address) => newAddress(deviceAddress(index, address))),
    setLink({ index, ...UP }),
    ...neighbours.map((neighbour) => newNeighbour(neighbour)),
  ];
  const errors = pod.batch([...requests, ...plan.podRoutes.map((route) => newRoute(routeOf(index, route)))]);
  const refused = errors.slice(0, requests.length).find((error) => error !== undefined);
  if (refused !== undefined) throw refused;
  retryRoutes(pod, index, plan.podRoutes, errors.slice(requests.length));
  admit();
  if (bridge !== undefined) announce(pod, index, host, attachment);
}

/**
 * A route that is there stays: another network of the pod was first, and the specification gives it the way. If that
 * network uses the same next hop, ours cannot be told by the route to it, only by its device (onlink).
 */
function retryRoutes(
  pod: NetlinkConnection,
  index: number,
  routes: readonly PodRoute[],
  errors: readonly (NetlinkError | undefined)[],
): void {
  const refused = routes.filter((_route, at) => errors[at] !== undefined && !isExists(errors[at]));
  if (refused.length === 0) return;
  const onlink = refused.map((route) => newRoute({ ...routeOf(index, route), flags: RTNH_F.ONLINK }));
  executeAll(pod, onlink, isExists);
}

/** BR_STATE_FORWARDING (linux/if_bridge.h). */
const FORWARDING = 3;
const FORWARDING_TIMEOUT_MS = 100;

/**
 * Tells the bridge's other ports who has the addresses now: they may still know their last owner. Nothing passes before
 * the port forwards, which the kernel arranges a moment after both ends are up. Setting the MAC, to the same, makes it
 * send a gratuitous ARP and an unsolicited neighbour advertisement, since arp_notify and ndisc_notify are on.
 */
function announce(pod: NetlinkConnection, index: number, host: NetlinkConnection, attachment: Attachment): void {
  const deadline = performance.now() + FORWARDING_TIMEOUT_MS;
  const isForwarding = (): boolean => glanceLink(host, attachment.hostInterface)?.portState === FORWARDING;
  while (!isForwarding() && performance.now() < deadline) Bun.sleepSync(0.2);
  const inet = { conf: { [IPV4_DEVCONF.ARP_NOTIFY]: 1 } };
  executeAll(pod, [setLink({ index, afSpec: { inet } }), setLink({ index, address: attachment.containerMac })]);
}

function routeOf(index: number, { destination, gateway }: PodRoute): RouteInput {
  return { ...routeTo(destination), oif: index, ...(gateway !== undefined && { gateway }) };
}
