/** Commands of users in the network of a node or a pod, on the user's own terminal. */
import { constants } from 'node:os';
import { findNode, type LabContext } from './lab-context.ts';
import { LabError } from './lab-error.ts';
import { inNamespace } from './namespaces.ts';
import { findPod } from './pods.ts';
import { LAB_ID_VARIABLE, LAB_ROLE_VARIABLE } from './processes.ts';

export type ExecTarget =
  { readonly node: string } | { readonly pod: { readonly namespace: string; readonly name: string } };

/** Shells' exit code for a command that is not there. */
const EXIT_NOT_FOUND = 127;
/** Shells' exit code for a command that signal n has ended is this plus n. */
const EXIT_SIGNAL_BASE = 128;

/** Name of the network namespace of a node or a pod. Throws LabError `not-found`. */
export function namespaceOf(context: LabContext, target: ExecTarget): string {
  return 'node' in target ? findNode(context, target.node).namespace : findPod(context, target.pod).netns;
}

/** Runs the command with this process's terminal and environment; gives its exit code as a shell would. */
export async function execIn(context: LabContext, target: ExecTarget, command: readonly string[]): Promise<number> {
  const [program] = command;
  if (program === undefined) throw new LabError('invalid', 'there is no command to run');
  const namespace = namespaceOf(context, target);
  // The user's environment but what would change the programs of the lab that may be started from here.
  const { BUN_OPTIONS: _options, BUN_BE_BUN: _beBun, ...own } = process.env;
  const env = { ...own, [LAB_ID_VARIABLE]: context.state.id, [LAB_ROLE_VARIABLE]: 'exec' };
  let child: Bun.Subprocess;
  try {
    child = inNamespace(namespace, () => Bun.spawn([...command], { env, stdio: ['inherit', 'inherit', 'inherit'] }));
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') {
      // As a shell: the code alone could be the command's own.
      process.stderr.write(`${JSON.stringify(program)}: command not found\n`);
      return EXIT_NOT_FOUND;
    }
    throw error;
  }
  // The terminal sends its signals to the command as well: it is for the command to end, and for us to wait.
  const exitCode = await child.exited;
  const { signalCode } = child;
  if (signalCode === null) return exitCode;
  return EXIT_SIGNAL_BASE + (typeof signalCode === 'number' ? signalCode : constants.signals[signalCode]);
}
