/** Nexthop objects and the routes over them. */
import {
  type ActualNexthop,
  type ActualRoute,
  type DesiredNexthop,
  type DesiredRoute,
  type NetworkOperation,
  NODE_ROUTE_PROTOCOL,
  type RouteTarget,
} from '@canal/model';
import { formatCidr, type InterfaceName } from 'net-types';
import type { NetworkConflict } from './conflict.ts';
import { DeltaTracker } from './delta-tracker.ts';
import { describeTarget } from './describe.ts';
import type { EntryDiffContext } from './diff-context.ts';
import { cidrKey } from './keys.ts';
import { isFlannelLeftover, isOwnNexthop, isOwnRoute, isSameWayUnmarked, type Way } from './ownership.ts';

export interface NexthopOutcome {
  /** Ids that hold what is desired when the phase `routes` comes. */
  readonly ready: ReadonlySet<number>;
  /** Ids that get their content in `swapped-nexthops`. */
  readonly swapped: ReadonlySet<number>;
  /** Ids whose object, and so every route over it, is gone with its device in this plan. */
  readonly lost: ReadonlySet<number>;
  readonly ways: ReadonlyMap<number, Way>;
}

export function diffNexthops(
  { links, inSync, plan }: EntryDiffContext,
  desired: readonly DesiredNexthop[],
  actual: readonly ActualNexthop[],
  conflicts: NetworkConflict[],
): NexthopOutcome {
  const foreign = new Set(actual.filter((nexthop) => !isOwnNexthop(nexthop)).map(({ id }) => id));
  const lost = new Set(
    actual.filter(({ target }) => target !== undefined && links.fresh.has(target.link)).map(({ id }) => id),
  );
  const tracker = new DeltaTracker<number, DesiredNexthop | ActualNexthop>(sameNexthop);
  for (const nexthop of desired) {
    const isForeignId = foreign.has(nexthop.id);
    if (isForeignId) conflicts.push(nexthopTaken(nexthop));
    if (isForeignId || links.taken.has(nexthop.link)) plan.withhold({ type: 'nexthop-add', nexthop });
    else tracker.setDesired(nexthop.id, nexthop);
  }
  for (const nexthop of actual) {
    if (!foreign.has(nexthop.id) && !lost.has(nexthop.id)) tracker.setActual(nexthop.id, nexthop);
  }
  const ready = new Set<number>();
  const swapped = new Set<number>();
  for (const nexthop of desired) {
    if (tracker.desired(nexthop.id) !== undefined) ready.add(nexthop.id);
  }
  for (const { key: id, desired: nexthop, actual: present } of tracker.pendingUpdates()) {
    if (!('gateway' in nexthop)) continue;
    if (present === undefined) {
      plan.add('nexthops', { type: 'nexthop-add', nexthop });
      continue;
    }
    ready.delete(id);
    // A peer that is not known yet may be using it.
    if (!inSync) continue;
    swapped.add(id);
    plan.add('swapped-nexthops', { type: 'nexthop-replace', nexthop });
  }
  if (inSync) {
    for (const [id] of tracker.pendingDeletions()) plan.add('stale-nexthops', { type: 'nexthop-delete', id });
  }
  return { ready, swapped, lost, ways: new Map(desired.map(({ id, gateway, link }) => [id, { gateway, link }])) };
}

function sameNexthop(desired: DesiredNexthop | ActualNexthop, actual: DesiredNexthop | ActualNexthop): boolean {
  const a = 'gateway' in desired ? desired : desired.target;
  const b = 'gateway' in actual ? actual : actual.target;
  if (a === undefined || b === undefined) return false;
  return a.gateway === b.gateway && a.link === b.link && a.onlink === b.onlink && a.family === b.family;
}

export function diffRoutes(
  context: EntryDiffContext,
  nexthops: NexthopOutcome,
  desired: readonly DesiredRoute[],
  actual: readonly ActualRoute[],
  conflicts: NetworkConflict[],
): void {
  const { links, inSync, plan } = context;
  const present = Map.groupBy(
    actual.filter((route) => !isLost(route, links.fresh, nexthops.lost)),
    routeKey,
  );
  for (const route of desired) {
    const key = routeKey(route);
    const rivals = present.get(key) ?? [];
    present.delete(key);
    const phase = phaseOf(route.target, links.taken, nexthops);
    if (phase === undefined) {
      plan.withhold({ type: 'route-add', route });
      continue;
    }
    const verdict = judge(route, rivals, links.own, nexthops.ways);
    if (verdict === 'taken') plan.withhold({ type: 'route-add', route });
    if (verdict === 'route-add' || verdict === 'route-replace') plan.add(phase, { type: verdict, route });
    // Of several with one destination and metric the kernel uses the first: ours behind another's carries nothing.
    else if (rivals[0] !== undefined && isForeign(rivals[0], route, links.own, nexthops.ways))
      conflicts.push(routeTaken(route, rivals[0]));
  }
  if (!inSync) return;
  for (const route of [...present.values()].flat()) {
    // Pod routes leave with the pod's device. One without a record belongs to an ADD that is still at work.
    const ours = route.protocol === NODE_ROUTE_PROTOCOL || isFlannelLeftover(route, links.own);
    const { protocol, destination, metric } = route;
    if (ours) plan.add('stale-routes', { type: 'route-delete', route: { protocol, destination, metric } });
  }
}

