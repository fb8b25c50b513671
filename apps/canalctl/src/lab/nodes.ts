import { formatCidr, formatInterfaceAddress, formatIp } from 'net-types';
import { type CommandContext } from '../command-context.ts';
import { safeJson } from '../printable.ts';
import { type LabFlags, onOpenLab, type OutputFlags } from './lab-flags.ts';

export interface NodeAddFlags extends LabFlags, OutputFlags {
  readonly segment?: number;
}

export async function runNodeAdd(
  context: CommandContext,
  name: string | undefined,
  flags: NodeAddFlags,
): Promise<void> {
  const { segment } = flags;
  const node = await onOpenLab(context, flags, (lab) =>
    lab.addNode({ ...(name !== undefined && { name }), ...(segment !== undefined && { segment }) }),
  );
  const json = {
    name: node.name,
    namespace: node.namespace,
    segment: node.segment,
    addresses: node.addresses.map(formatInterfaceAddress),
    podCidrs: node.podCidrs.map(formatCidr),
  };
  const addresses = node.addresses.map(({ ip }) => formatIp(ip)).join(', ');
  const text = `node ${node.name}: ${addresses}, pods ${json.podCidrs.join(', ')}\n`;
  context.terminal.out(flags.output === 'json' ? `${safeJson(json)}\n` : text);
}

export async function runNodeRemove(context: CommandContext, name: string, flags: LabFlags): Promise<void> {
  await onOpenLab(context, flags, (lab) => lab.removeNode(name));
  context.terminal.out(`node ${name} removed\n`);
}
