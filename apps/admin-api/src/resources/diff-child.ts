/** The other side of DiffProcess: reads cluster and objects from stdin, writes what changes to stdout. */
import { writeSync } from 'node:fs';
import { serialize } from 'node:v8';
import { MAX_DIFF_GROUPS, type PolicyDiff } from '@canal/admin-schema';
import { diff, render } from '@canal/policy-diff';
import { ProblemError } from '../handler.ts';
import { applyObjects } from './applied-objects.ts';
import { decodeQuestion, type DiffQuestion, type DiffReply } from './diff-messages.ts';

/** The exit code. */
export async function diffChild(): Promise<number> {
  const output = serialize(replyTo(decodeQuestion(await Bun.stdin.bytes())));
  const stdout = 1;
  for (let written = 0; written < output.length;) written += writeSync(stdout, output, written);
  return 0;
}

function replyTo({ state, request }: DiffQuestion): DiffReply {
  try {
    const applied = applyObjects(state, request);
    return { ok: true, diff: { ...bounded(diff(state, applied.state)), problems: applied.problems } };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return { ok: false, detail: error.message, errors: error.errors };
  }
}

function bounded(found: ReturnType<typeof diff>): Omit<PolicyDiff, 'problems'> {
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
  const copy = structuredClone(shown) as unknown as Pick<PolicyDiff, keyof typeof shown>;
  return { ...copy, omitted, words: [...render(shown)] };
}
