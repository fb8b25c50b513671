/** An operation as the netlink requests that perform it. */
import {
  type DesiredNexthop,
  type DesiredRoute,
  type DesiredSysctl,
  LINK_ALIAS,
  type LinkChange,
  type NetworkOperation,
  NODE_ROUTE_PROTOCOL,
  POD_ROUTE_PROTOCOL,
  type SysctlName,
  type VxlanLink,
} from '@canal/model';
import { hostCidr, type InterfaceName, isIpv4 } from 'net-types';
import {
  AF,
  addressInput,
  delAddress,
  delLink,
  delNeighbour,
  delNexthop,
  delRoute,
  IFA_F,
  IFF,
  IPV4_DEVCONF,
  type LinkInput,
  NLM_F,
  type NetlinkRequest,
  newAddress,
  newLink,
  newNeighbour,
  newNexthop,
  newRoute,
  type NexthopInput,
  permanentNeighbour,
  proxyNeighbour,
  type RouteInput,
  routeTo,
  RTN,
  RTNH_F,
  setLink,
  type VxlanData,
  vxlanFdbEntry,
} from 'netlink-ts';

/** Index of a link that is there; throws a MissingLink for one that is not. */
export type IndexOf = (name: InterfaceName) => number;

export class MissingLink extends Error {
  override readonly name = 'MissingLink';
}

const REPLACE = NLM_F.CREATE | NLM_F.REPLACE;

/** Several requests are one operation: it has succeeded when all of them have. Switches of files have none. */
export function requestsOf(operation: NetworkOperation, indexOf: IndexOf): NetlinkRequest[] {
  switch (operation.type) {
    case 'link-add':
      return addVxlan(operation.link, indexOf);
    case 'link-change':
      return changeVxlan(operation.link, operation.changes, indexOf);
    case 'link-delete':
      return [delLink({ index: indexOf(operation.name) })];
    case 'link-up':
      return [setLink({ index: indexOf(operation.name), flags: IFF.UP, change: IFF.UP })];
    case 'port-set': {
      const { name, isolated } = operation.port;
      return [setLink({ index: indexOf(name), info: { slaveKind: 'bridge', bridgePort: { isolated } } })];
    }
    case 'address-add': {
      const { link, address } = operation.address;
      // Nobody else can have this address, and a tentative one cannot be a source until the check is over.
      const flags = isIpv4(address.ip) ? {} : { flags: IFA_F.NODAD };
      return [newAddress({ ...addressInput(indexOf(link), address), ...flags })];
    }
    case 'address-delete':
      return [delAddress(addressInput(indexOf(operation.address.link), operation.address.address))];
    case 'neighbour-set': {
      const { link, ip, mac } = operation.neighbour;
      return [newNeighbour(permanentNeighbour(indexOf(link), ip, mac))];
    }
    case 'neighbour-delete': {
      const { link, ip, mac } = operation.neighbour;
      return [delNeighbour(permanentNeighbour(indexOf(link), ip, mac))];
    }
    case 'proxy-set': {
      const { link, ip } = operation.proxy;
      return [newNeighbour(proxyNeighbour(indexOf(link), ip, POD_ROUTE_PROTOCOL))];
    }
    case 'proxy-delete': {
      const { link, ip } = operation.proxy;
      return [delNeighbour(proxyNeighbour(indexOf(link), ip, POD_ROUTE_PROTOCOL))];
    }
    case 'fdb-set': {
      const { link, mac, remote } = operation.entry;
      return [newNeighbour(vxlanFdbEntry(indexOf(link), mac, remote))];
    }
    case 'fdb-delete': {
      const { link, mac, remote } = operation.entry;
      return [delNeighbour(vxlanFdbEntry(indexOf(link), mac, remote))];
    }
    case 'nexthop-add':
      return [newNexthop(nexthopInput(operation.nexthop, indexOf))];
    case 'nexthop-replace':
      return [newNexthop(nexthopInput(operation.nexthop, indexOf), REPLACE)];
    case 'nexthop-delete':
      return [delNexthop(operation.id)];
    case 'route-add':
      return [newRoute(routeInput(operation.route, indexOf))];
    case 'route-replace':
      return [newRoute(routeInput(operation.route, indexOf), REPLACE)];
    case 'route-delete': {
      const { destination, protocol, metric } = operation.route;
      return [delRoute({ ...routeTo(destination), protocol, ...priorityOf(metric) })];
    }
    case 'sysctl-set':
      return isNetlinkSysctl(operation.sysctl) ? [setSysctl(operation.sysctl, indexOf)] : [];
  }
}

/** Per-device IPv4 switches of conf go over netlink, which works where /proc/sys is read-only; all others are files. */
export function isNetlinkSysctl({ family, link, name }: DesiredSysctl): boolean {
  return family === 4 && link !== 'all' && name !== 'proxy_delay';
}

