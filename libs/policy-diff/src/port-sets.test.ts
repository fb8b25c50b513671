import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ALL_PORTS, NO_PORTS, type PortSetId, PortSets } from './port-sets.ts';
import { portsText } from './ports-text.ts';

const span = fc.tuple(fc.constantFrom('TCP' as const, 'UDP' as const), fc.nat(40), fc.nat(10));
const spans = fc.array(span, { maxLength: 6 });

test('sets are as the ports that are in them', () => {
  fc.assert(
    fc.property(spans, spans, (a, b) => {
      const sets = new PortSets();
      const make = (list: typeof a): PortSetId =>
        list.reduce(
          (set, [protocol, first, more]) => sets.union(set, sets.range(protocol, first, first + more)),
          NO_PORTS,
        );
      const members = (list: typeof a): Set<string> =>
        new Set(
          list.flatMap(([protocol, first, more]) =>
            Array.from({ length: more + 1 }, (_, at) => `${protocol} ${first + at}`),
          ),
        );
      const read = (set: PortSetId): Set<string> => {
        const ranges = sets.ranges(set);
        if (ranges === 'all') throw new Error('not all');
        return new Set(
          ranges.flatMap((range) =>
            range.protocol === 'other'
              ? []
              : Array.from(
                  { length: range.last - range.first + 1 },
                  (_, at) => `${range.protocol} ${range.first + at}`,
                ),
          ),
        );
      };
      const [setA, setB, inA, inB] = [make(a), make(b), members(a), members(b)];
      expect(read(sets.union(setA, setB))).toEqual(inA.union(inB));
      expect(read(sets.intersection(setA, setB))).toEqual(inA.intersection(inB));
      expect(read(sets.difference(setA, setB))).toEqual(inA.difference(inB));
      expect(sets.includes(setA, setB)).toBe(inB.isSubsetOf(inA));
      expect(sets.size(setA)).toBe(inA.size);
      // However it was come by, an equal set is the same number.
      expect(sets.difference(ALL_PORTS, sets.difference(ALL_PORTS, setA))).toBe(setA);
    }),
  );
});

test('ports in words', () => {
  const sets = new PortSets();
  const text = (set: PortSetId): string => portsText(sets.ranges(set), 8);
  const but = (set: PortSetId): PortSetId => sets.difference(ALL_PORTS, set);
  const postgres = sets.range('TCP', 5432, 5432);
  const tcp = sets.range('TCP', 0, 65_535);
  expect(text(ALL_PORTS)).toBe('all');
  expect(text(postgres)).toBe('TCP 5432');
  expect(text(but(postgres))).toBe('all but TCP 5432');
  expect(text(sets.union(postgres, sets.range('UDP', 53, 60)))).toBe('TCP 5432, UDP 53-60');
  expect(text(tcp)).toBe('TCP');
  expect(text(but(tcp))).toBe('all but TCP');
  expect(text(sets.difference(tcp, postgres))).toBe('TCP 0-5431, TCP 5433-65535');
  expect(sets.ranges(but(tcp))).toEqual([
    { protocol: 'UDP', first: 0, last: 65_535 },
    { protocol: 'SCTP', first: 0, last: 65_535 },
    { protocol: 'other' },
  ]);
});
