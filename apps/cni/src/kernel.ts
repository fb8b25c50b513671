/** What the plugin needs of the platform: injected, so that a test can make any step fail. */
import { writeFileSync } from 'node:fs';
import {
  connectUnixStream,
  NETLINK_NETFILTER,
  netnsIdentity,
  type NetnsRef,
  openNetlinkConnection,
  type UnixStream,
  withNetns,
} from '@canal/linux-ffi';
import { POLICY_NFT_TABLE } from '@canal/model';
import { findNftTable, type NetlinkConnection, type NetlinkError, type NetlinkRequest, NFPROTO } from 'netlink-ts';
import type { InterfaceName, IpFamily } from 'net-types';

export type Ipv6Sysctl = 'accept_dad' | 'accept_ra' | 'disable_ipv6' | 'ndisc_notify' | 'proxy_ndp';

export interface Kernel {
  /** A connection of the namespace that the calling thread is in. */
  openNetlink(): NetlinkConnection;
  withNetns<T>(netns: NetnsRef, callback: () => T extends PromiseLike<unknown> ? never : T): T;
  /** Equal for two references to one namespace, undefined for what is none. Without argument: the plugin's own. */
  netnsIdentity(netns?: NetnsRef): string | undefined;
  /** Writes /proc/sys/net/ipv6/conf/<device>/<name> of the current namespace; false when there is no IPv6 here. */
  writeIpv6Sysctl(device: InterfaceName, name: Ipv6Sysctl, value: number): boolean;
  /** Writes …/neigh/<device>/proxy_delay of the family: hundredths of a second. False when it is not there. */
  writeProxyDelay(device: InterfaceName, family: IpFamily, value: number): boolean;
  /** As linux-ffi's: throws LinuxError. */
  connectUnixStream(path: string, timeoutMs: number): UnixStream;
  /** Whether a policy agent has made its rules since the machine started: what is not known to them is closed. */
  hasPolicyRules(): boolean;
}

export const LINUX_KERNEL: Kernel = {
  openNetlink: () => openNetlinkConnection(),
  withNetns,
  netnsIdentity,
  connectUnixStream,
  hasPolicyRules() {
    using netlink = openNetlinkConnection({ protocol: NETLINK_NETFILTER });
    return findNftTable(netlink, { family: NFPROTO.INET, name: POLICY_NFT_TABLE }) !== undefined;
  },
  writeIpv6Sysctl: (device, name, value) => writeSwitch(`ipv6/conf/${device}/${name}`, value),
  writeProxyDelay: (device, family, value) => writeSwitch(`ipv${family}/neigh/${device}/proxy_delay`, value),
};

function writeSwitch(path: string, value: number): boolean {
  try {
    writeFileSync(`/proc/sys/net/${path}`, String(value));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Sends all in as few datagrams as possible, then throws the first refusal that is not to be passed over. */
export function executeAll(
  netlink: NetlinkConnection,
  requests: readonly NetlinkRequest[],
  isFine: (error: NetlinkError) => boolean = () => false,
): void {
  const refused = netlink.batch(requests).find((error) => error !== undefined && !isFine(error));
  if (refused !== undefined) throw refused;
}