const DEVCONF: Readonly<Partial<Record<SysctlName, number>>> = {
  forwarding: IPV4_DEVCONF.FORWARDING,
  rp_filter: IPV4_DEVCONF.RP_FILTER,
  proxy_arp: IPV4_DEVCONF.PROXY_ARP,
  proxy_arp_pvlan: IPV4_DEVCONF.PROXY_ARP_PVLAN,
  send_redirects: IPV4_DEVCONF.SEND_REDIRECTS,
};

function setSysctl({ link, name, value }: DesiredSysctl, indexOf: IndexOf): NetlinkRequest {
  const id = DEVCONF[name];
  if (link === 'all' || id === undefined) throw new RangeError(`IPv4 has no switch ${name} on ${link}`);
  return setLink({ index: indexOf(link), afSpec: { inet: { conf: { [id]: value } } } });
}

/** The kernel takes no alias while it makes a device (rtnl_create_link); the device comes up with the second request. */
function addVxlan(link: VxlanLink, indexOf: IndexOf): NetlinkRequest[] {
  const { name, mtuBytes: mtu, mac: address } = link;
  return [
    newLink({ name, mtu, address, info: { kind: 'vxlan', vxlan: vxlanData(link, indexOf) } }),
    setLink({ name, alias: LINK_ALIAS, flags: IFF.UP, change: IFF.UP }),
  ];
}

function vxlanData(link: VxlanLink, indexOf: IndexOf): VxlanData {
  return {
    id: link.vni,
    link: indexOf(link.underlay),
    ...localAddress(link),
    port: link.port,
    learning: link.learning,
    proxy: false,
    rsc: false,
    l2Miss: false,
    l3Miss: false,
    ...(link.gbp && { gbp: true as const }),
  };
}

function localAddress({ local }: VxlanLink): Pick<VxlanData, 'local' | 'local6'> {
  return isIpv4(local) ? { local } : { local6: local };
}

/** Two requests, because the kernel refuses an MTU beside settings of the tunnel (vxlan_nl2conf). */
function changeVxlan(link: VxlanLink, changes: readonly LinkChange[], indexOf: IndexOf): NetlinkRequest[] {
  const has = (change: LinkChange): boolean => changes.includes(change);
  const index = indexOf(link.name);
  const vxlan: VxlanData = {
    ...(has('underlay') && { link: indexOf(link.underlay) }),
    ...(has('local') && localAddress(link)),
    ...(has('learning') && { learning: link.learning }),
  };
  const device: LinkInput = {
    ...(has('mtu') && { mtu: link.mtuBytes }),
    ...(has('mac') && { address: link.mac }),
    ...(has('alias') && { alias: LINK_ALIAS }),
    ...(has('up') && { flags: IFF.UP, change: IFF.UP }),
  };
  const inputs: LinkInput[] = [];
  if (Object.keys(vxlan).length > 0) inputs.push({ info: { kind: 'vxlan', vxlan } });
  if (Object.keys(device).length > 0) inputs.push(device);
  return inputs.map((input) => setLink({ index, ...input }));
}

/**
 * IPv6 refuses an onlink gateway that its table would reach by another device (ip6_route_check_nh_onlink), as when a
 * peer's subnet moves from a direct route into the tunnel, the gateway being of that subnet. A host route to the
 * gateway satisfies it, and is needed no longer than that; so the change is still one step for packets.
 */
export function detourRequestsOf(operation: NetworkOperation, indexOf: IndexOf): NetlinkRequest[] | undefined {
  if (operation.type !== 'route-add' && operation.type !== 'route-replace') return undefined;
  const { target, metric } = operation.route;
  if (target.type !== 'gateway' || !target.onlink || isIpv4(target.gateway)) return undefined;
  const { gateway, link } = target;
  const detour = { ...routeTo(hostCidr(gateway)), protocol: NODE_ROUTE_PROTOCOL, priority: metric, oif: indexOf(link) };
  return [newRoute(detour), ...requestsOf(operation, indexOf), delRoute(detour)];
}

function nexthopInput({ id, family, link, gateway, onlink }: DesiredNexthop, indexOf: IndexOf): NexthopInput {
  const flags = onlink ? RTNH_F.ONLINK : 0;
  return {
    family: family === 4 ? AF.INET : AF.INET6,
    id,
    oif: indexOf(link),
    gateway,
    flags,
    protocol: NODE_ROUTE_PROTOCOL,
  };
}

function routeInput({ destination, protocol, metric, target, source }: DesiredRoute, indexOf: IndexOf): RouteInput {
  const prefSrc = source === undefined ? {} : { prefSrc: source };
  const route = { ...routeTo(destination), protocol, ...priorityOf(metric), ...prefSrc };
  switch (target.type) {
    case 'nexthop':
      return { ...route, nexthopId: target.id };
    case 'gateway': {
      const flags = target.onlink ? RTNH_F.ONLINK : 0;
      return { ...route, gateway: target.gateway, oif: indexOf(target.link), flags };
    }
    case 'link':
      return { ...route, oif: indexOf(target.link) };
    case 'blackhole':
      return { ...route, type: RTN.BLACKHOLE };
  }
}

function priorityOf(metric: number): Pick<RouteInput, 'priority'> {
  return metric === 0 ? {} : { priority: metric };
}
