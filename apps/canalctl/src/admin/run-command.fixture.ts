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
  {
    colours = false,
    signal = new AbortController().signal,
    onOut,
    onErr,
  }: {
    readonly colours?: boolean;
    readonly signal?: AbortSignal;
    /** Told while the command runs; on a terminal that can be drawn on. */
    readonly onOut?: (text: string) => void;
    readonly onErr?: (text: string) => void;
  } = {},
): Promise<Ran> {
  let [out, err] = ['', ''];
  const terminal = {
    live: false,
    colours,
    out: (text: string) => {
      out += text;
      onOut?.(text);
    },
    err: (text: string) => {
      err += text;
      onErr?.(text);
    },
    ...(onOut !== undefined && { size: () => ({ columns: 200, rows: 24 }) }),
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
