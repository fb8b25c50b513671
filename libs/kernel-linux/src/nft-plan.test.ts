import type { TrafficTable } from '@canal/model';
import fc from 'fast-check';
import { parseCidr, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { planTable, type TableStep } from './nft-plan.ts';
import { type ChainImage, desiredImage, generationOf, type TableImage } from './nft-table-image.ts';

const WANTED: TrafficTable = {
  name: 'ours',
  chains: [
    {
      name: 'nat',
      type: 'nat',
      hook: 'postrouting',
      priority: 100,
      rules: ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16'].map((text) => ({
        matches: [{ type: 'source', cidr: unwrap(parseCidr(text)) }],
        verdict: { type: 'masquerade', fullyRandom: true },
        comment: text,
      })),
    },
    { name: 'fwd', type: 'filter', hook: 'forward', priority: 20, rules: [] },
  ],
};
const IMAGE = desiredImage(WANTED) ?? { flags: 0, otherObjects: 0, chains: [] };
const [NAT, FWD] = IMAGE.chains as [ChainImage, ChainImage];
const RULES = NAT.rules;

/** What the kernel makes of the steps; throws where it would refuse them. */
function perform(steps: readonly TableStep[], actual: TableImage | undefined): TableImage | undefined {
  let table = actual === undefined ? undefined : { ...actual, chains: actual.chains.map((chain) => ({ ...chain })) };
  for (const step of steps) {
    if (step.type === 'new-table') {
      table ??= { flags: 0, otherObjects: 0, chains: [] };
      continue;
    }
    if (table === undefined) throw new Error(`${step.type}: no table`);
    if (step.type === 'delete-table') {
      table = undefined;
      continue;
    }
    const wanted = IMAGE.chains.find(({ name }) => name === step.chain);
    const chain = table.chains.find(({ name }) => name === step.chain);
    if (step.type === 'new-chain') {
      if (wanted === undefined || chain !== undefined) throw new Error(`new-chain ${step.chain}`);
      table.chains.push({ ...wanted, rules: [] });
      continue;
    }
    if (chain === undefined) throw new Error(`${step.type}: no chain ${step.chain}`);
    if (step.type === 'flush-chain') chain.rules = [];
    else if (step.type === 'fill-chain') chain.rules = [...chain.rules, ...(wanted?.rules ?? [])];
    else table.chains.splice(table.chains.indexOf(chain), 1);
  }
  return table;
}

const byName = (image: TableImage | undefined): unknown =>
  image === undefined ? undefined : { ...image, chains: [...image.chains].sort((a, b) => (a.name < b.name ? -1 : 1)) };

const chain = fc.record({
  name: fc.constantFrom('nat', 'fwd', 'theirs', 'more'),
  hook: fc.constantFrom(NAT.hook, FWD.hook, undefined),
  rules: fc.array(fc.constantFrom(...RULES, 'ff', 'ee'), { maxLength: 5 }),
});
const actual: fc.Arbitrary<TableImage | undefined> = fc.option(
  fc.record({
    flags: fc.constantFrom(0, 0, 0, 1),
    otherObjects: fc.constantFrom(0, 0, 0, 2),
    chains: fc.uniqueArray(fc.oneof(chain, fc.constantFrom(NAT, FWD)), { selector: ({ name }) => name, maxLength: 4 }),
  }),
  { nil: undefined },
);

describe('whatever the kernel has', () => {
  test('after the steps it has what is wanted, and there is nothing left to do', () => {
    fc.assert(
      fc.property(actual, (before) => {
        const after = perform(planTable(WANTED, before).steps, before);
        expect(byName(after)).toEqual(byName(IMAGE));
        expect(planTable(WANTED, after)).toEqual({ differences: [], steps: [] });
      }),
    );
  });

  test('there are steps exactly if there are differences, and those exactly if it is not equal', () => {
    fc.assert(
      fc.property(actual, (before) => {
        const { differences, steps } = planTable(WANTED, before);
        const equal = JSON.stringify(byName(before)) === JSON.stringify(byName(IMAGE));
        expect(differences.length > 0).toBe(!equal);
        expect(steps.length > 0).toBe(!equal);
      }),
    );
  });

  test('a chain that is right stays, unless the table itself has to go', () => {
    fc.assert(
      fc.property(actual, (before) => {
        const { steps } = planTable(WANTED, before);
        if (steps.some(({ type }) => type === 'delete-table')) return;
        const right = before?.chains.filter((found) =>
          IMAGE.chains.some((one) => JSON.stringify(one) === JSON.stringify(found)),
        );
        const touched = steps.flatMap((step) => ('chain' in step ? [step.chain] : []));
        for (const { name } of right ?? []) expect(touched).not.toContain(name);
      }),
    );
  });

  test('a chain whose hook is right is never deleted and made anew', () => {
    fc.assert(
      fc.property(actual, (before) => {
        const { steps, differences } = planTable(WANTED, before);
        const repairable = differences.every(({ code }) => code !== 'table-changed' && code !== 'chain-changed');
        if (before === undefined || !repairable) return;
        for (const step of steps) if (step.type === 'delete-chain') expect(['nat', 'fwd']).not.toContain(step.chain);
      }),
    );
  });

  test('an unwanted table goes, whatever it holds', () => {
    fc.assert(
      fc.property(actual, (before) => {
        const { steps, differences } = planTable({ name: 'ours', chains: [] }, before);
        expect(steps).toEqual(before === undefined ? [] : [{ type: 'delete-table' }]);
        expect(differences.map(({ code }) => code)).toEqual(before === undefined ? [] : ['table-unwanted']);
      }),
    );
  });
});

describe('what differed is told in words', () => {
  const withNat = (rules: readonly string[]): TableImage => ({ ...IMAGE, chains: [{ ...NAT, rules }, FWD] });
  test.each<{ name: string; before: TableImage | undefined; message: string }>([
    { name: 'no table', before: undefined, message: 'table ours is missing' },
    { name: 'rules missing', before: withNat(RULES.slice(1)), message: 'chain nat: 1 missing, 0 foreign rules' },
    { name: 'rules added', before: withNat([...RULES, 'ff', 'ff']), message: 'chain nat: 0 missing, 2 foreign rules' },
    {
      name: 'a rule twice',
      before: withNat([...RULES, RULES[0] ?? '']),
      message: 'chain nat: 0 missing, 1 foreign rules',
    },
    {
      name: 'another order',
      before: withNat(RULES.toReversed()),
      message: 'chain nat: the right rules in another order',
    },
    {
      name: 'dormant',
      before: { ...IMAGE, flags: 1 },
      message: 'table ours has flags 0x1 (1 dormant, 2 owned by another program)',
    },
    {
      name: 'another hook',
      before: { ...IMAGE, chains: [NAT, { ...FWD, hook: undefined }] },
      message: 'chain fwd has another hook: none instead of filter 2 priority 20 policy 1',
    },
  ])('$name', ({ before, message }) => {
    expect(planTable(WANTED, before).differences.map((difference) => difference.message)).toEqual([message]);
  });
});

test('the generation is a hash of content: equal for equal tables, another one for any change', () => {
  const other = desiredImage({
    ...WANTED,
    chains: WANTED.chains.map((one) => ({ ...one, priority: one.priority + 1 })),
  });
  expect(generationOf(desiredImage(structuredClone(WANTED)))).toBe(generationOf(IMAGE));
  expect(generationOf(other)).not.toBe(generationOf(IMAGE));
  expect(generationOf(undefined)).not.toBe(generationOf(IMAGE));
});
