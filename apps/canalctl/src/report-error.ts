import { type LabErrorCode } from '@canal/lab';
import { EXIT, type ExitCode } from './exit-code.ts';
import { printable } from './printable.ts';
import { type Terminal } from './terminal.ts';
import { AgentsStay } from './uninstall/agents-stay.ts';

const BY_LAB_ERROR: Readonly<Record<LabErrorCode, ExitCode>> = {
  'not-supported': EXIT.notSupported,
  'not-found': EXIT.notFound,
  exists: EXIT.exists,
  invalid: EXIT.usage,
  busy: EXIT.busy,
  failed: EXIT.failed,
  timeout: EXIT.timeout,
};

/** An argument that commander cannot judge. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Writes what went wrong and the next step; gives the exit code. */
export async function reportError(terminal: Terminal, error: unknown): Promise<ExitCode> {
  const { message, hint, exitCode } = await describe(error);
  terminal.err(`error: ${printable(message)}\n`);
  if (hint !== undefined) terminal.err(`  ${printable(hint)}\n`);
  return exitCode;
}

interface Description {
  readonly message: string;
  readonly hint?: string | undefined;
  readonly exitCode: ExitCode;
}

/** The classes are loaded here: whoever threw has loaded them already, and a wrong command line need not. */
async function describe(error: unknown): Promise<Description> {
  if (error instanceof UsageError) return { message: error.message, exitCode: EXIT.usage };
  if (error instanceof AgentsStay) {
    return { message: error.message, hint: 'run the same command again when they have', exitCode: EXIT.timeout };
  }
  const [{ LabError }, { StoreError }] = await Promise.all([import('@canal/lab'), import('@canal/store-port')]);
  if (error instanceof LabError) {
    return { message: error.message, hint: error.hint, exitCode: BY_LAB_ERROR[error.code] };
  }
  if (error instanceof StoreError) {
    const unavailable = 'the API server does not answer; that of a lab is started again by "canalctl lab up"';
    return {
      message: error.message,
      hint: error.code === 'unavailable' ? unavailable : undefined,
      exitCode: error.code === 'not-found' ? EXIT.notFound : EXIT.failed,
    };
  }
  return { message: error instanceof Error ? error.message : String(error), exitCode: EXIT.failed };
}
