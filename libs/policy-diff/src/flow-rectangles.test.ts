import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FlowRow } from './changed-flows.ts';
import { flowRectangles } from './flow-rectangles.ts';
import { ALL_PORTS, NO_PORTS, type PortSetId, PortSets } from './port-sets.ts';

const WIDTH = 6;
const cells = fc.array(fc.array(fc.nat(7), { minLength: WIDTH, maxLength: WIDTH }), { minLength: 1, maxLength: 8 });

/** A number's bits are ports. */
function setOf(sets: PortSets, bits: number): PortSetId {
  let set = NO_PORTS;
  for (const port of [0, 1, 2]) if (bits & (1 << port)) set = sets.union(set, sets.range('TCP', port, port));
  return set;
}

/** Equal rows as one, as they come. */
function rowsOf(table: readonly (readonly number[])[], sets: PortSets): FlowRow[] {
  const rows = Map.groupBy(table.keys(), (at) => table[at]!.join());
  return [...rows.values()]
    .filter(([at]) => table[at!]!.some((bits) => bits > 0))
    .map((sources) => ({ sources, ports: Int32Array.from(table[sources[0]!]!, (bits) => setOf(sets, bits)) }));
}

test.each([0, 20, 20_000_000])('rectangles cover what there is and nothing else, with patience %d', (patience) => {
  fc.assert(
    fc.property(cells, (table) => {
      const sets = new PortSets();
      const covered = table.map((row) => row.map(() => NO_PORTS));
      for (const { sources, destinations, ports } of flowRectangles(rowsOf(table, sets), sets, patience)) {
        for (const at of sources) {
          for (const to of destinations) covered[at]![to] = sets.union(covered[at]![to]!, ports);
        }
      }
      expect(covered).toEqual(table.map((row) => row.map((bits) => setOf(sets, bits))));
    }),
    { numRuns: 1000 },
  );
});

test('two changes that cross are two rectangles, not three', () => {
  const sets = new PortSets();
  const [a, b] = [1, 2];
  const table = [
    [a, a, a + b],
    [0, 0, b],
    [0, 0, b],
  ];
  const told = flowRectangles(rowsOf(table, sets), sets);
  expect(told).toHaveLength(2);
  expect(told).toContainEqual({ sources: [0], destinations: [0, 1, 2], ports: setOf(sets, a) });
  expect(told).toContainEqual({ sources: [0, 1, 2], destinations: [2], ports: setOf(sets, b) });
});

test('what a wide rectangle tells, a narrow one does not tell again', () => {
  const sets = new PortSets();
  const postgres = sets.range('TCP', 5432, 5432);
  const rows = [
    { sources: [0, 1], ports: Int32Array.of(ALL_PORTS) },
    { sources: [2], ports: Int32Array.of(postgres) },
  ];
  expect(flowRectangles(rows, sets)).toEqual([
    { sources: [0, 1], destinations: [0], ports: ALL_PORTS },
    { sources: [2], destinations: [0], ports: postgres },
  ]);
});
