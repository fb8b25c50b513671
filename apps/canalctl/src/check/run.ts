import { isAbsolute } from 'node:path';
import { type Cidr, parseCidr } from 'net-types';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { renderValue } from '../output/render-list.ts';
import { UsageError } from '../report-error.ts';
import { checkNode } from './check-node.ts';
import { renderCheck } from './render-check.ts';

export interface CheckFlags {
  readonly backend: 'vxlan' | 'host-gw';
  readonly iface?: string;
  readonly podNetwork?: readonly string[];
  readonly root: string;
  readonly output: 'table' | 'json' | 'yaml';
}

const DEFAULT_NETWORK = '10.244.0.0/16';

export async function runCheck({ terminal, outcome }: CommandContext, flags: CheckFlags): Promise<void> {
  const { backend, iface, root, output } = flags;
  const podNetworks = (flags.podNetwork ?? [DEFAULT_NETWORK]).map(readNetwork);
  if (!isAbsolute(root))
    throw new UsageError(`--root: ${JSON.stringify(root)} is no absolute path`, 'give one such as /host');
  if (process.getuid?.() !== 0) {
    throw Object.assign(new Error('this user may not ask the kernel what it can do'), { code: 'EPERM' });
  }
  const observations = await checkNode({ backend, iface, podNetworks, root });
  if (observations.some(({ verdict }) => verdict === 'fail')) outcome.exitCode = EXIT.unhealthy;
  terminal.out(output === 'table' ? renderCheck(observations) : await renderValue(observations, output));
}

function readNetwork(text: string): Cidr {
  const network = parseCidr(text);
  if (network.ok) return network.value;
  throw new UsageError(`--pod-network: ${JSON.stringify(text)} is no network`, `give one such as ${DEFAULT_NETWORK}`);
}
