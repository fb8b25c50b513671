import { type LabErrorCode } from '@canal/lab';
import { AdminAccessError } from './admin/admin-access-error.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import {
  AFTER_AGENT_ERROR,
  AFTER_KUBECONFIG_ERROR,
  AFTER_LAB_ERROR,
  AFTER_STORE_ERROR,
  afterError,
  isForRoot,
} from './next-step.ts';
import { PolicyAgentError, type PolicyAgentErrorCode } from './policy/agent-error.ts';
import { printable, printableLine } from './printable.ts';
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

const BY_AGENT_ERROR: Readonly<Record<PolicyAgentErrorCode, ExitCode>> = {
  'bad-request': EXIT.usage,
  'not-found': EXIT.notFound,
  'not-ready': EXIT.unhealthy,
  kernel: EXIT.unhealthy,
  internal: EXIT.unhealthy,
  unreachable: EXIT.notFound,
  forbidden: EXIT.notSupported,
  timeout: EXIT.timeout,
  broken: EXIT.unhealthy,
};

/** A command did not do what it was asked for. `hint` is the next step. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  readonly hint: string;
  readonly exitCode: ExitCode;

  constructor(message: string, hint: string, exitCode: ExitCode) {
    super(message);
    this.hint = hint;
    this.exitCode = exitCode;
  }
}

/** An argument that commander cannot judge. `hint` is what to give instead. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError';

  constructor(message: string, hint: string) {
    super(message, hint, EXIT.usage);
  }
}

/** Writes what went wrong and the next step; gives the exit code, `failure` for what has none of its own. */
export async function reportError(
  terminal: Terminal,
  error: unknown,
  failure: ExitCode = EXIT.failed,
): Promise<ExitCode> {
  const { message, hint, exitCode } = await describe(error);
  // The ends of logs that a lab's errors carry have lines; names and values have none.
  terminal.err(`error: ${isLabError(error) ? printable(message) : printableLine(message)}\n`);
  terminal.err(`  ${printableLine(hint)}\n`);
  return exitCode === EXIT.failed ? failure : exitCode;
}

/** By its name: the class need not be loaded for it. */
function isLabError(error: unknown): boolean {
  return error instanceof Error && error.name === 'LabError';
}

interface Description {
  readonly message: string;
  readonly hint: string;
  readonly exitCode: ExitCode;
}

/** The classes are loaded here: whoever threw has loaded them already, and a wrong command line need not. */
async function describe(error: unknown): Promise<Description> {
  if (error instanceof CommandError) return { message: error.message, hint: error.hint, exitCode: error.exitCode };
  if (error instanceof AgentsStay) {
    return { message: error.message, hint: 'run the same command again when they have', exitCode: EXIT.timeout };
  }
  if (error instanceof PolicyAgentError) {
    return {
      message: error.message,
      hint: error.hint ?? AFTER_AGENT_ERROR[error.code],
      exitCode: BY_AGENT_ERROR[error.code],
    };
  }
  if (error instanceof AdminAccessError) {
    return { message: error.message, hint: error.hint, exitCode: EXIT.failed };
  }
  if (error instanceof Error && error.name === 'AdminApiError') {
    const [{ AdminApiError }, { describeAdminError }] = await Promise.all([
      import('@canal/admin-client'),
      import('./admin/describe-admin-error.ts'),
    ]);
    if (error instanceof AdminApiError) return { message: error.message, ...describeAdminError(error) };
  }
  const [{ LabError }, { StoreError }, { KubeConfigError }] = await Promise.all([
    import('@canal/lab'),
    import('@canal/store-port'),
    import('@canal/store-kube'),
  ]);
  if (error instanceof LabError) {
    return {
      message: error.message,
      hint: error.hint ?? AFTER_LAB_ERROR[error.code],
      exitCode: BY_LAB_ERROR[error.code],
    };
  }
  if (error instanceof StoreError) {
    const exitCode = error.code === 'not-found' ? EXIT.notFound : EXIT.failed;
    return { message: error.message, hint: AFTER_STORE_ERROR[error.code], exitCode };
  }
  if (error instanceof KubeConfigError) {
    return { message: error.message, hint: AFTER_KUBECONFIG_ERROR[error.code], exitCode: EXIT.failed };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { message, hint: afterError(error), exitCode: isForRoot(error) ? EXIT.notSupported : EXIT.failed };
}
