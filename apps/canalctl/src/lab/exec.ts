import { type CommandContext } from '../command-context.ts';
import { type LabFlags, onOpenLab } from './lab-flags.ts';
import { readPodName } from './pods.ts';

/** Runs the command on this terminal; its exit code becomes ours, 128 + n when a signal ended it, 127 when it is not there. */
export async function runExec(
  context: CommandContext,
  kind: 'pod' | 'node',
  name: string,
  command: readonly string[],
  flags: LabFlags,
): Promise<void> {
  const pod = kind === 'pod' ? readPodName(name) : undefined;
  context.outcome.exitCode = await onOpenLab(context, flags, (lab) =>
    lab.exec(pod === undefined ? { node: name } : { pod }, command),
  );
}
