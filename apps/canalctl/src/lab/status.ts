import { type CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { safeJson } from '../printable.ts';
import { type LabFlags, onOpenLab, type OutputFlags } from './lab-flags.ts';
import { statusJson } from './lab-json.ts';
import { renderStatus } from './render-status.ts';

export async function runStatus(context: CommandContext, flags: LabFlags & OutputFlags): Promise<void> {
  const { status, topology } = await onOpenLab(context, flags, async (lab) => ({
    status: await lab.status(),
    topology: lab.topology,
  }));
  if (!status.healthy) context.outcome.exitCode = EXIT.unhealthy;
  const text = flags.output === 'json' ? `${safeJson(statusJson(status, topology))}\n` : renderStatus(status, topology);
  context.terminal.out(text);
}
