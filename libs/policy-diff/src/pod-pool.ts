/** Pods told as namespaces and workloads, or as all but some, whichever is shorter. */
import type { IpFamily } from 'net-types';
import type { ComparedPod } from './compared-pods.ts';
import type { PodsEnd } from './policy-diff.ts';

/** All pods that are compared, counted so that it is known when all of something are meant. */
export class PodPool {
  readonly #pods: readonly ComparedPod[];
  readonly #pools = new Map<string, Pool>();

  constructor(pods: readonly ComparedPod[]) {
    this.#pods = pods;
  }

  /** `places` of pods, each of which has an address of one of the families. */
  describe(places: ReadonlySet<number>, families: readonly IpFamily[]): readonly PodsEnd[] {
    if (places.size === 0) return [];
    const pool = this.#poolOf(families);
    const pods = places.size;
    if (pods === pool.places.length) return [{ type: 'pods', pods }];
    const told = this.#listed(places, pool, true);
    if (pods * 2 < pool.places.length) return told;
    const others = new Set(pool.places.filter((place) => !places.has(place)));
    const but = this.#listed(others, pool, false);
    return isShorter(but, told) ? [{ type: 'pods', pods, but }] : told;
  }

  /** By namespaces, and workloads where a namespace is not whole. `mayExcept`: nor nearly whole. */
  #listed(places: ReadonlySet<number>, pool: Pool, mayExcept: boolean): PodsEnd[] {
    const ends: PodsEnd[] = [];
    const apart: ComparedPod[] = [];
    for (const [name, members] of inOrder(Map.groupBy(places, (place) => this.#at(place).pod[0].namespace))) {
      const all = pool.namespaces.get(name);
      const pods = members.map((place) => this.#at(place));
      const whole = { type: 'namespace' as const, name, pods: pods.length };
      if (all !== undefined && all.places.length === pods.length && all.workloads.size > 1) {
        ends.push(whole);
        continue;
      }
      if (mayExcept && all !== undefined && pods.length * 2 > all.places.length) {
        const others = all.places.filter((place) => !places.has(place)).map((place) => this.#at(place));
        const but = workloadEnds(others, pool);
        if (but.length > 0 && isShorter(but, workloadEnds(pods, pool))) {
          ends.push({ ...whole, but });
          continue;
        }
      }
      apart.push(...pods);
    }
    return [...ends, ...workloadEnds(apart, pool)];
  }

  #at(place: number): ComparedPod {
    return this.#pods[place] as ComparedPod;
  }

  #poolOf(families: readonly IpFamily[]): Pool {
    const key = families.join();
    let pool = this.#pools.get(key);
    if (pool === undefined) this.#pools.set(key, (pool = poolOf(this.#pods, families)));
    return pool;
  }
}

interface Pool {
  readonly places: readonly number[];
  /** How many pods there are of each. */
  readonly workloads: ReadonlyMap<string, number>;
  readonly namespaces: ReadonlyMap<string, { readonly places: number[]; readonly workloads: Set<string> }>;
}

function poolOf(pods: readonly ComparedPod[], families: readonly IpFamily[]): Pool {
  const places: number[] = [];
  const workloads = new Map<string, number>();
  const namespaces = new Map<string, { readonly places: number[]; readonly workloads: Set<string> }>();
  for (const [place, { workload, pod, addresses }] of pods.entries()) {
    if (!families.some((family) => addresses.has(family))) continue;
    places.push(place);
    workloads.set(workload, (workloads.get(workload) ?? 0) + 1);
    const { namespace } = pod[0];
    let counted = namespaces.get(namespace);
    if (counted === undefined) namespaces.set(namespace, (counted = { places: [], workloads: new Set() }));
    counted.places.push(place);
    counted.workloads.add(workload);
  }
  return { places, workloads, namespaces };
}

function workloadEnds(pods: readonly ComparedPod[], pool: Pool): PodsEnd[] {
  return inOrder(Map.groupBy(pods, ({ workload }) => workload)).map(([name, members]) => {
    const of = pool.workloads.get(name) ?? 0;
    const told = { type: 'workload' as const, name, pods: members.length, of };
    return members.length === of ? told : { ...told, only: members.map(({ path }) => path) };
  });
}

/** By so much that it is worth a "but". */
function isShorter(but: readonly PodsEnd[], told: readonly PodsEnd[]): boolean {
  return but.length * 2 < told.length;
}

function inOrder<T>(byName: ReadonlyMap<string, T>): (readonly [string, T])[] {
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
}
