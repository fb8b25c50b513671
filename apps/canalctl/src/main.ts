/** The command line. Commands load what they need when they run: help and usage errors cost nothing. */
import { CommanderError } from 'commander';
import { type Outcome } from './command-context.ts';
import { createProgram } from './program.ts';
import { EXIT } from './exit-code.ts';
import { INTERRUPTED } from './next-step.ts';
import { reportError } from './report-error.ts';
import { processTerminal } from './terminal.ts';

/** Runs one command; gives the exit code (see exit-code.ts). */
export async function main(args: readonly string[]): Promise<number> {
  const terminal = processTerminal(process.env);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new Error(INTERRUPTED));
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const outcome: Outcome = { exitCode: EXIT.ok };
  try {
    await createProgram({ terminal, signal: stop.signal, outcome }).parseAsync([...args], { from: 'user' });
    return outcome.exitCode;
  } catch (error) {
    // Commander has written help and usage errors already; --help and --version are no failures.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return await reportError(terminal, error, outcome.failure);
  }
}