/** Destination and metric: of two routes with both the same, the kernel uses one. */
function routeKey({ destination, metric }: DesiredRoute | ActualRoute): string {
  return `${cidrKey(destination)} ${metric}`;
}

function isLost({ target }: ActualRoute, fresh: ReadonlySet<InterfaceName>, lostIds: ReadonlySet<number>): boolean {
  switch (target.type) {
    case 'nexthop':
      return lostIds.has(target.id);
    case 'gateway':
    case 'link':
      return fresh.has(target.link);
    case 'blackhole':
      return false;
    case 'other':
      return target.links.length > 0 && target.links.every((link) => fresh.has(link));
  }
}

/** undefined: the target cannot be had in this plan. */
function phaseOf(target: RouteTarget, taken: ReadonlySet<InterfaceName>, nexthops: NexthopOutcome) {
  if (target.type === 'nexthop') {
    if (nexthops.ready.has(target.id)) return 'routes';
    return nexthops.swapped.has(target.id) ? 'routes-over-swapped-nexthops' : undefined;
  }
  return target.type !== 'blackhole' && taken.has(target.link) ? undefined : 'routes';
}

type Verdict = Extract<NetworkOperation['type'], 'route-add' | 'route-replace'> | 'right' | 'taken';

function judge(
  route: DesiredRoute,
  rivals: readonly ActualRoute[],
  ownLinks: ReadonlySet<InterfaceName>,
  ways: ReadonlyMap<number, Way>,
): Verdict {
  if (rivals.length === 0) return 'route-add';
  if (rivals.some((rival) => isRight(route, rival))) return 'right';
  return rivals.every((rival) => isForeign(rival, route, ownLinks, ways)) ? 'taken' : 'route-replace';
}

/** Neither ours, nor what flannel left, nor the same way in somebody's unmarked route. */
function isForeign(
  rival: ActualRoute,
  route: DesiredRoute,
  ownLinks: ReadonlySet<InterfaceName>,
  ways: ReadonlyMap<number, Way>,
): boolean {
  const way = wayOf(route.target, ways);
  return !(
    isOwnRoute(rival) ||
    isFlannelLeftover(rival, ownLinks) ||
    (way !== undefined && isSameWayUnmarked(rival, way))
  );
}

function isRight(route: DesiredRoute, actual: ActualRoute): boolean {
  const sameSource = route.source === undefined || route.source === actual.source;
  return actual.protocol === route.protocol && sameSource && sameTarget(route.target, actual.target);
}

function wayOf(target: RouteTarget, ways: ReadonlyMap<number, Way>): Way | undefined {
  if (target.type === 'nexthop') return ways.get(target.id);
  if (target.type === 'link') return { gateway: undefined, link: target.link };
  return target.type === 'gateway' ? target : undefined;
}

function sameTarget(desired: RouteTarget, actual: ActualRoute['target']): boolean {
  switch (desired.type) {
    case 'nexthop':
      return actual.type === 'nexthop' && actual.id === desired.id;
    case 'gateway':
      return (
        actual.type === 'gateway' &&
        actual.gateway === desired.gateway &&
        actual.link === desired.link &&
        actual.onlink === desired.onlink
      );
    case 'link':
      return actual.type === 'link' && actual.link === desired.link;
    case 'blackhole':
      return actual.type === 'blackhole';
  }
}

function routeTaken(route: DesiredRoute, rival: ActualRoute): NetworkConflict {
  const destination = formatCidr(route.destination);
  const rivalText = `${destination} ${describeTarget(rival.target)} proto ${rival.protocol}`;
  return {
    code: 'RouteTaken',
    subject: `route ${destination} metric ${route.metric}`,
    message: `the route ${rivalText} is not canal's and stands in the way of ${destination} ${describeTarget(route.target)}`,
    cure: `if nothing needs it, delete it: ip route delete ${destination} proto ${rival.protocol} metric ${rival.metric}`,
  };
}

function nexthopTaken(nexthop: DesiredNexthop): NetworkConflict {
  return {
    code: 'NexthopTaken',
    subject: `nexthop ${nexthop.id}`,
    message: `the nexthop object ${nexthop.id} is not canal's, though its id is of canal's range`,
    cure: `if nothing needs it, delete it: ip nexthop delete id ${nexthop.id}`,
  };
}
