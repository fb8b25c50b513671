import { listLabs } from '@canal/lab';
import { type CommandContext } from '../command-context.ts';
import { safeJson } from '../printable.ts';
import { table } from '../table.ts';
import { type LabFlags, type OutputFlags } from './lab-flags.ts';

export function runList({ terminal }: CommandContext, flags: LabFlags & OutputFlags): void {
  const labs = listLabs(flags.stateRoot);
  if (flags.output === 'json') {
    terminal.out(`${safeJson(labs)}\n`);
  } else if (labs.length === 0) {
    terminal.err('no lab on this machine; "canalctl lab up" makes one\n');
  } else {
    const rows = labs.map(({ name, phase, spec }) => [
      name,
      phase === 'ready' ? 'up' : phase,
      ...(spec === undefined ? ['-', '-', '-'] : [String(spec.nodes), spec.backend, spec.ipFamily]),
    ]);
    terminal.out(table([['NAME', 'STATE', 'NODES', 'BACKEND', 'FAMILY'], ...rows]));
  }
}
