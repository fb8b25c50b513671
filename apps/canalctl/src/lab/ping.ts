import { pingMatrix } from '@canal/lab';
import { type CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { safeJson } from '../printable.ts';
import { type LabFlags, onOpenLab, type OutputFlags } from './lab-flags.ts';
import { matrixJson } from './lab-json.ts';
import { renderMatrix } from './render-matrix.ts';

export async function runPing(context: CommandContext, flags: LabFlags & OutputFlags): Promise<void> {
  const matrix = await onOpenLab(context, flags, (lab) => pingMatrix(lab.pods(), { signal: context.signal }));
  if (matrix.lost > 0) context.outcome.exitCode = EXIT.unhealthy;
  context.terminal.out(flags.output === 'json' ? `${safeJson(matrixJson(matrix))}\n` : renderMatrix(matrix));
}
