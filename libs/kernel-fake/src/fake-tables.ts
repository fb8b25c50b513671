/**
 * The tables of a pretended kernel, with the rules by which a real one keeps them whole: what refers to something needs
 * it, and goes with it. Every rule here is one of `kernel-contract`, which the real kernel passes too.
 */
import {
  type ActualAddress,
  type ActualFdbEntry,
  type ActualLink,
  type ActualNeighbour,
  type ActualNexthop,
  type ActualProxy,
  type ActualRoute,
  type ActualSysctl,
  type ActualVxlan,
  type DesiredLink,
  type DesiredPort,
  type DesiredRoute,
  type DesiredSysctl,
  LINK_ALIAS,
  type NetworkOperation,
  NODE_ROUTE_PROTOCOL,
  POD_ROUTE_PROTOCOL,
} from '@canal/model';
import {
  type Cidr,
  cidrContains,
  cidrFamily,
  formatCidr,
  formatInterfaceAddress,
  formatIp,
  type InterfaceName,
  type Ip,
  ipFamily,
} from 'net-types';
import { FakeFault } from './fake-fault.ts';

export class FakeTables {
  readonly links = new Map<InterfaceName, ActualLink>();
  readonly addresses = new Map<string, ActualAddress>();
  readonly neighbours = new Map<string, ActualNeighbour>();
  readonly proxies = new Map<string, ActualProxy>();
  readonly fdb = new Map<string, ActualFdbEntry>();
  readonly nexthops = new Map<number, ActualNexthop>();
  readonly routes = new Map<string, ActualRoute>();
  readonly sysctls = new Map<string, ActualSysctl>();
  /** Connected routes: which networks a link reaches without a router. */
  readonly connected = new Map<InterfaceName, readonly Cidr[]>();

  perform(operation: NetworkOperation): void {
    switch (operation.type) {
      case 'link-add':
        this.#addLink(operation.link);
        break;
      case 'link-change':
        this.#changeLink(operation.link, operation.changes);
        break;
      case 'link-delete':
        this.deleteLink(operation.name);
        break;
      case 'link-up':
        this.links.set(operation.name, { ...this.#link(operation.name), up: true });
        break;
      case 'port-set':
        this.#setPort(operation.port);
        break;
      case 'address-add':
        this.#link(operation.address.link);
        addNew(this.addresses, addressKey(operation.address), { ...operation.address, linkScope: false });
        break;
      case 'address-delete':
        remove(this.addresses, addressKey(operation.address), 'EADDRNOTAVAIL');
        break;
      case 'neighbour-set':
        this.#link(operation.neighbour.link);
        this.neighbours.set(neighbourKey(operation.neighbour), operation.neighbour);
        break;
      case 'neighbour-delete':
        remove(this.neighbours, neighbourKey(operation.neighbour), 'ENOENT');
        break;
      case 'proxy-set':
        this.#link(operation.proxy.link);
        this.proxies.set(neighbourKey(operation.proxy), { ...operation.proxy, protocol: POD_ROUTE_PROTOCOL });
        break;
      case 'proxy-delete':
        remove(this.proxies, neighbourKey(operation.proxy), 'ENOENT');
        break;
      case 'fdb-set':
        this.#setFdb(operation.entry);
        break;
      case 'fdb-delete':
        remove(this.fdb, fdbKey(operation.entry), 'ENOENT');
        break;
      case 'nexthop-add':
      case 'nexthop-replace':
        this.#setNexthop(operation);
        break;
      case 'nexthop-delete':
        this.#deleteNexthop(operation.id);
        break;
      case 'route-add':
      case 'route-replace':
        this.#setRoute(operation.route, operation.type === 'route-replace');
        break;
      case 'route-delete':
        this.#deleteRoute(operation.route);
        break;
      case 'sysctl-set':
        this.#setSysctl(operation.sysctl);
        break;
    }
  }

  /** The device goes, with all that is on it or over it. */
  deleteLink(name: InterfaceName): void {
    this.#link(name);
    this.links.delete(name);
    this.connected.delete(name);
    for (const table of [this.addresses, this.neighbours, this.proxies, this.fdb, this.sysctls]) {
      for (const [key, entry] of table as Map<string, { link: InterfaceName | 'all' }>) {
        if (entry.link === name) table.delete(key);
      }
    }
    for (const nexthop of [...this.nexthops.values()]) {
      if (nexthop.target?.link === name) this.#deleteNexthop(nexthop.id);
    }
    for (const [key, { target }] of [...this.routes]) {
      if ((target.type === 'gateway' || target.type === 'link') && target.link === name) this.routes.delete(key);
    }
    for (const other of [...this.links.values()]) {
      if (other.vxlan?.underlay === name) this.deleteLink(other.name);
    }
  }

  #link(name: InterfaceName): ActualLink {
    const link = this.links.get(name);
    if (link === undefined) throw new FakeFault('ENODEV', `there is no device ${name}`);
    return link;
  }

  #addLink(link: DesiredLink): void {
    if (this.links.has(link.name)) throw new FakeFault('EEXIST', `the name ${link.name} is taken`);
    const underlay = this.#link(link.underlay);
    for (const { vxlan } of this.links.values()) {
      const sameFamily = vxlan?.local !== undefined && ipFamily(vxlan.local) === ipFamily(link.local);
      if (sameFamily && vxlan.vni === link.vni && vxlan.port === link.port) {
        throw new FakeFault('EEXIST', 'A VXLAN device with the specified VNI already exists');
      }
    }
    this.links.set(link.name, {
      name: link.name,
      kind: 'vxlan',
      up: true,
      carrier: true,
      loopback: false,
      mtuBytes: Math.min(link.mtuBytes, maximumMtu(link, underlay)),
      mac: link.mac,
      alias: LINK_ALIAS,
      vxlan: vxlanOf(link),
    });
    for (const name of ['forwarding', 'rp_filter'] as const)
      this.#putSysctl({ link: link.name, family: 4, name, value: 0 });
    this.#putSysctl({ link: link.name, family: 6, name: 'accept_ra', value: 1 });
    this.#putSysctl({ link: link.name, family: 6, name: 'disable_ipv6', value: 0 });
  }

