/** One change of the kernel's network, as the diff plans it and kernel-port performs it. */
import type { InterfaceName } from 'net-types';
import type {
  DesiredAddress,
  DesiredFdbEntry,
  DesiredLink,
  DesiredNeighbour,
  DesiredNexthop,
  DesiredPort,
  DesiredProxy,
  DesiredRoute,
  DesiredSysctl,
} from './network-state.ts';

export type NetworkOperation =
  /** Creates the device with all its attributes, up. Fails with EEXIST when the name is taken. */
  | { readonly type: 'link-add'; readonly link: DesiredLink }
  /** Changes the named attributes of a device that carries traffic, nothing else. */
  | { readonly type: 'link-change'; readonly link: DesiredLink; readonly changes: readonly LinkChange[] }
  | { readonly type: 'link-delete'; readonly name: InterfaceName }
  /** Switches on an existing device of any kind. Fails with ENODEV when it is gone. */
  | { readonly type: 'link-up'; readonly name: InterfaceName }
  /** Sets the flag of a port. Fails with EOPNOTSUPP or EINVAL when the device is on no bridge. */
  | { readonly type: 'port-set'; readonly port: DesiredPort }
  | { readonly type: 'address-add'; readonly address: DesiredAddress }
  | { readonly type: 'address-delete'; readonly address: DesiredAddress }
  /** Creates or overwrites. */
  | { readonly type: 'neighbour-set'; readonly neighbour: DesiredNeighbour }
  | { readonly type: 'neighbour-delete'; readonly neighbour: DesiredNeighbour }
  /** Creates, or takes over one that is there. */
  | { readonly type: 'proxy-set'; readonly proxy: DesiredProxy }
  | { readonly type: 'proxy-delete'; readonly proxy: DesiredProxy }
  /** Creates, or swaps the remote of the same MAC. */
  | { readonly type: 'fdb-set'; readonly entry: DesiredFdbEntry }
  | { readonly type: 'fdb-delete'; readonly entry: DesiredFdbEntry }
  /** Fails with EEXIST when the id is taken. */
  | { readonly type: 'nexthop-add'; readonly nexthop: DesiredNexthop }
  | { readonly type: 'nexthop-replace'; readonly nexthop: DesiredNexthop }
  | { readonly type: 'nexthop-delete'; readonly id: number }
  /** Fails with EEXIST when a route with that destination and metric is there, whoever made it. */
  | { readonly type: 'route-add'; readonly route: DesiredRoute }
  /** Takes the place of the route with that destination and metric without a moment in between. */
  | { readonly type: 'route-replace'; readonly route: DesiredRoute }
  /** Matches destination, metric and protocol. */
  | { readonly type: 'route-delete'; readonly route: RouteKey }
  | { readonly type: 'sysctl-set'; readonly sysctl: DesiredSysctl };

export type NetworkOperationType = NetworkOperation['type'];

/** Attributes of a vxlan device that the kernel changes live; the others need a new device. */
export type LinkChange = 'mac' | 'mtu' | 'local' | 'underlay' | 'learning' | 'up' | 'alias';

/** What tells one route of the main table from another. */
export type RouteKey = Pick<DesiredRoute, 'protocol' | 'destination' | 'metric'>;
