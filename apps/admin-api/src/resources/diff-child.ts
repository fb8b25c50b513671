/** The other side of DiffProcess: reads both states from stdin, writes what changes to stdout. */
import { writeSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { MAX_DIFF_GROUPS } from '@canal/admin-schema';
import { diff, type PolicyDiff, render } from '@canal/policy-diff';
import type { DiffAnswer, DiffInput } from './diff-process.ts';

/** The exit code. */
export async function diffChild(): Promise<number> {
  // Of the same program.
  const { before, after } = deserialize(await Bun.stdin.bytes()) as DiffInput;
  const output = serialize(bounded(diff(before, after)));
  const stdout = 1;
  for (let written = 0; written < output.length;) written += writeSync(stdout, output, written);
  return 0;
}

function bounded(found: PolicyDiff): DiffAnswer {
  const { opens, closes, came, went, compared } = found;
  const shown = {
    opens: opens.slice(0, MAX_DIFF_GROUPS),
    closes: closes.slice(0, MAX_DIFF_GROUPS),
    came,
    went,
    compared,
  };
  const omitted = opens.length + closes.length - shown.opens.length - shown.closes.length;
  // Data alone: what is read-only here is nobody's there.
  const copy = structuredClone(shown) as unknown as Pick<DiffAnswer, keyof typeof shown>;
  return { ...copy, omitted, words: [...render(shown)] };
}
