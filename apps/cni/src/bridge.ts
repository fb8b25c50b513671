/** The bridge of bridge mode: made by whichever ADD comes first, kept for all others. */
import { CNI_ERROR } from '@canal/cni-spec';
import { LINK_ALIAS } from '@canal/model';
import {
  delAddress,
  IFF,
  interfaceAddressOf,
  IPV4_DEVCONF,
  isExists,
  listAddresses,
  listLinks,
  type NetlinkConnection,
  newAddress,
  newLink,
  RT_SCOPE,
  setLink,
} from 'netlink-ts';
import {
  cidrOf,
  cidrsOverlap,
  formatInterfaceAddress,
  type InterfaceAddress,
  type InterfaceName,
  ipFamily,
} from 'net-types';
import type { AddedBridge } from './added-result.ts';
import { deviceAddress } from './device-address.ts';
import { executeAll, type Kernel } from './kernel.ts';
import { glanceLink, type LinkGlance } from './link-glance.ts';
import { PluginError } from './plugin-error.ts';
import type { BridgePlan } from './wiring-plan.ts';

/** The bridge, up and with its addresses, as it was found or made. Parallel ADDs may do this at the same time. */
export function ensureBridge(
  kernel: Kernel,
  netlink: NetlinkConnection,
  plan: BridgePlan,
  mtuBytes: number,
): AddedBridge & { readonly index: number } {
  const link = glanceLink(netlink, plan.name) ?? createBridge(kernel, netlink, plan, mtuBytes);
  if (link.kind !== 'bridge') {
    const kind = link.kind ?? 'physical';
    throw new PluginError(CNI_ERROR.invalidConfig, `bridge: "${plan.name}" is there already, as a ${kind} device`);
  }
  const { index } = link;
  if ((link.flags & IFF.UP) === 0) executeAll(netlink, [setLink({ index, flags: IFF.UP, change: IFF.UP })]);
  for (const address of plan.addresses) ensureAddress(netlink, plan, index, address);
  const { mac, mtu } = link;
  return { name: plan.name, index, ...(mac !== undefined && { mac }), ...(mtu !== undefined && { mtu }) };
}

function createBridge(kernel: Kernel, netlink: NetlinkConnection, plan: BridgePlan, mtuBytes: number): LinkGlance {
  const { name, mac } = plan;
  // With an address of its own at birth it keeps that one, instead of taking over those of ports that come and go.
  const create = newLink({ name, address: mac, mtu: mtuBytes, info: { kind: 'bridge', bridge: {} } });
  executeAll(netlink, [create], isExists);
  // A pod's router advertisement must not become the node's route (CVE-2020-10749).
  kernel.writeIpv6Sysctl(name, 'accept_ra', 0);
  // In the name of its link-local address it asks for pods: it must not wait two seconds for proof that it is alone.
  kernel.writeIpv6Sysctl(name, 'accept_dad', 0);
  const isIpv6Off = plan.addresses.some(({ ip }) => ipFamily(ip) === 6) ? 0 : 1;
  kernel.writeIpv6Sysctl(name, 'disable_ipv6', isIpv6Off);
  const link = glanceLink(netlink, name);
  if (link === undefined)
    throw new PluginError(CNI_ERROR.tryAgainLater, `bridge ${name} was deleted while it was made`);
  if (plan.isolated) answerForPods(kernel, name);
  const inet = { conf: { [IPV4_DEVCONF.FORWARDING]: 1, ...(plan.isolated && ANSWERING) } };
  // The alias tells an uninstall that it is ours.
  executeAll(netlink, [setLink({ index: link.index, alias: LINK_ALIAS, afSpec: { inet } })]);
  return link;
}

/** The same as the node agent's, which has done it on a bridge that was there before: see `answering` of compile-pods.ts. */
const ANSWERING = {
  [IPV4_DEVCONF.PROXY_ARP]: 1,
  [IPV4_DEVCONF.PROXY_ARP_PVLAN]: 1,
  [IPV4_DEVCONF.SEND_REDIRECTS]: 0,
  [IPV4_DEVCONF.RP_FILTER]: 2,
};

function answerForPods(kernel: Kernel, name: InterfaceName): void {
  kernel.writeIpv6Sysctl(name, 'proxy_ndp', 1);
  for (const family of [4, 6] as const) kernel.writeProxyDelay(name, family, 0);
}

/** Adds the address when it is missing; only then the others are looked at, which is once in the bridge's life. */
function ensureAddress(netlink: NetlinkConnection, plan: BridgePlan, index: number, address: InterfaceAddress): void {
  const input = deviceAddress(index, address);
  const [error] = netlink.batch([newAddress(input)]);
  if (isExists(error)) return;
  if (error !== undefined) throw error;
  try {
    removeFormerAddresses(netlink, plan, index, address);
  } catch (failed) {
    executeAll(netlink, [delAddress(input)]);
    throw failed;
  }
}

/**
 * A node that joined anew has another subnet, and its bridge still has the old address: the classic reason why pods of a
 * flannel node do not start. Without ports nobody uses it, so it goes; with ports a person has to decide.
 */
function removeFormerAddresses(
  netlink: NetlinkConnection,
  plan: BridgePlan,
  index: number,
  address: InterfaceAddress,
): void {
  const former = listAddresses(netlink, { index, family: ipFamily(address.ip) }).filter((each) => {
    const own = interfaceAddressOf(each);
    if (own === undefined || each.scope === RT_SCOPE.LINK || own.ip === address.ip) return false;
    return ipFamily(own.ip) === 4 || cidrsOverlap(cidrOf(own.ip, own.prefixLen), cidrOf(address.ip, address.prefixLen));
  });
  if (former.length === 0) return;
  const ports = listLinks(netlink, { master: index }).filter((link) => link.master === index);
  if (ports.length > 0) throw formerAddressError(plan, address, former.map(describeAddress), ports.length);
  executeAll(netlink, former.map(delAddress));
}

function describeAddress(address: Parameters<typeof interfaceAddressOf>[0]): string {
  const own = interfaceAddressOf(address);
  return own === undefined ? '?' : formatInterfaceAddress(own);
}

function formerAddressError(
  { name }: BridgePlan,
  address: InterfaceAddress,
  former: readonly string[],
  portCount: number,
): PluginError {
  const wanted = formatInterfaceAddress(address);
  return new PluginError(CNI_ERROR.invalidConfig, `bridge ${name} has ${former.join(', ')}, this node's is ${wanted}`, {
    details: `${portCount} pods are still attached with addresses of the former subnet: drain the node, or delete ${name}`,
  });
}
