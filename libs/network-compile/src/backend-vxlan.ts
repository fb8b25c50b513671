/**
 * vxlan as flannel lays it out, without learning and without miss callbacks; the kernel does all the work. A packet for
 * pod 10.244.2.7 takes the route `10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink`; the permanent neighbour entry
 * gives the MAC of the peer's device for that gateway, the forwarding entry gives the peer's address for that MAC.
 * With DirectRouting a peer on a network of ours is routed to past the tunnel.
 */
import {
  type DesiredFdbEntry,
  type DesiredNeighbour,
  type DesiredSysctl,
  minimumMtuBytes,
  type VxlanLink,
  vxlanOverheadBytes,
} from '@canal/model';
import { familyBits, type IpFamily, isUnicastMac, type Mac, type Vni } from 'net-types';
import type { Backend, BackendContext, BackendPart, Hop, UsablePeer } from './backend.ts';
import { directHop } from './backend-host-gw.ts';
import type { NetworkProblem } from './problem.ts';
import { vxlanDevice, vxlanDeviceName, vxlanVni } from './vxlan-device.ts';

export const vxlanBackend: Backend = {
  type: 'vxlan',
  needsPaths: directRouting,
  compile: compileVxlan,
};

function directRouting(conf: BackendContext['conf']): boolean {
  return conf.backend.type === 'vxlan' && conf.backend.directRouting;
}

function compileVxlan(context: BackendContext, peers: readonly UsablePeer[]): BackendPart {
  const vni = vxlanVni(context, peers);
  if (vni === undefined) return withoutDevice(context, peers.map(invalidVtep));
  const name = vxlanDeviceName(vni, context.own.family);
  if (name === undefined) return withoutDevice(context, [vniTooLong(context, vni)]);
  const device = vxlanDevice(context, vni, name);
  const mtuProblems = checkMtu(context, device);
  if (mtuProblems.some((problem) => problem.severity === 'error')) return withoutDevice(context, mtuProblems);
  const part = compilePeers(context, device, peers);
  return {
    links: [device],
    addresses: [baseAddress(context, device)],
    ...part,
    sysctls: deviceSysctls(context, device),
    problems: [...mtuProblems, ...part.problems],
    mtuBytes: device.mtuBytes,
    ...(context.announced ? { vtep: { vni, mac: device.mac } } : {}),
  };
}

type PeerPart = Pick<BackendPart, 'neighbours' | 'fdb' | 'hops' | 'problems'>;

function compilePeers(context: BackendContext, device: VxlanLink, peers: readonly UsablePeer[]): PeerPart {
  const neighbours: DesiredNeighbour[] = [];
  const fdb: DesiredFdbEntry[] = [];
  const hops: Hop[] = [];
  const problems: NetworkProblem[] = [];
  const macs = new Map<Mac, string>([[device.mac, context.nodeName]]);
  const direct = directRouting(context.conf);
  for (const candidate of peers) {
    const { peer, endpoint } = candidate;
    const path = direct ? context.pathTo(endpoint.publicIp) : undefined;
    if (path?.type === 'direct') {
      hops.push(directHop(candidate, path));
      continue;
    }
    const fault = vtepProblem(candidate, device, macs);
    if (fault !== undefined || endpoint.vtep === undefined) {
      problems.push(fault ?? invalidVtep(candidate));
      continue;
    }
    macs.set(endpoint.vtep.mac, peer.name);
    const gateway = endpoint.subnet.ip;
    neighbours.push({ link: device.name, ip: gateway, mac: endpoint.vtep.mac });
    fdb.push({ link: device.name, mac: endpoint.vtep.mac, remote: endpoint.publicIp });
    hops.push({ family: endpoint.family, destination: endpoint.subnet, gateway, link: device.name, onlink: true });
  }
  return { neighbours, fdb, hops, problems };
}

/** The subnet's base address as a host address: source of the node's own packets to remote pods. */
function baseAddress(context: BackendContext, device: VxlanLink): BackendPart['addresses'][number] {
  return { link: device.name, address: { ip: context.own.subnet.ip, prefixLen: familyBits(context.own.family) } };
}

function deviceSysctls({ kernel, own }: BackendContext, { name }: VxlanLink): DesiredSysctl[] {
  const sysctls: DesiredSysctl[] = [];
  if (own.family === 4) {
    sysctls.push({ link: name, family: 4, name: 'forwarding', value: 1, enforce: true });
    // A peer that changes its backend, or routes directly, sends by one device what we answer by another; strict
    // reverse path filtering (the default of some distributions) would drop that.
    sysctls.push({ link: name, family: 4, name: 'rp_filter', value: 2, acceptable: [0], enforce: true });
  }
  // net.ipv6.conf.default.disable_ipv6=1, a common hardening, is meant for links that are not set up on purpose.
  if (own.family === 6) sysctls.push({ link: name, family: 6, name: 'disable_ipv6', value: 0, enforce: true });
  // Nothing on the other end of the tunnel has the right to be our router.
  if (kernel.ipv6) sysctls.push({ link: name, family: 6, name: 'accept_ra', value: 0, enforce: true });
  return sysctls;
}

