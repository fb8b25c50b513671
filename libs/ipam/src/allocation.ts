/**
 * Which addresses a container gets: a decision over a snapshot of the pool. The caller holds the pool's lock from the
 * snapshot until it has carried out the plan.
 */
import { err, formatIp, type Ip, ipAdd, ok, type Result } from 'net-types';
import { type AddressRange, isAssignable, isWithin, type RangeSet } from './address-range.ts';

export interface PoolSnapshot {
  /** All addresses that anyone holds, this container included. */
  readonly taken: ReadonlySet<Ip>;
  /** Those that this container and interface holds already: an ADD that was killed and is tried again. */
  readonly owned: readonly Ip[];
  /** The address given out last, for each range set: the search goes on behind it. */
  readonly lastReserved: readonly (Ip | undefined)[];
}

export interface AllocationRequest {
  /** One address of each is given. */
  readonly rangeSets: readonly RangeSet[];
  /** Addresses asked for by name, at most one of a range set. */
  readonly requested: readonly Ip[];
}

export interface Grant {
  readonly rangeSet: number;
  readonly range: AddressRange;
  readonly ip: Ip;
  /** False when the container held it before: undoing this ADD must not release it. */
  readonly fresh: boolean;
}

export interface AllocationPlan {
  /** In the order of the range sets. */
  readonly grants: readonly Grant[];
  /** Owned addresses that no grant uses: to be released. */
  readonly surplus: readonly Ip[];
}

export type AllocationProblem =
  | { readonly kind: 'exhausted'; readonly rangeSet: RangeSet }
  | { readonly kind: 'not-assignable'; readonly ip: Ip }
  | { readonly kind: 'held-by-another'; readonly ip: Ip }
  | { readonly kind: 'asked-twice'; readonly ip: Ip };

/** All families or none: a problem of one range set is a problem of the whole. */
export function planAllocation(
  pool: PoolSnapshot,
  request: AllocationRequest,
): Result<AllocationPlan, AllocationProblem> {
  const wanted = assignRequests(request);
  if (!wanted.ok) return wanted;
  const grants: Grant[] = [];
  for (const [rangeSet, ranges] of request.rangeSets.entries()) {
    const grant = grantOne(pool, ranges, rangeSet, wanted.value.get(rangeSet));
    if (!grant.ok) return grant;
    grants.push(grant.value);
  }
  const used = new Set(grants.map((grant) => grant.ip));
  return ok({ grants, surplus: pool.owned.filter((ip) => !used.has(ip)) });
}

/** Which range set each requested address belongs to. */
function assignRequests(request: AllocationRequest): Result<ReadonlyMap<number, Ip>, AllocationProblem> {
  const wanted = new Map<number, Ip>();
  for (const ip of request.requested) {
    const rangeSet = request.rangeSets.findIndex((ranges) => ranges.some((range) => isAssignable(range, ip)));
    if (rangeSet < 0) return err({ kind: 'not-assignable', ip });
    const earlier = wanted.get(rangeSet);
    if (earlier !== undefined && earlier !== ip) return err({ kind: 'asked-twice', ip });
    wanted.set(rangeSet, ip);
  }
  return ok(wanted);
}

function grantOne(
  pool: PoolSnapshot,
  ranges: RangeSet,
  rangeSet: number,
  wanted: Ip | undefined,
): Result<Grant, AllocationProblem> {
  const grant = (ip: Ip, fresh: boolean): Result<Grant, AllocationProblem> => {
    const range = ranges.find((candidate) => isAssignable(candidate, ip));
    return range === undefined ? err({ kind: 'not-assignable', ip }) : ok({ rangeSet, range, ip, fresh });
  };
  if (wanted !== undefined) {
    if (pool.owned.includes(wanted)) return grant(wanted, false);
    return pool.taken.has(wanted) ? err({ kind: 'held-by-another', ip: wanted }) : grant(wanted, true);
  }
  const own = pool.owned.find((ip) => ranges.some((range) => isAssignable(range, ip)));
  if (own !== undefined) return grant(own, false);
  const free = nextFree(ranges, pool.lastReserved[rangeSet], pool.taken);
  return free === undefined ? err({ kind: 'exhausted', rangeSet: ranges }) : grant(free, true);
}

/**
 * The first free address behind the one given out last, round the whole set: a released address comes back only after
 * all others that are free, so that late packets and stale neighbour entries of its last owner find nobody.
 */
function nextFree(ranges: RangeSet, last: Ip | undefined, taken: ReadonlySet<Ip>): Ip | undefined {
  const at = last === undefined ? -1 : ranges.findIndex((range) => isWithin(range, last));
  const start = Math.max(at, 0);
  const order = [...ranges.slice(start), ...ranges.slice(0, start)];
  const head = order[0];
  if (head === undefined) return undefined;
  if (at >= 0 && last !== undefined) {
    const behind = ipAdd(last, 1);
    const found = behind === undefined ? undefined : firstFree(head, behind, head.last, taken);
    if (found !== undefined) return found;
    order.shift();
    // The stretch of the first range up to the last address closes the circle.
    return firstFreeOf(order, taken) ?? firstFree(head, head.first, last, taken);
  }
  return firstFreeOf(order, taken);
}

function firstFreeOf(ranges: RangeSet, taken: ReadonlySet<Ip>): Ip | undefined {
  for (const range of ranges) {
    const found = firstFree(range, range.first, range.last, taken);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** At most one step for each taken address, however large the range is. */
function firstFree(range: AddressRange, from: Ip, to: Ip, taken: ReadonlySet<Ip>): Ip | undefined {
  for (let ip: Ip | undefined = from; ip !== undefined && ip <= to; ip = ipAdd(ip, 1)) {
    if (ip !== range.gateway && !taken.has(ip)) return ip;
  }
  return undefined;
}

/** For people: what is wrong, and of which address or range. */
export function describeAllocationProblem(problem: AllocationProblem): string {
  switch (problem.kind) {
    case 'exhausted': {
      const ranges = problem.rangeSet.map((range) => `${formatIp(range.first)}-${formatIp(range.last)}`);
      return `no free address in ${ranges.join(', ')}`;
    }
    case 'not-assignable':
      return `${formatIp(problem.ip)} is not an address that this node gives to containers`;
    case 'held-by-another':
      return `${formatIp(problem.ip)} is held by another container`;
    case 'asked-twice':
      return `${formatIp(problem.ip)} is the second address asked for of the same range`;
  }
}
