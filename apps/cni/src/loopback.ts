/**
 * The loopback plugin: brings a container's `lo` up. Runtimes call it for every sandbox, before any network of ours, and
 * most hosts have it from containernetworking/plugins; canal brings its own for those that have not. It answers as that one.
 */
import {
  CANAL_ERROR,
  type CniEnvironment,
  type CniResult,
  formatResult,
  formatVersionAnswer,
  type NetworkConfig,
  NO_DNS,
} from '@canal/cni-spec';
import { IFF, interfaceAddressOf, listAddresses, type NetlinkConnection, setLink } from 'netlink-ts';
import { type InterfaceName, ipFamily, parseInterfaceName, unwrap } from 'net-types';
import { executeAll, type Kernel } from './kernel.ts';
import { glanceLink, type LinkGlance } from './link-glance.ts';
import { answer } from './plugin-answer.ts';
import { PluginError } from './plugin-error.ts';
import type { PluginAnswer, PluginInput } from './plugin-input.ts';
import { identityOf, requirePodNetns } from './request.ts';

const LO: InterfaceName = unwrap(parseInterfaceName('lo'));

/** Never throws: what goes wrong is an answer. */
export function runLoopback(input: PluginInput): PluginAnswer {
  const named = { ...input.variables };
  // Runtimes call the interface lo, which no other plugin may be given. Whatever they say, this plugin means lo.
  if ((named['CNI_IFNAME'] ?? '') !== '') named['CNI_IFNAME'] = 'eth0';
  return answer({ ...input, variables: named }, (environment, network) => runVerb(input.kernel, environment, network));
}

function runVerb(kernel: Kernel, environment: CniEnvironment, network: NetworkConfig): string {
  switch (environment.command) {
    case 'ADD':
      return add(kernel, environment.netns, network);
    case 'CHECK':
      check(kernel, environment.netns);
      return '';
    case 'DEL':
      if (environment.netns !== undefined) del(kernel, environment.netns);
      return '';
    case 'GC':
    case 'STATUS':
      // It keeps nothing that could be left, and needs nothing that could be missing.
      return '';
    case 'VERSION':
      return formatVersionAnswer();
  }
}

/** A result of plugins before it is passed on as it came. */
function add(kernel: Kernel, netns: string, network: NetworkConfig): string {
  requirePodNetns(kernel, netns);
  using netlink = kernel.withNetns(netns, () => kernel.openNetlink());
  const { index } = loopbackOf(netlink, netns);
  executeAll(netlink, [setLink({ index, flags: IFF.UP, change: IFF.UP })]);
  return formatResult(network.prevResult ?? resultOf(netlink, index, netns), network.cniVersion);
}

function loopbackOf(netlink: NetlinkConnection, netns: string): LinkGlance {
  const link = glanceLink(netlink, LO);
  if (link !== undefined) return link;
  throw new PluginError(CANAL_ERROR.kernelRefused, `there is no loopback interface "lo" in ${netns}`);
}

/** The first address of each family, as the reference plugin tells them. */
function resultOf(netlink: NetlinkConnection, index: number, netns: string): CniResult {
  const ips = ([4, 6] as const).flatMap((family) => {
    const addresses = listAddresses(netlink, { index, family }).flatMap((each) => interfaceAddressOf(each) ?? []);
    return addresses
      .filter(({ ip }) => ipFamily(ip) === family)
      .slice(0, 1)
      .map((address) => ({ address, interface: 0 }));
  });
  const lo = { name: LO, mac: '00:00:00:00:00:00', sandbox: netns };
  return { interfaces: [lo], ips, routes: [], dns: NO_DNS };
}

function check(kernel: Kernel, netns: string): void {
  requirePodNetns(kernel, netns);
  using netlink = kernel.withNetns(netns, () => kernel.openNetlink());
  if ((loopbackOf(netlink, netns).flags & IFF.UP) !== 0) return;
  throw new PluginError(CANAL_ERROR.checkFailed, `the loopback interface in ${netns} is down`);
}

/** The host's own `lo` is never taken down, nor is it an error when the namespace is gone. */
function del(kernel: Kernel, netns: string): void {
  const identity = identityOf(kernel, netns);
  if (identity === undefined || identity === kernel.netnsIdentity()) return;
  using netlink = kernel.withNetns(netns, () => kernel.openNetlink());
  const { index } = loopbackOf(netlink, netns);
  executeAll(netlink, [setLink({ index, flags: 0, change: IFF.UP })]);
}
