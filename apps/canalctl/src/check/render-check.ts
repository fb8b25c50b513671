import { printableLine } from '../printable.ts';
import { table } from '../table.ts';
import type { Observation, Verdict } from './observation.ts';

/** A line a thing; beneath it, where that is not well, why and what to do. */
export function renderCheck(observations: readonly Observation[]): string {
  const heads = table(observations.map(({ verdict, what, found }) => [verdict, what, found].map(printableLine)))
    .trimEnd()
    .split('\n');
  const lines = observations.flatMap(({ cause, next }, index) => [
    heads[index] ?? '',
    ...(cause === undefined ? [] : [`      cause: ${printableLine(cause)}`]),
    ...(next === undefined ? [] : [`      next:  ${printableLine(next)}`]),
  ]);
  return [...lines, '', sumOf(observations)].map((line) => `${line}\n`).join('');
}

function sumOf(observations: readonly Observation[]): string {
  const count = (verdict: Verdict): number => observations.filter((one) => one.verdict === verdict).length;
  return `${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail`;
}
