/** The pod subnets of this node: what Kubernetes assigned, checked against net-conf.json and the host's own networks. */
import type { NetConf } from '@canal/model';
import type { InterfaceFacts } from '@canal/kernel-port';
import {
  type Cidr,
  cidrContainsCidr,
  cidrEquals,
  cidrFamily,
  cidrsOverlap,
  err,
  familyBits,
  formatCidr,
  type IpFamily,
  ok,
  type Result,
} from 'net-types';
import type { NodeProblem } from './node-problem.ts';
import { isPodSide } from './pod-side.ts';

export interface LeasedSubnet {
  readonly family: IpFamily;
  readonly subnet: Cidr;
  /** The cluster's network of that family. */
  readonly network: Cidr;
}

/** One subnet an enabled family, or the first thing that is wrong. `podCidrs` is spec.podCIDRs of this node. */
export function leaseOf(
  nodeName: string,
  podCidrs: readonly Cidr[],
  conf: NetConf,
  interfaces: readonly InterfaceFacts[],
): Result<readonly LeasedSubnet[], NodeProblem> {
  const leases: LeasedSubnet[] = [];
  for (const { family, network, key } of enabledNetworks(conf)) {
    const subnet = podCidrs.find((cidr) => cidrFamily(cidr) === family);
    if (subnet === undefined) return err(missing(nodeName, podCidrs, family, network));
    if (!cidrContainsCidr(network, subnet)) return err(outside(nodeName, subnet, network, key));
    const overlap = findOverlap(subnet, interfaces);
    if (overlap !== undefined) return err(overlapping(subnet, overlap.link, overlap.network));
    leases.push({ family, subnet, network });
  }
  return ok(leases);
}

interface EnabledNetwork {
  readonly family: IpFamily;
  readonly network: Cidr;
  /** Its key in net-conf.json. */
  readonly key: string;
}

function enabledNetworks(conf: NetConf): EnabledNetwork[] {
  const { network, ipv6Network } = conf;
  return [
    ...(network === undefined ? [] : [{ family: 4 as const, network, key: 'Network' }]),
    ...(ipv6Network === undefined ? [] : [{ family: 6 as const, network: ipv6Network, key: 'IPv6Network' }]),
  ];
}

function missing(node: string, podCidrs: readonly Cidr[], family: IpFamily, network: Cidr): NodeProblem {
  const has = podCidrs.length === 0 ? 'none' : podCidrs.map(formatCidr).join(', ');
  return {
    reason: 'PodCIDRMissing',
    message: `node ${node} has no IPv${family} subnet for pods in spec.podCIDRs (it has ${has})`,
    cure:
      `Let kube-controller-manager assign them: --allocate-node-cidrs=true and --cluster-cidr with ${formatCidr(network)} ` +
      `(kubeadm: networking.podSubnet, or init --pod-network-cidr)`,
  };
}

function outside(node: string, subnet: Cidr, network: Cidr, key: string): NodeProblem {
  return {
    reason: 'PodCIDROutsideNetwork',
    message: `node ${node} has the pod subnet ${formatCidr(subnet)}, which is not inside ${key} ${formatCidr(network)}`,
    cure: `Set ${key} in net-conf.json to the --cluster-cidr of kube-controller-manager`,
  };
}

function overlapping(subnet: Cidr, link: string, network: Cidr): NodeProblem {
  return {
    reason: 'PodCIDROverlapsHost',
    message: `the pod subnet ${formatCidr(subnet)} overlaps ${formatCidr(network)}, a network of this host on ${link}`,
    cure:
      `Choose another cluster network (--cluster-cidr of kube-controller-manager and Network in net-conf.json), ` +
      `or take ${formatCidr(network)} from ${link}`,
  };
}

function findOverlap(
  subnet: Cidr,
  interfaces: readonly InterfaceFacts[],
): { readonly link: string; readonly network: Cidr } | undefined {
  for (const facts of interfaces) {
    if (facts.loopback || isPodSide(facts)) continue;
    for (const network of facts.onLinkNetworks) {
      if (cidrsOverlap(network, subnet) && !servesPods(facts, network, subnet)) return { link: facts.name, network };
    }
  }
  return undefined;
}

/**
 * What earlier plugins left in place for the pods that still run: a bridge of another name that holds the whole subnet
 * (flannel with its own bridge), and routes to single pods (Calico's and ptp's veths).
 */
function servesPods(facts: InterfaceFacts, network: Cidr, subnet: Cidr): boolean {
  if (facts.kind === 'bridge' && cidrEquals(network, subnet)) return true;
  return network.prefixLen === familyBits(cidrFamily(network)) && cidrContainsCidr(subnet, network);
}
