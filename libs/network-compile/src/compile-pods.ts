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

/** `links`: what exists now; an attachment whose host end is not among them (a pod on its way out) asks for nothing. */
export function compilePods(attachments: readonly Attachment[], links: readonly ActualLink[]): CompiledPods {
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
      routes.push(podRoute(ip, attachment.hostInterface));
      neighbours.push({ link: attachment.hostInterface, ip, mac: attachment.containerMac });
    }
    if (attachment.addresses.some(({ ip }) => isIpv4(ip))) sysctls.push(podForwarding(attachment.hostInterface));
  }
  return { state: { ...EMPTY_STATE, upLinks: [...upLinks], routes, neighbours, sysctls }, problems };
}

function podRoute(ip: Ip, link: InterfaceName): DesiredRoute {
  const metric = isIpv4(ip) ? 0 : 1024;
  return { protocol: POD_ROUTE_PROTOCOL, destination: hostCidr(ip), metric, target: { type: 'link', link } };
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