  #setPort({ name, isolated }: DesiredPort): void {
    const link = this.#link(name);
    if (link.isolated === undefined) throw new FakeFault('EINVAL', `${name} is no port of a bridge`);
    this.links.set(name, { ...link, isolated });
  }

  #changeLink(link: DesiredLink, changes: readonly string[]): void {
    const actual = this.#link(link.name);
    const vxlan = actual.vxlan;
    if (vxlan === undefined) throw new FakeFault('EOPNOTSUPP', `${link.name} is no vxlan device`);
    const has = (change: string): boolean => changes.includes(change);
    const underlay = this.#link(has('underlay') ? link.underlay : (vxlan.underlay ?? link.underlay));
    if (has('mtu') && link.mtuBytes > maximumMtu(link, underlay))
      throw new FakeFault('EINVAL', 'MTU greater than device maximum');
    this.links.set(link.name, {
      ...actual,
      ...(has('mtu') ? { mtuBytes: link.mtuBytes } : {}),
      ...(has('mac') ? { mac: link.mac } : {}),
      ...(has('alias') ? { alias: LINK_ALIAS } : {}),
      ...(has('up') ? { up: true } : {}),
      vxlan: {
        ...vxlan,
        ...(has('underlay') ? { underlay: link.underlay } : {}),
        ...(has('local') ? { local: link.local } : {}),
        ...(has('learning') ? { learning: link.learning } : {}),
      },
    });
    if (!has('mac')) return;
    for (const [key, neighbour] of this.neighbours) if (neighbour.link === link.name) this.neighbours.delete(key);
  }

  #setFdb(entry: ActualFdbEntry): void {
    if (this.#link(entry.link).vxlan === undefined)
      throw new FakeFault('EOPNOTSUPP', `${entry.link} is no vxlan device`);
    const same = [...this.fdb].filter(([, other]) => other.link === entry.link && other.mac === entry.mac);
    if (same.some(([, other]) => other.remote === entry.remote)) return;
    const [first] = same;
    if (first !== undefined) this.fdb.delete(first[0]);
    this.fdb.set(fdbKey(entry), entry);
  }

  #setNexthop({ type, nexthop }: Extract<NetworkOperation, { type: 'nexthop-add' | 'nexthop-replace' }>): void {
    const { id, family, link, gateway, onlink } = nexthop;
    this.#reach(link, gateway, onlink);
    const entry = { id, protocol: NODE_ROUTE_PROTOCOL, target: { family, link, gateway, onlink } };
    if (type === 'nexthop-add') addNew(this.nexthops, id, entry);
    else this.nexthops.set(id, entry);
  }

  #deleteNexthop(id: number): void {
    remove(this.nexthops, id, 'ENOENT');
    for (const [key, { target }] of this.routes)
      if (target.type === 'nexthop' && target.id === id) this.routes.delete(key);
  }

  #setRoute(route: DesiredRoute, replace: boolean): void {
    const { target } = route;
    if (target.type === 'nexthop' && !this.nexthops.has(target.id))
      throw new FakeFault('EINVAL', 'Nexthop id does not exist');
    if (target.type === 'gateway') this.#reach(target.link, target.gateway, target.onlink);
    if (target.type === 'link' && !this.#link(target.link).up)
      throw new FakeFault('ENETDOWN', `${target.link} is down`);
    if (replace) this.routes.set(routeKey(route), route);
    else addNew(this.routes, routeKey(route), route);
  }

  #deleteRoute(key: Pick<DesiredRoute, 'protocol' | 'destination' | 'metric'>): void {
    if (this.routes.get(routeKey(key))?.protocol !== key.protocol) throw new FakeFault('ESRCH', 'no such route');
    this.routes.delete(routeKey(key));
  }

  #setSysctl(sysctl: DesiredSysctl): void {
    if (sysctl.link !== 'all') this.#link(sysctl.link);
    this.#putSysctl(sysctl);
  }

  #putSysctl({ link, family, name, value }: ActualSysctl): void {
    this.sysctls.set(sysctlKey({ link, family, name }), { link, family, name, value });
  }

  #reach(name: InterfaceName, gateway: Ip, onlink: boolean): void {
    if (!this.#link(name).up) throw new FakeFault('ENETDOWN', `${name} is down`);
    const connected = this.connected.get(name) ?? [];
    if (onlink || connected.some((network) => cidrContains(network, gateway))) return;
    throw new FakeFault(ipFamily(gateway) === 4 ? 'ENETUNREACH' : 'EHOSTUNREACH', 'Nexthop has invalid gateway');
  }
}

