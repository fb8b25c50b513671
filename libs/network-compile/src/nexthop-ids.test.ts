import { NEXTHOP_ID_COUNT, NEXTHOP_ID_FIRST } from '@canal/model';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assignNexthopIds } from './nexthop-ids.ts';
import { stableHash } from './stable-hash.ts';

const keys = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 40 });

describe('assignNexthopIds', () => {
  test('ids are unique, within the range, clear of taken ones, and independent of order', () => {
    fc.assert(
      fc.property(keys, fc.array(fc.nat(NEXTHOP_ID_COUNT - 1), { maxLength: 5 }), (all, takenOffsets) => {
        const taken = new Set(takenOffsets.map((offset) => NEXTHOP_ID_FIRST + offset));
        const ids = assignNexthopIds(all, taken);
        expect(new Set(ids.values()).size).toBe(all.length);
        for (const id of ids.values()) {
          expect(taken.has(id)).toBe(false);
          expect(id >= NEXTHOP_ID_FIRST && id < NEXTHOP_ID_FIRST + NEXTHOP_ID_COUNT).toBe(true);
        }
        expect([...assignNexthopIds(all.toReversed(), taken)]).toEqual([...ids]);
      }),
    );
  });

  test('a taken id moves only the key that wanted it', () => {
    const all = Array.from({ length: 50 }, (_, index) => `flannel.1 10.244.${index}.0`);
    const free = assignNexthopIds(all);
    const [first] = free;
    if (first === undefined) throw new Error('no key');
    const moved = [...assignNexthopIds(all, new Set([first[1]]))].filter(([key, id]) => free.get(key) !== id);
    expect(moved.map(([key]) => key)).toEqual([first[0]]);
  });

  test('one peer of ten thousand that goes and comes back moves next to nobody', () => {
    const all = Array.from({ length: 10_000 }, (_, index) => `flannel.1 10.${index >> 8}.${index & 255}.0`);
    const before = assignNexthopIds(all);
    let moved = 0;
    for (let index = 0; index < 20; index++) {
      const gone = all[index * 499];
      const after = assignNexthopIds(all.filter((key) => key !== gone));
      moved += [...after].filter(([key, id]) => before.get(key) !== id).length;
    }
    expect(moved).toBeLessThanOrEqual(2);
  });

  test('keys whose hashes collide get an id each, the lesser one its own', () => {
    const byId = new Map<number, string>();
    let pair: readonly [string, string] | undefined;
    for (let index = 0; pair === undefined; index++) {
      const key = `k${index}`;
      const id = stableHash(key, 0) % NEXTHOP_ID_COUNT;
      const rival = byId.get(id);
      if (rival !== undefined) pair = rival < key ? [rival, key] : [key, rival];
      byId.set(id, key);
    }
    const [lesser, greater] = pair;
    const together = assignNexthopIds(pair);
    expect(together.get(lesser)).toBe(assignNexthopIds([lesser]).get(lesser));
    expect(together.get(greater)).not.toBe(together.get(lesser));
  });
});
