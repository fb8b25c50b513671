import { parsePodKey, podKey } from '@canal/lab';
import { formatIp } from 'net-types';
import { type CommandContext } from '../command-context.ts';
import { safeJson } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { type LabFlags, onOpenLab, type OutputFlags } from './lab-flags.ts';
import { podJson } from './lab-json.ts';

export interface PodAddFlags extends LabFlags, OutputFlags {
  readonly node?: string;
  readonly label?: readonly string[];
}

export async function runPodAdd(context: CommandContext, name: string, flags: PodAddFlags): Promise<void> {
  const pod = readPodName(name);
  const labels = flags.label === undefined ? undefined : Object.fromEntries(flags.label.map(readLabel));
  const { node } = flags;
  const added = await onOpenLab(context, flags, (lab) =>
    lab.addPod({ ...pod, ...(node !== undefined && { node }), ...(labels !== undefined && { labels }) }),
  );
  const text = `pod ${podKey(added)} on ${added.node}: ${added.ips.map(formatIp).join(', ')}\n`;
  context.terminal.out(flags.output === 'json' ? `${safeJson(podJson(added))}\n` : text);
}

export async function runPodRemove(context: CommandContext, name: string, flags: LabFlags): Promise<void> {
  const pod = readPodName(name);
  await onOpenLab(context, flags, (lab) => lab.removePod(pod));
  context.terminal.out(`pod ${podKey(pod)} removed\n`);
}

export function readPodName(name: string): { namespace: string; name: string } {
  const pod = parsePodKey(name);
  if (pod === undefined) throw new UsageError(`${JSON.stringify(name)} is no pod name`, 'give name, or namespace/name');
  return pod;
}

function readLabel(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new UsageError(`${JSON.stringify(text)} is no label`, 'give key=value');
  return [text.slice(0, equals), text.slice(equals + 1)];
}
