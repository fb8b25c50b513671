import { type DownReport, LabError, listLabs, removeLab } from '@canal/lab';
import { type CommandContext } from '../command-context.ts';
import { printableLine } from '../printable.ts';
import { reportError } from '../report-error.ts';
import { type LabFlags, withProgress } from './lab-flags.ts';

export async function runDown(context: CommandContext, flags: LabFlags & { readonly all?: true }): Promise<void> {
  const names = flags.all === true ? listLabs(flags.stateRoot).map((lab) => lab.name) : [flags.name];
  if (names.length === 0)
    throw new LabError('not-found', 'there is no lab on this machine', { hint: 'there is nothing to be done' });
  const failures: unknown[] = [];
  for (const name of names) {
    try {
      await down(context, name, flags.stateRoot);
    } catch (error) {
      // With --all the others go all the same.
      failures.push(error);
      if (failures.length > 1) await reportError(context.terminal, error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function down(context: CommandContext, name: string, stateRoot: string): Promise<void> {
  const report = await withProgress(context, (progress) =>
    // Not given the signal: half a removal helps nobody, and it takes a moment only.
    removeLab(name, { stateRoot, onProgress: (text) => progress.step(text) }),
  );
  context.terminal.out(`lab ${name} removed: ${report.processes} processes, ${report.namespaces} namespaces\n`);
  warnOfOccupants(context, report);
}

function warnOfOccupants({ terminal }: CommandContext, { occupants }: DownReport): void {
  for (const { pid, command, namespace } of occupants) {
    terminal.err(`note: process ${pid} (${printableLine(command)}) is not the lab's and lives on in ${namespace}\n`);
  }
}
