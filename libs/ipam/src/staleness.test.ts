import fc from 'fast-check';
import { parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import {
  isGoneForSure,
  judgeOwner,
  judgeReservations,
  type JudgedReservation,
  NO_STALENESS,
  type OwnerEvidence,
  type StalenessState,
} from './staleness.ts';

const NOTHING_KNOWN: OwnerEvidence = {
  recordedBoot: 'unknown',
  netns: 'unknown',
  hostLink: 'unknown',
  runtimeCache: 'unknown',
};

describe('one owner', () => {
  test.each([
    [
      'a live pod of ours',
      { recordedBoot: 'this', netns: 'present', hostLink: 'present', runtimeCache: 'present' },
      'held',
    ],
    [
      'a namespace whose mount is gone while its link still is there',
      { recordedBoot: 'this', netns: 'absent', hostLink: 'present' },
      'held',
    ],
    [
      'a pod whose ADD has not made the link yet',
      { recordedBoot: 'this', netns: 'present', hostLink: 'absent' },
      'held',
    ],
    ['a namespace that is gone', { recordedBoot: 'this', netns: 'absent', hostLink: 'absent' }, 'unowned'],
    [
      'the same, still in the runtime’s cache',
      { recordedBoot: 'this', netns: 'absent', hostLink: 'absent', runtimeCache: 'present' },
      'unowned',
    ],
    [
      'no link, and a namespace path that cannot be looked at',
      { recordedBoot: 'this', netns: 'unknown', hostLink: 'absent' },
      'unowned',
    ],
    ['links that could not be listed', { recordedBoot: 'this', netns: 'absent', hostLink: 'unknown' }, 'held'],
    ['a record of an earlier boot', { recordedBoot: 'earlier', runtimeCache: 'present' }, 'dead'],
    [
      'an earlier boot, though a namespace has the same path again',
      { recordedBoot: 'earlier', netns: 'present' },
      'dead',
    ],
    [
      'host-local’s pod that the cache names, with its namespace',
      { netns: 'present', runtimeCache: 'present' },
      'held',
    ],
    ['host-local’s pod that the cache names, without namespace in it', { runtimeCache: 'present' }, 'held'],
    [
      'host-local’s pod whose cached namespace is gone: its DEL is to come',
      { netns: 'absent', runtimeCache: 'present' },
      'held',
    ],
    ['no record and no cache entry: a leak, or an ADD in flight', { runtimeCache: 'absent' }, 'unowned'],
    ['nothing could be seen', {}, 'held'],
  ] satisfies [string, Partial<OwnerEvidence>, string][])('%s: %#', (_what, evidence, verdict) => {
    expect(judgeOwner({ ...NOTHING_KNOWN, ...evidence })).toBe(verdict);
  });
});

const LEAK: OwnerEvidence = { ...NOTHING_KNOWN, runtimeCache: 'absent' };
const GRACE_MS = 120_000;

function reservation(evidence: OwnerEvidence, generation = '1', last = 5): JudgedReservation {
  return { ip: unwrap(parseIp(`10.244.1.${last}`)), generation, evidence };
}

/** Rounds of (time, what is seen); gives the number of releases of each. */
function rounds(...steps: [number, JudgedReservation[]][]): number[] {
  let state: StalenessState = NO_STALENESS;
  return steps.map(([nowMs, seen]) => {
    const decision = judgeReservations(seen, state, nowMs, GRACE_MS);
    state = decision.state;
    return decision.release.length;
  });
}

describe('round after round', () => {
  test('an unowned address is released after the grace time, not before', () => {
    const leak = [reservation(LEAK)];
    expect(rounds([0, leak], [GRACE_MS - 1, leak], [GRACE_MS, leak])).toEqual([0, 0, 1]);
  });

  test('a dead owner’s address is released at once', () => {
    expect(rounds([0, [reservation({ ...LEAK, recordedBoot: 'earlier' })]])).toEqual([1]);
  });

  test('an owner that shows up in between starts the time anew', () => {
    const leak = [reservation(LEAK)];
    const held = [reservation({ ...LEAK, netns: 'present' })];
    expect(rounds([0, leak], [60_000, held], [GRACE_MS, leak], [2 * GRACE_MS, leak])).toEqual([0, 0, 0, 1]);
  });

  test('an address given out anew starts the time anew, though each round found it unowned', () => {
    const steps = [reservation(LEAK, '1')];
    expect(rounds([0, steps], [GRACE_MS, [reservation(LEAK, '2')]])).toEqual([0, 0]);
  });

  test('a release that failed is tried again in the next round', () => {
    const leak = [reservation(LEAK)];
    expect(rounds([0, leak], [GRACE_MS, leak], [GRACE_MS + 1, leak])).toEqual([0, 1, 1]);
  });

  test('an agent that starts anew waits the grace time anew', () => {
    expect(rounds([10 * GRACE_MS, [reservation(LEAK)]])).toEqual([0]);
  });
});

test('whatever is seen, an address whose namespace or link is there in this boot is never released', () => {
  const sighting = fc.constantFrom('present', 'absent', 'unknown');
  const evidence: fc.Arbitrary<OwnerEvidence> = fc.record({
    recordedBoot: fc.constantFrom('this', 'unknown'),
    netns: sighting,
    hostLink: sighting,
    runtimeCache: sighting,
  });
  fc.assert(
    fc.property(fc.array(fc.array(evidence, { maxLength: 4 }), { maxLength: 6 }), (history) => {
      let state = NO_STALENESS;
      for (const [round, seen] of history.entries()) {
        const judged = seen.map((each, index) => reservation(each, '1', index + 2));
        const decision = judgeReservations(judged, state, round * GRACE_MS, GRACE_MS);
        state = decision.state;
        for (const { evidence: released } of decision.release) {
          expect([released.netns, released.hostLink]).not.toContain('present');
        }
      }
    }),
  );
});

describe('on demand, without the grace time', () => {
  const GONE: OwnerEvidence = { ...NOTHING_KNOWN, recordedBoot: 'this', netns: 'absent', hostLink: 'absent' };

  test.each<[string, Partial<OwnerEvidence>, boolean]>([
    ['its namespace and its link are gone', {}, true],
    ['the same, still in the runtime’s cache', { runtimeCache: 'present' }, true],
    ['it is of an earlier boot', { recordedBoot: 'earlier', netns: 'unknown' }, true],
    ['an ADD has its namespace and not its link yet', { netns: 'present' }, false],
    ['namespaces cannot be seen: an ADD may be at work', { netns: 'unknown' }, false],
    ['its link is there', { hostLink: 'present' }, false],
    ['links could not be listed', { hostLink: 'unknown' }, false],
    ['without a record: another plugin may be at work', { recordedBoot: 'unknown', runtimeCache: 'absent' }, false],
  ])('%s: %j is %j', (_name, evidence, gone) => {
    expect(isGoneForSure({ ...GONE, ...evidence })).toBe(gone);
  });

  test('what is held is never gone', () => {
    const sighting = fc.constantFrom('present', 'absent', 'unknown');
    const evidence = fc.record({
      recordedBoot: fc.constantFrom('this', 'earlier', 'unknown'),
      netns: sighting,
      hostLink: sighting,
      runtimeCache: sighting,
    }) as fc.Arbitrary<OwnerEvidence>;
    fc.assert(
      fc.property(evidence, (each) => {
        if (judgeOwner(each) === 'held') expect(isGoneForSure(each)).toBe(false);
      }),
    );
  });
});
