/**
 * What the kernel must have for the pods of this node, from what the CNI plugin recorded at ADD: their devices up, the
 * host routes and the host-side neighbours of routed pods. A bridge learns its pods itself; all it needs is to forward.
 */
import {
  type ActualLink,
  type Attachment,
  BRIDGE_NAME,
  type DesiredNeighbour,
  type DesiredRoute,
  type DesiredSysctl,
  type NetworkState,
  POD_ROUTE_PROTOCOL,
} from '@canal/model';
import { formatIp, hostCidr, type InterfaceName, type Ip, isIpv4 } from 'net-types';
import { EMPTY_STATE } from './network-states.ts';
import type { NetworkProblem } from './problem.ts';

export interface CompiledPods {
  readonly state: NetworkState;
  readonly problems: readonly NetworkProblem[];
}

/**
 * `links`: what exists now; an attachment whose host end is not among them (a pod on its way out) asks for nothing.
 * `source6`: the node's own IPv6 address; absent while none is known to be on the node.
 */
export function compilePods(
  attachments: readonly Attachment[],
  links: readonly ActualLink[],
  source6?: Ip,
): CompiledPods {
  const veths = new Set(links.filter((link) => link.kind === 'veth').map((link) => link.name));
  const upLinks = new Set<InterfaceName>();
  const routes: DesiredRoute[] = [];
  const neighbours: DesiredNeighbour[] = [];
  const sysctls: DesiredSysctl[] = [];
  const problems: NetworkProblem[] = [];
  const holders = new Map<Ip, Attachment>();
  const bridge = links.find((link) => link.name === BRIDGE_NAME && link.kind === 'bridge');
  if (bridge !== undefined) sysctls.push(podForwarding(bridge.name));
  for (const attachment of [...attachments].sort(byIdentity)) {
    if (!veths.has(attachment.hostInterface)) continue;
    // A device that is down takes no route (ENETDOWN), and no port that is down forwards.
    upLinks.add(attachment.hostInterface);
    if (attachment.mode === 'bridge' && bridge !== undefined) upLinks.add(bridge.name);
    if (attachment.mode !== 'routed') continue;
    for (const { ip } of attachment.addresses) {
      const holder = holders.get(ip);
      if (holder !== undefined) {
        problems.push(duplicateAddress(ip, holder, attachment));
        continue;
      }
      holders.set(ip, attachment);
      routes.push(podRoute(ip, attachment.hostInterface, source6));
      neighbours.push({ link: attachment.hostInterface, ip, mac: attachment.containerMac });
    }
    if (attachment.addresses.some(({ ip }) => isIpv4(ip))) sysctls.push(podForwarding(attachment.hostInterface));
  }
  return { state: { ...EMPTY_STATE, upLinks: [...upLinks], routes, neighbours, sysctls }, problems };
}

/**
 * A UDP server bound to [::] answers a pod from the address nearest to the pod's (RFC 6724 rule 8), which is the VTEP's
 * and not the one that the pod asked: the route names the node's. Not so for IPv4: there the first address of the
 * first device serves, and the kernel deletes a route with the address that it names (fib_sync_down_addr).
 */
function podRoute(ip: Ip, link: InterfaceName, source6: Ip | undefined): DesiredRoute {
  const route = { protocol: POD_ROUTE_PROTOCOL, destination: hostCidr(ip), target: { type: 'link', link } } as const;
  if (isIpv4(ip)) return { ...route, metric: 0 };
  return { ...route, metric: 1024, ...(source6 !== undefined && { source: source6 }) };
}

/** A pod's packets come in by its own device, or by the bridge; conf/all does not reach devices born later where /proc/sys is read-only. */
function podForwarding(link: InterfaceName): DesiredSysctl {
  return { link, family: 4, name: 'forwarding', value: 1, enforce: true };
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
