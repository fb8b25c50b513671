import fc from 'fast-check';
import { formatIp, type Ip, parseCidr, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { createRange, isAssignable, type RangeSet, type RangeSpec } from './address-range.ts';
import { describeAllocationProblem, planAllocation, type PoolSnapshot } from './allocation.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));

function rangeOf(subnet: string, rest: Omit<RangeSpec, 'subnet'> = {}): RangeSet {
  const result = createRange({ subnet: unwrap(parseCidr(subnet)), ...rest });
  if (!result.ok) throw new Error(result.error);
  return [result.value];
}

const V4 = rangeOf('10.244.1.0/29');
const V6 = rangeOf('fd00:1::/125');

function pool(taken: string[], last: string[] = [], owned: string[] = []): PoolSnapshot {
  return {
    taken: new Set([...taken, ...owned].map(ip)),
    owned: owned.map(ip),
    lastReserved: last.map((text) => (text === '' ? undefined : ip(text))),
  };
}

/** The grants as text, a star behind those that the container held before; or the problem. */
function plan(snapshot: PoolSnapshot, rangeSets: RangeSet[], requested: string[] = []): string {
  const result = planAllocation(snapshot, { rangeSets, requested: requested.map(ip) });
  if (!result.ok) return describeAllocationProblem(result.error);
  const grants = result.value.grants.map((grant) => `${formatIp(grant.ip)}${grant.fresh ? '' : '*'}`);
  return [...grants, ...result.value.surplus.map((surplus) => `-${formatIp(surplus)}`)].join(' ');
}

describe('the next address', () => {
  test.each([
    ['of an empty pool is the first behind the gateway', [], [], '10.244.1.2'],
    ['follows the one given out last', [], ['10.244.1.3'], '10.244.1.4'],
    ['is not the one just released, as long as others are free', [], ['10.244.1.2'], '10.244.1.3'],
    ['skips taken ones', ['10.244.1.4', '10.244.1.5'], ['10.244.1.3'], '10.244.1.6'],
    ['goes round at the end, over network, broadcast and gateway', [], ['10.244.1.6'], '10.244.1.2'],
    [
      'is the one given out last when it alone is free',
      ['10.244.1.2', '10.244.1.3', '10.244.1.5', '10.244.1.6'],
      ['10.244.1.4'],
      '10.244.1.4',
    ],
    ['is the first when the last one is of another subnet', [], ['10.9.9.9'], '10.244.1.2'],
    ['is the first when the last one is of the other family', [], ['fd00:1::4'], '10.244.1.2'],
  ])('%s', (_what, taken, last, expected) => {
    expect(plan(pool(taken, last), [V4])).toBe(expected);
  });

  test('of several ranges: the set is one circle', () => {
    const set = [...V4, ...rangeOf('10.244.9.0/30')];
    expect(plan(pool([], ['10.244.1.6']), [set])).toBe('10.244.9.2');
    expect(plan(pool([], ['10.244.9.2']), [set])).toBe('10.244.1.2');
    expect(plan(pool(['10.244.9.2'], ['10.244.1.6']), [set])).toBe('10.244.1.2');
  });

  test('of a /64 is found at once, also with many taken', () => {
    const taken = new Set<Ip>(
      Array.from({ length: 5000 }, (_unused, index) => ip(`fd00:2::${(index + 2).toString(16)}`)),
    );
    const result = planAllocation(
      { taken, owned: [], lastReserved: [] },
      { rangeSets: [rangeOf('fd00:2::/64')], requested: [] },
    );
    expect(result.ok && result.value.grants.map((grant) => formatIp(grant.ip))).toEqual(['fd00:2::138a']);
  });
});

describe('families together', () => {
  test('one address of each set', () => {
    expect(plan(pool([], ['10.244.1.3', 'fd00:1::5']), [V4, V6])).toBe('10.244.1.4 fd00:1::6');
  });
  test('all or nothing: a full set is the problem of the whole', () => {
    const full = ['2', '3', '4', '5', '6'].map((last) => `10.244.1.${last}`);
    expect(plan(pool(full), [V4, V6])).toBe('no free address in 10.244.1.1-10.244.1.6');
    expect(plan(pool(full), [V6, V4])).toBe('no free address in 10.244.1.1-10.244.1.6');
  });
});

describe('a container that holds addresses already', () => {
  test('gets the same again', () => {
    expect(plan(pool([], ['10.244.1.4', 'fd00:1::4'], ['10.244.1.3', 'fd00:1::3']), [V4, V6])).toBe(
      '10.244.1.3* fd00:1::3*',
    );
  });
  test('gets what is missing', () => {
    expect(plan(pool([], [], ['10.244.1.3']), [V4, V6])).toBe('10.244.1.3* fd00:1::2');
  });
  test('gives back what fits no range any more', () => {
    expect(plan(pool([], [], ['10.9.9.9']), [V4])).toBe('10.244.1.2 -10.9.9.9');
  });
  test('gives back its own when it asks for another by name', () => {
    expect(plan(pool([], [], ['10.244.1.3']), [V4], ['10.244.1.5'])).toBe('10.244.1.5 -10.244.1.3');
    expect(plan(pool([], [], ['10.244.1.3']), [V4], ['10.244.1.3'])).toBe('10.244.1.3*');
  });
});

describe('addresses asked for by name', () => {
  test.each([
    ['free', [], ['10.244.1.5'], '10.244.1.5'],
    ['of both families, in any order', [], ['fd00:1::5', '10.244.1.5'], '10.244.1.5 fd00:1::5'],
    ['of one family: the other is chosen', [], ['fd00:1::5'], '10.244.1.2 fd00:1::5'],
    ['taken', ['10.244.1.5'], ['10.244.1.5'], '10.244.1.5 is held by another container'],
    ['the gateway', [], ['10.244.1.1'], '10.244.1.1 is not an address that this node gives to containers'],
    ['the network', [], ['10.244.1.0'], '10.244.1.0 is not an address'],
    ['the broadcast address', [], ['10.244.1.7'], '10.244.1.7 is not an address'],
    ['of another node', [], ['10.244.2.5'], '10.244.2.5 is not an address'],
    ['two of one range', [], ['10.244.1.5', '10.244.1.6'], '10.244.1.6 is the second address asked for'],
    ['the same twice', [], ['10.244.1.5', '10.244.1.5'], '10.244.1.5'],
  ])('%s', (_what, taken, requested, expected) => {
    expect(plan(pool(taken), [V4, V6], requested)).toContain(expected);
  });
});

/**
 * The naive model: a list of all addresses in order, walked from the last one given out. The planner must agree with it
 * over any history of adds, repeated adds and deletes.
 */
describe('against a naive model', () => {
  const universe = ['2', '3', '4', '5', '6'].map((last) => ip(`10.244.1.${last}`));
  const step = fc.record({ verb: fc.constantFrom('add', 'add', 'del'), container: fc.integer({ min: 0, max: 7 }) });

  test('same choice, no address twice, none outside, no reuse before all free ones had their turn', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const held = new Map<number, Ip>();
        let last: Ip | undefined;
        for (const { verb, container } of steps) {
          if (verb === 'del') {
            held.delete(container);
            continue;
          }
          const own = held.get(container);
          const result = planAllocation(
            { taken: new Set(held.values()), owned: own === undefined ? [] : [own], lastReserved: [last] },
            { rangeSets: [V4], requested: [] },
          );
          const expected = own ?? naiveNext(universe, last, new Set(held.values()));
          expect(result.ok ? result.value.grants[0]?.ip : undefined).toBe(expected);
          if (expected === undefined) continue;
          expect(V4.some((range) => isAssignable(range, expected))).toBe(true);
          if (own === undefined) {
            expect([...held.values()]).not.toContain(expected);
            last = expected;
          }
          held.set(container, expected);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function naiveNext(universe: readonly Ip[], last: Ip | undefined, taken: ReadonlySet<Ip>): Ip | undefined {
  const at = last === undefined ? -1 : universe.indexOf(last);
  const circle = [...universe.slice(at + 1), ...universe.slice(0, at + 1)];
  return circle.find((candidate) => !taken.has(candidate));
}
