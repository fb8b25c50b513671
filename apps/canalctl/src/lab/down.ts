import { type DownReport, LabError, listLabs, removeLab } from '@canal/lab';
import { type CommandContext } from '../command-context.ts';
import { printableLine } from '../printable.ts';
import { type LabFlags, withProgress } from './lab-flags.ts';

export async function runDown(context: CommandContext, flags: LabFlags & { readonly all?: true }): Promise<void> {
  const names = flags.all === true ? listLabs(flags.stateRoot).map((lab) => lab.name) : [flags.name];
  if (names.length === 0)
    throw new LabError('not-found', 'there is no lab on this machine', { hint: 'there is nothing to be done' });
  for (const name of names) {
    const report = await withProgress(context, (progress) =>
      // Not given the signal: half a removal helps nobody, and it takes a moment only.
      removeLab(name, { stateRoot: flags.stateRoot, onProgress: (text) => progress.step(text) }),
    );
    context.terminal.out(`lab ${name} removed: ${report.processes} processes, ${report.namespaces} namespaces\n`);
    warnOfOccupants(context, report);
  }
}

function warnOfOccupants({ terminal }: CommandContext, { occupants }: DownReport): void {
  for (const { pid, command, namespace } of occupants) {
    terminal.err(`note: process ${pid} (${printableLine(command)}) is not the lab's and lives on in ${namespace}\n`);
  }
}