function maximumMtu(link: DesiredLink, underlay: ActualLink): number {
  return underlay.mtuBytes - (ipFamily(link.local) === 4 ? 50 : 70);
}

function vxlanOf({ vni, underlay, local, port, learning, gbp }: DesiredLink): ActualVxlan {
  return { vni, underlay, local, port, learning, gbp, external: false };
}

function addNew<K, V>(table: Map<K, V>, key: K, value: V): void {
  if (table.has(key)) throw new FakeFault('EEXIST', 'File exists');
  table.set(key, value);
}

function remove<K>(table: Map<K, unknown>, key: K, absent: string): void {
  if (!table.delete(key)) throw new FakeFault(absent, 'no such entry');
}

function addressKey({ link, address }: Pick<ActualAddress, 'link' | 'address'>): string {
  return `${link} ${formatInterfaceAddress(address)}`;
}

function neighbourKey({ link, ip }: Pick<ActualNeighbour, 'link' | 'ip'>): string {
  return `${link} ${formatIp(ip)}`;
}

export function fdbKey({ link, mac, remote }: ActualFdbEntry): string {
  return `${link} ${mac} ${formatIp(remote)}`;
}

export function routeKey({ destination, metric }: Pick<ActualRoute, 'destination' | 'metric'>): string {
  return `${cidrFamily(destination)} ${formatCidr(destination)} ${metric}`;
}

export function sysctlKey({ link, family, name }: Pick<ActualSysctl, 'link' | 'family' | 'name'>): string {
  return `${link} ${family} ${name}`;
}
