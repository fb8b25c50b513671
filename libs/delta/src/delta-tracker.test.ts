import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeltaTracker } from './delta-tracker.ts';

function tracker(desired: Record<string, number>, actual: Record<string, number>): DeltaTracker<string, number> {
  const subject = new DeltaTracker<string, number>((a, b) => a === b);
  subject.replaceDesired(Object.entries(desired));
  subject.replaceActual(Object.entries(actual));
  return subject;
}

describe('DeltaTracker', () => {
  test('creates what is missing, updates what differs, deletes what nobody desires', () => {
    const subject = tracker({ same: 1, differs: 2, missing: 3 }, { same: 1, differs: 9, stale: 4 });
    expect([...subject.pendingUpdates()]).toEqual([
      { key: 'differs', desired: 2, actual: 9 },
      { key: 'missing', desired: 3, actual: undefined },
    ]);
    expect([...subject.pendingDeletions()]).toEqual([['stale', 4]]);
    expect(subject.inSync).toBe(false);
  });

  test('an entry is settled when the kernel is told to have it', () => {
    const subject = tracker({ a: 1 }, { b: 2 });
    subject.setActual('a', 1);
    subject.deleteActual('b');
    expect(subject.inSync).toBe(true);
  });

  type Edit = readonly [side: 'desired' | 'actual', key: string, value: number | undefined];
  const key = fc.constantFrom('a', 'b', 'c', 'd');
  const edit: fc.Arbitrary<Edit> = fc.tuple(
    fc.constantFrom('desired' as const, 'actual' as const),
    key,
    fc.option(fc.nat(2), { nil: undefined }),
  );
  const side = fc.dictionary(key, fc.nat(2));

  test('after any edits, the pending changes are those of the two maps compared from scratch', () => {
    fc.assert(
      fc.property(side, side, fc.array(edit), fc.option(side), (desired, actual, edits, relist) => {
        const subject = tracker(desired, actual);
        const maps = { desired: new Map(Object.entries(desired)), actual: new Map(Object.entries(actual)) };
        for (const [which, name, value] of edits) {
          if (value === undefined) maps[which].delete(name);
          else maps[which].set(name, value);
          if (which === 'desired') {
            if (value === undefined) subject.deleteDesired(name);
            else subject.setDesired(name, value);
          } else if (value === undefined) subject.deleteActual(name);
          else subject.setActual(name, value);
        }
        if (relist !== null) {
          maps.actual = new Map(Object.entries(relist));
          subject.replaceActual(maps.actual);
        }
        const updates = [...maps.desired].filter(([name, value]) => maps.actual.get(name) !== value);
        const deletions = [...maps.actual].filter(([name]) => !maps.desired.has(name));
        expect(new Map([...subject.pendingUpdates()].map((u) => [u.key, u.desired]))).toEqual(new Map(updates));
        expect(new Map(subject.pendingDeletions())).toEqual(new Map(deletions));
        expect(subject.inSync).toBe(updates.length === 0 && deletions.length === 0);
      }),
    );
  });

  test('undoing every pending change of the kernel brings it in sync', () => {
    fc.assert(
      fc.property(side, side, (desired, actual) => {
        const subject = tracker(desired, actual);
        for (const update of [...subject.pendingUpdates()]) subject.setActual(update.key, update.desired);
        for (const [name] of [...subject.pendingDeletions()]) subject.deleteActual(name);
        expect(subject.inSync).toBe(true);
      }),
    );
  });
});
