/** A command line within the test's process. */
import type { Outcome } from '../command-context.ts';
import { createProgram } from '../program.ts';
import { reportError } from '../report-error.ts';
import { CommanderError } from 'commander';
import { EXIT } from '../exit-code.ts';

export interface Ran {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

export async function runCommand(
  words: readonly string[],
  { colours = false, signal = new AbortController().signal }: { colours?: boolean; signal?: AbortSignal } = {},
): Promise<Ran> {
  let [out, err] = ['', ''];
  const terminal = {
    live: false,
    colours,
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
  };
  const outcome: Outcome = { exitCode: EXIT.ok };
  try {
    await createProgram({ terminal, signal, outcome }).parseAsync([...words], { from: 'user' });
    return { exitCode: outcome.exitCode, out, err };
  } catch (error) {
    const exitCode = error instanceof CommanderError ? EXIT.usage : await reportError(terminal, error, outcome.failure);
    return { exitCode, out, err };
  }
}
