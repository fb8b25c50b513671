import { KernelError } from '@canal/kernel-port';
import { NetlinkError } from 'netlink-ts';
import { NFLOG_GROUP } from './nflog-group.ts';

/** By what was asked for and the kernel's answer: what an administrator can do. */
const HINTS: Readonly<Partial<Record<string, string>>> = {
  'bind nflog group EPERM': `another program listens to NFLOG group ${NFLOG_GROUP} (the second column of /proc/net/netfilter/nfnetlink_log is its socket), or CAP_NET_ADMIN is missing`,
  'bind nflog group EINVAL': 'this kernel tells no verdicts: CONFIG_NETFILTER_NETLINK_LOG is needed',
  'list conntrack EPERM': 'CAP_NET_ADMIN is needed to see flows',
  'list conntrack EINVAL': 'this kernel does not show its flows, so none is cut: CONFIG_NF_CT_NETLINK is needed',
};

/** A failure of conntrack or NFLOG with its cure, where that is known; any other as it is. */
export function flowKernelError(error: unknown): unknown {
  if (!(error instanceof NetlinkError)) return error;
  const hint = HINTS[`${error.operation} ${error.code}`];
  if (hint === undefined) return error;
  return new KernelError(error.code === 'EPERM' ? 'permission' : 'io', `${error.message}: ${hint}`, { cause: error });
}
