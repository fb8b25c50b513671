/**
 * What the kernel must have for the pods of this node, from what the CNI plugin recorded at ADD: their devices up, the
 * host routes and the host-side neighbours of routed pods. A bridge learns its pods itself; all it needs is to forward.
 *
 * Unless policy is enforced: then no frame may go from pod to pod past the rules. Their ports are isolated, the bridge
 * answers for each of them, and the way to a pod is its port itself, as in routed mode:
 *
 *     pod A ── ARP, ND: who is B? ──► cni0 (says: I am)
 *     pod A ── packet to B ─────────► cni0 ─ routed: B dev cnl… ──► pod B
 *
 * Because the packet leaves by another device than it came in by, the node sends no redirect, which IPv6 cannot switch
 * off; and br_netfilter, where bridge-nf-call-iptables is set, does not put a frame that it has translated (DNAT) onto
 * the port of the other pod, where isolation would drop it, but leaves it to the node (br_nf_pre_routing_finish).
 */
import {
  type ActualLink,
  type Attachment,
  BRIDGE_NAME,
  type DesiredNeighbour,
  type DesiredPort,
  type DesiredProxy,
  type DesiredRoute,
  type DesiredSysctl,
  type NetworkState,
  POD_ROUTE_PROTOCOL,
  type SysctlName,
} from '@canal/model';
import { formatIp, hostCidr, type InterfaceName, type Ip, ipFamily, isIpv4 } from 'net-types';
import { EMPTY_STATE } from './network-states.ts';
import type { NetworkProblem } from './problem.ts';

export interface CompiledPods {
  readonly state: NetworkState;
  readonly problems: readonly NetworkProblem[];
}

export interface PodsOptions {
  /** The node's own IPv6 address; absent while none is known to be on the node. */
  readonly source6?: Ip;
  /** Policy is enforced here (flanneld --policy-socket): pods on a bridge reach each other through the node alone. */
  readonly policed?: boolean;
  /** On the node now: the kernel refuses a route from an address that it has not. */
  readonly ownAddresses?: ReadonlySet<Ip>;
}

/** `links`: what exists now; an attachment whose host end is not among them (a pod on its way out) asks for nothing. */
export function compilePods(
  attachments: readonly Attachment[],
  links: readonly ActualLink[],
  { source6, policed = false, ownAddresses = new Set() }: PodsOptions = {},
): CompiledPods {
  const veths = new Set(links.filter((link) => link.kind === 'veth').map((link) => link.name));
  const upLinks = new Set<InterfaceName>();
  const routes: DesiredRoute[] = [];
  const neighbours: DesiredNeighbour[] = [];
  const proxies: DesiredProxy[] = [];
  const ports: DesiredPort[] = [];
  const sysctls: DesiredSysctl[] = [];
  const problems: NetworkProblem[] = [];
  const holders = new Map<Ip, Attachment>();
  const source6For = (ip: Ip): Ip | undefined => (isIpv4(ip) ? undefined : source6);
  // The address that the node has on the bridge: the one that its pods know.
  const gatewayOf = ({ gateways }: Attachment, ip: Ip): Ip | undefined =>
    gateways.find((each) => ipFamily(each) === ipFamily(ip) && ownAddresses.has(each)) ?? source6For(ip);
  const bridge = links.find((link) => link.name === BRIDGE_NAME && link.kind === 'bridge');
  if (bridge !== undefined) sysctls.push(podForwarding(bridge.name), ...(policed ? answering(bridge.name) : []));
  for (const attachment of [...attachments].sort(byIdentity)) {
    if (!veths.has(attachment.hostInterface)) continue;
    // A device that is down takes no route (ENETDOWN), and no port that is down forwards.
    upLinks.add(attachment.hostInterface);
    const onBridge = attachment.mode === 'bridge' ? bridge : undefined;
    if (onBridge !== undefined) {
      upLinks.add(onBridge.name);
      // Policy that is switched off leaves no pod without the others.
      ports.push({ name: attachment.hostInterface, isolated: policed });
    }
    if (attachment.mode === 'bridge' && (onBridge === undefined || !policed)) continue;
    for (const { ip } of attachment.addresses) {
      const holder = holders.get(ip);
      if (holder !== undefined) {
        problems.push(duplicateAddress(ip, holder, attachment));
        continue;
      }
      holders.set(ip, attachment);
      const source = onBridge === undefined ? source6For(ip) : gatewayOf(attachment, ip);
      routes.push(podRoute(ip, attachment.hostInterface, source));
      if (onBridge !== undefined && !isIpv4(ip)) proxies.push({ link: onBridge.name, ip });
      neighbours.push({ link: attachment.hostInterface, ip, mac: attachment.containerMac });
    }
    if (onBridge === undefined && attachment.addresses.some(({ ip }) => isIpv4(ip)))
      sysctls.push(podForwarding(attachment.hostInterface));
  }
  const state = { ...EMPTY_STATE, upLinks: [...upLinks], ports, routes, neighbours, proxies, sysctls };
  return { state, problems };
}

/**
 * A UDP server bound to [::] answers a pod from the address nearest to the pod's (RFC 6724 rule 8), which is the VTEP's
 * and not the one that the pod asked: the route names the node's. Not so for IPv4: there the first address of the
 * first device serves, and the kernel deletes a route with the address that it names (fib_sync_down_addr).
 */
function podRoute(ip: Ip, link: InterfaceName, source: Ip | undefined): DesiredRoute {
  const route = { protocol: POD_ROUTE_PROTOCOL, destination: hostCidr(ip), target: { type: 'link', link } } as const;
  return { ...route, metric: isIpv4(ip) ? 0 : 1024, ...(source !== undefined && { source }) };
}

/** A pod's packets come in by its own device, or by the bridge; conf/all does not reach devices born later where /proc/sys is read-only. */
function podForwarding(link: InterfaceName): DesiredSysctl {
  return { link, family: 4, name: 'forwarding', value: 1, enforce: true };
}

/**
 * The bridge speaks for its pods, at once (proxy_delay). proxy_arp answers for pods that have a route of their own,
 * proxy_arp_pvlan for what is reached by the bridge: pods that another plugin attached before. Pods' packets come in by
 * the bridge while the route to them is another (rp_filter 2: any way will do).
 */
function answering(link: InterfaceName): DesiredSysctl[] {
  const make = (family: 4 | 6, name: SysctlName, value: number): DesiredSysctl => {
    return { link, family, name, value, enforce: true };
  };
  return [
    make(4, 'proxy_arp', 1),
    make(4, 'proxy_arp_pvlan', 1),
    make(4, 'proxy_delay', 0),
    make(4, 'send_redirects', 0),
    { ...make(4, 'rp_filter', 2), acceptable: [0] },
    make(6, 'proxy_ndp', 1),
    make(6, 'proxy_delay', 0),
  ];
}

function byIdentity(a: Attachment, b: Attachment): number {
  const keyA = `${a.network} ${a.containerId} ${a.containerInterface}`;
  const keyB = `${b.network} ${b.containerId} ${b.containerInterface}`;
  return keyA < keyB ? -1 : keyA > keyB ? 1 : 0;
}

function duplicateAddress(ip: Ip, holder: Attachment, other: Attachment): NetworkProblem {
  return {
    code: 'DuplicatePodAddress',
    severity: 'error',
    message: `containers ${holder.containerId} and ${other.containerId} both have ${formatIp(ip)}; ${holder.hostInterface} keeps the route`,
    cure: `delete the pod of one of them; canalctl ipam shows who holds the address`,
  };
}
