/**
 * From what the kernel has to what it shall have, in steps of one transaction. Chains that are right in place and hook
 * stay: they are emptied and filled again, so that a packet meets one chain with the old rules or the new ones. A chain
 * that is deleted and made anew in one transaction exists twice while it is prepared, and a packet between the two could
 * meet neither set of rules; so that is left for what cannot be mended otherwise.
 */
import type { TrafficDifference } from '@canal/kernel-port';
import type { TrafficTable } from '@canal/model';
import { type ChainImage, desiredImage, sameHook, type TableImage } from './nft-table-image.ts';

export interface TablePlan {
  readonly differences: readonly TrafficDifference[];
  readonly steps: readonly TableStep[];
}

export type TableStep =
  | { readonly type: 'delete-table' }
  | { readonly type: 'new-table' }
  | { readonly type: 'flush-chain'; readonly chain: string }
  | { readonly type: 'delete-chain'; readonly chain: string }
  /** Makes the desired chain of that name, still empty. */
  | { readonly type: 'new-chain'; readonly chain: string }
  /** Appends all rules of the desired chain of that name. */
  | { readonly type: 'fill-chain'; readonly chain: string };

export function planTable(table: TrafficTable, actual: TableImage | undefined): TablePlan {
  const desired = desiredImage(table);
  if (desired === undefined) return planAbsence(table.name, actual);
  if (actual === undefined) {
    const missing = { code: 'table-missing', message: `table ${table.name} is missing` } as const;
    return { differences: [missing], steps: [{ type: 'new-table' }, ...makeChains(desired.chains)] };
  }
  const differences = [
    ...tableDifferences(table.name, actual),
    ...desired.chains.flatMap((chain) => chainDifferences(chain, find(actual, chain.name))),
    ...foreignChains(desired, actual).map(foreignChain),
  ];
  return { differences, steps: differences.length === 0 ? [] : repair(desired, actual, differences) };
}

function planAbsence(name: string, actual: TableImage | undefined): TablePlan {
  if (actual === undefined) return { differences: [], steps: [] };
  const unwanted = { code: 'table-unwanted', message: `table ${name} is there and no longer wanted` } as const;
  return { differences: [unwanted], steps: [{ type: 'delete-table' }] };
}

function tableDifferences(name: string, actual: TableImage): TrafficDifference[] {
  const found: TrafficDifference[] = [];
  if (actual.flags !== 0) {
    const message = `table ${name} has flags 0x${actual.flags.toString(16)} (1 dormant, 2 owned by another program)`;
    found.push({ code: 'table-changed', message });
  }
  if (actual.otherObjects > 0) {
    const message = `table ${name} holds ${actual.otherObjects} sets, maps or objects that are not ours`;
    found.push({ code: 'table-changed', message });
  }
  return found;
}

function chainDifferences(desired: ChainImage, actual: ChainImage | undefined): TrafficDifference[] {
  const chain = desired.name;
  if (actual === undefined) return [{ code: 'chain-missing', chain, message: `chain ${chain} is missing` }];
  if (!sameHook(desired.hook, actual.hook)) {
    const message = `chain ${chain} has another hook: ${describe(actual)} instead of ${describe(desired)}`;
    return [{ code: 'chain-changed', chain, message }];
  }
  if (desired.rules.join('\n') === actual.rules.join('\n')) return [];
  const missing = without(desired.rules, actual.rules);
  const foreign = without(actual.rules, desired.rules);
  const what =
    missing + foreign === 0 ? 'the right rules in another order' : `${missing} missing, ${foreign} foreign rules`;
  return [{ code: 'rules-changed', chain, message: `chain ${chain}: ${what}` }];
}

function foreignChain({ name }: ChainImage): TrafficDifference {
  return { code: 'chain-foreign', chain: name, message: `chain ${name} is not ours` };
}

/** Codes whose cure is a new table. */
const BEYOND_REPAIR: readonly TrafficDifference['code'][] = ['table-changed', 'chain-changed'];

function repair(desired: TableImage, actual: TableImage, differences: readonly TrafficDifference[]): TableStep[] {
  if (differences.some(({ code }) => BEYOND_REPAIR.includes(code))) {
    return [{ type: 'delete-table' }, { type: 'new-table' }, ...makeChains(desired.chains)];
  }
  const foreign = foreignChains(desired, actual).map(({ name }) => name);
  const changed = differences.flatMap(({ code, chain }) =>
    code === 'rules-changed' && chain !== undefined ? [chain] : [],
  );
  const missing = desired.chains.filter(({ name }) => find(actual, name) === undefined);
  return [
    // All are emptied before any is deleted: a chain that a rule refers to cannot be deleted.
    ...[...changed, ...foreign].map((chain): TableStep => ({ type: 'flush-chain', chain })),
    ...foreign.map((chain): TableStep => ({ type: 'delete-chain', chain })),
    ...makeChains(missing),
    ...changed.map((chain): TableStep => ({ type: 'fill-chain', chain })),
  ];
}

function makeChains(chains: readonly ChainImage[]): TableStep[] {
  return chains.flatMap(({ name }): TableStep[] => [
    { type: 'new-chain', chain: name },
    { type: 'fill-chain', chain: name },
  ]);
}

function foreignChains(desired: TableImage, actual: TableImage): ChainImage[] {
  return actual.chains.filter(({ name }) => find(desired, name) === undefined);
}

function find(image: TableImage, name: string): ChainImage | undefined {
  return image.chains.find((chain) => chain.name === name);
}

/** How many of the items others does not have, each one counted as often as it occurs. */
function without(items: readonly string[], others: readonly string[]): number {
  const left = [...others];
  return items.filter((item) => {
    const at = left.indexOf(item);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  }).length;
}

function describe({ hook }: ChainImage): string {
  if (hook === undefined) return 'none';
  return `${hook.type} ${hook.number} priority ${hook.priority} policy ${hook.policy}`;
}
