/** Kernel events, sorted by what they concern, with the echo of this agent's own requests left out. */
import type { KernelChange, KernelEvent, MonitorScope } from '@canal/kernel-port';
import { type NetnsRef, openNetlinkEventSocket, traceFromEnvironment } from '@canal/linux-ffi';
import { cidrsOverlap } from 'net-types';
import {
  AF,
  createNetlinkMonitor,
  decodeRtnetlinkEvent,
  type MessageFrame,
  type Neighbour,
  NUD,
  type Route,
  RT_TABLE,
  routeDestination,
  routeTableOf,
  RTM_F,
  RTNLGRP,
  type RtnetlinkEvent,
} from 'netlink-ts';
import { linkName } from './link-names.ts';
import { isNexthopIdOfCanal } from './read-routes.ts';

const GROUPS = [
  RTNLGRP.LINK,
  RTNLGRP.NEIGH,
  RTNLGRP.IPV4_IFADDR,
  RTNLGRP.IPV6_IFADDR,
  RTNLGRP.IPV4_ROUTE,
  RTNLGRP.IPV6_ROUTE,
  RTNLGRP.IPV4_NETCONF,
  RTNLGRP.IPV6_NETCONF,
  RTNLGRP.NEXTHOP,
];

/** RTM_NEWNETCONF and RTM_DELNETCONF (linux/rtnetlink.h): a switch of a device changed. */
const NETCONF = new Set([80, 81]);

export interface MonitorDeps {
  readonly netns: NetnsRef | undefined;
  /** Port ids of this agent's request sockets: what the kernel reports of their requests is known already. */
  readonly isOwnPort: (portId: number) => boolean;
  /** Indices of the links in scope as they are now; asked after the socket listens. */
  readonly indicesInScope: () => Iterable<number>;
}

export async function* monitorKernel(
  deps: MonitorDeps,
  scope: MonitorScope,
  signal: AbortSignal,
): AsyncGenerator<KernelEvent> {
  const sorter = new EventSorter(scope);
  const monitor = createNetlinkMonitor<KernelChange>(
    () => openNetlinkEventSocket({ netns: deps.netns, groups: GROUPS }),
    (frame) => (deps.isOwnPort(frame.portId) ? undefined : sorter.sort(frame)),
    { signal, trace: traceFromEnvironment() },
  );
  sorter.reset(deps.indicesInScope());
  yield { type: 'resync' };
  for await (const event of monitor) {
    if (typeof event === 'string') {
      yield { type: 'changed', changes: new Set([event]) };
    } else {
      sorter.reset(deps.indicesInScope());
      yield { type: 'resync' };
    }
  }
}

class EventSorter {
  readonly #scope: MonitorScope;
  /** Links in scope by index, for events that name no device. */
  readonly #inScope = new Set<number>();

  constructor(scope: MonitorScope) {
    this.#scope = scope;
  }

  reset(indices: Iterable<number>): void {
    this.#inScope.clear();
    for (const index of indices) this.#inScope.add(index);
  }

  /** undefined when it concerns nothing that canal looks at. */
  sort(frame: MessageFrame): KernelChange | undefined {
    if (NETCONF.has(frame.type)) return 'sysctl';
    const event = decodeRtnetlinkEvent(frame);
    switch (event?.type) {
      case 'link':
        return this.#link(event);
      case 'address':
        return 'address';
      case 'neighbour':
        return this.#neighbour(event.neighbour, event.action);
      case 'route':
        return this.#route(event.route);
      case 'nexthop': {
        const { id, protocol } = event.nexthop;
        const concerns = this.#scope.routeProtocols.includes(protocol) || (id !== undefined && isNexthopIdOfCanal(id));
        return concerns ? 'nexthop' : undefined;
      }
      default:
        return undefined;
    }
  }

  #link({ link, action }: Extract<RtnetlinkEvent, { type: 'link' }>): KernelChange | undefined {
    const name = linkName(link);
    // What a bridge tells of its ports comes as a link of another family; that it has one no more is no end of the link.
    if (link.family === AF.BRIDGE) return name !== undefined && this.#scope.links(name) ? 'link' : undefined;
    if (action === 'new' && name !== undefined && this.#scope.links(name)) this.#inScope.add(link.index);
    else if (action === 'del') this.#inScope.delete(link.index);
    return 'link';
  }

  #neighbour({ index, family, state }: Neighbour, action: 'new' | 'del'): KernelChange | undefined {
    if (!this.#inScope.has(index)) return undefined;
    if (family === AF.BRIDGE) return 'fdb';
    // What the kernel makes up for multicast and broadcast is nobody's entry.
    return action === 'new' && state === NUD.NOARP ? undefined : 'neighbour';
  }

  #route(route: Route): KernelChange | undefined {
    if (routeTableOf(route) !== RT_TABLE.MAIN || (route.flags & RTM_F.CLONED) !== 0) return undefined;
    if (this.#scope.routeProtocols.includes(route.protocol)) return 'route';
    const destination = routeDestination(route);
    if (destination === undefined) return undefined;
    return this.#scope.networks.some((network) => cidrsOverlap(network, destination)) ? 'foreign-route' : undefined;
  }
}
