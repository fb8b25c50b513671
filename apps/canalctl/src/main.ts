/** The command line. Commands load what they need when they run: help and usage errors cost nothing. */
import { CommanderError } from 'commander';
import { type Outcome } from './command-context.ts';
import { createProgram } from './program.ts';
import { EXIT } from './exit-code.ts';
import { INTERRUPTED } from './next-step.ts';
import { reportError } from './report-error.ts';
import { processTerminal } from './terminal.ts';
import { SERVE_TEST } from './test/serve-word.ts';

/** What completion scripts ask with. */
const COMPLETE = '__complete';

/** Runs one command; gives the exit code (see exit-code.ts). */
export async function main(args: readonly string[]): Promise<number> {
  const terminal = processTerminal(process.env);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new Error(INTERRUPTED));
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const outcome: Outcome = { exitCode: EXIT.ok };
  const program = createProgram({ terminal, signal: stop.signal, outcome });
  try {
    const [first, ...words] = args;
    if (first === COMPLETE) {
      // Not a command of the program, which would take the words for its own options.
      const { complete, formatCompletion } = await import('./completion/complete.ts');
      terminal.out(formatCompletion(complete(program, words)));
      return EXIT.ok;
    }
    if (first === SERVE_TEST) {
      const { serveTest } = await import('./test/serve-test.ts');
      return await serveTest(process.env, stop.signal);
    }
    await program.parseAsync([...args], { from: 'user' });
    return outcome.exitCode;
  } catch (error) {
    // Commander has written help and usage errors already; --help and --version are no failures.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return await reportError(terminal, error, outcome.failure);
  }
}
