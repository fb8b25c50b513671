import { NEXTHOP_ID_COUNT, NEXTHOP_ID_FIRST } from '@canal/model';
import { stableHash } from './stable-hash.ts';

/**
 * Gives each key an id of canal's range. The result depends on the set of keys alone, not on their order or on what was
 * there before, so a restarted agent finds its own objects: a key goes to the slot its hash names, and where two meet,
 * the lesser one stays and the other goes on to the next slot of its own sequence. Hence a key that comes or goes moves
 * only those that wanted its slot: at 10,000 keys in 2^20 slots about one in a hundred has such a rival.
 */
export function assignNexthopIds(
  keys: Iterable<string>,
  taken: ReadonlySet<number> = new Set(),
): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  const used = new Set<number>(taken);
  for (const key of [...new Set(keys)].sort()) {
    const id = firstFree(key, used);
    used.add(id);
    ids.set(key, id);
  }
  return ids;
}

function firstFree(key: string, used: ReadonlySet<number>): number {
  for (let attempt = 0; attempt < NEXTHOP_ID_COUNT; attempt++) {
    const id = NEXTHOP_ID_FIRST + (stableHash(key, attempt) % NEXTHOP_ID_COUNT);
    if (!used.has(id)) return id;
  }
  // Reached only when the range is all but full; the cluster is then a hundred times larger than Kubernetes allows.
  throw new RangeError(`no free nexthop id for ${key}: ${used.size} of ${NEXTHOP_ID_COUNT} are used`);
}