function withoutDevice(context: BackendContext, problems: readonly NetworkProblem[]): BackendPart {
  const { family, linkMtuBytes } = context.own;
  const mtuBytes = Math.max(linkMtuBytes - vxlanOverheadBytes(family), minimumMtuBytes(family));
  return { links: [], addresses: [], neighbours: [], fdb: [], hops: [], sysctls: [], problems, mtuBytes };
}

function vtepProblem(
  { peer, endpoint }: UsablePeer,
  device: VxlanLink,
  macs: ReadonlyMap<Mac, string>,
): NetworkProblem | undefined {
  if (endpoint.vtep === undefined || !isUnicastMac(endpoint.vtep.mac)) return invalidVtep({ peer, endpoint });
  const { vni, mac } = endpoint.vtep;
  const subject = { severity: 'error', peer: peer.name, family: endpoint.family } as const;
  if (vni !== device.vni) {
    return {
      ...subject,
      code: 'VniMismatch',
      message: `node ${peer.name} announces VNI ${vni}, this node has VNI ${device.vni}: neither takes the other's packets`,
      cure: 'give both the same Backend.VNI in net-conf.json and restart the agent that still has the old one',
    };
  }
  const holder = macs.get(mac);
  if (holder === undefined) return undefined;
  return {
    ...subject,
    code: 'DuplicateVtepMac',
    message: `node ${peer.name} announces the VTEP MAC ${mac}, which node ${holder} has; ${holder} keeps it`,
    // An agent that runs, or finds its device, keeps the MAC that it has.
    cure: `on ${peer.name} stop the agent, delete the annotation ${backendDataAnnotation(endpoint.family)} of its node and its device (ip link delete ${device.name}), and start it again`,
  };
}

function invalidVtep({ peer, endpoint }: UsablePeer): NetworkProblem {
  const annotation = backendDataAnnotation(endpoint.family);
  const what =
    endpoint.vtep === undefined
      ? `no vxlan data in ${annotation}`
      : `the VTEP MAC ${endpoint.vtep.mac}, no unicast address`;
  return {
    code: 'InvalidVtep',
    severity: 'error',
    peer: peer.name,
    family: endpoint.family,
    message: `node ${peer.name} announces vxlan with ${what}`,
    cure: `look at the log of the agent on ${peer.name}: it writes the annotation when its device is up`,
  };
}

function backendDataAnnotation(family: IpFamily): string {
  return family === 4 ? 'backend-data' : 'backend-v6-data';
}

function vniTooLong({ own }: BackendContext, vni: Vni): NetworkProblem {
  return {
    code: 'InvalidVni',
    severity: 'error',
    family: own.family,
    message: `VNI ${vni} makes a device name longer than the kernel's 15 characters (flannel-v6.${vni})`,
    cure: `choose a Backend.VNI of at most ${own.family === 4 ? 9_999_999 : 9_999} in net-conf.json`,
  };
}

function checkMtu({ own, conf }: BackendContext, device: VxlanLink): NetworkProblem[] {
  const configured = conf.backend.type === 'vxlan' ? conf.backend.mtuBytes : undefined;
  const minimum = minimumMtuBytes(own.family);
  const problems: NetworkProblem[] = [];
  if (configured !== undefined && configured > own.linkMtuBytes) {
    problems.push({
      code: 'MtuAboveInterface',
      severity: 'warning',
      family: own.family,
      message: `Backend.MTU ${configured} is above the MTU ${own.linkMtuBytes} of ${own.link}; ${own.linkMtuBytes} is used`,
      cure: `raise the MTU of ${own.link}, or lower Backend.MTU in net-conf.json`,
    });
  }
  if (device.mtuBytes < minimum) {
    problems.push({
      code: 'MtuTooSmall',
      severity: 'error',
      family: own.family,
      message: `${own.link} leaves ${device.mtuBytes} bytes for packets through ${device.name}; IPv${own.family} needs ${minimum}`,
      cure: `raise the MTU of ${own.link} (or Backend.MTU) to at least ${minimum + vxlanOverheadBytes(own.family)}, or disable IPv${own.family}`,
    });
  }
  return problems;
}
