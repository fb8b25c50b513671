import { AdminApiError } from '@canal/admin-client';
import { parseIp } from 'net-types';
import type { AdminFlags } from '../admin/admin-flags.ts';
import { withAdminApi } from '../admin/open-admin-api.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { renderValue } from '../output/render-list.ts';
import { printableLine } from '../printable.ts';
import { UsageError } from '../report-error.ts';

export interface ReleaseFlags extends AdminFlags {
  readonly node?: string;
  readonly container?: string;
  readonly dryRun?: true;
  readonly output: 'table' | 'json' | 'yaml';
}

const NOT_FOUND = 404;
const CONFLICT = 409;

export async function runRelease(context: CommandContext, address: string, flags: ReleaseFlags): Promise<void> {
  const { terminal, outcome } = context;
  const { node, container: containerId, dryRun = false, output } = flags;
  if (!parseIp(address).ok) {
    throw new UsageError(
      `${JSON.stringify(address)} is no IP address`,
      'give one that "canalctl ipam check" calls leaked',
    );
  }
  const body = { ...(node !== undefined && { node }), ...(containerId !== undefined && { containerId }) };
  try {
    const released = await withAdminApi(
      context,
      flags,
      async (client, signal) =>
        (await client.call('releaseAddress', signal, { path: { address }, query: { dryRun }, body })).body,
      'operate',
    );
    if (output !== 'table') {
      terminal.out(await renderValue(released, output));
      return;
    }
    const what = `${released.address} on ${released.node}`;
    const line = released.applied ? `${what} released: ${released.detail}` : `${what} would be released (dry run)`;
    terminal.out(`${printableLine(line)}\n`);
  } catch (error) {
    const status = error instanceof AdminApiError ? error.problem?.status : undefined;
    if (!(error instanceof AdminApiError) || (status !== NOT_FOUND && status !== CONFLICT)) throw error;
    terminal.err(`error: ${printableLine(error.message)}\n  "canalctl ipam check" shows what is leaked\n`);
    outcome.exitCode = status === NOT_FOUND ? EXIT.notFound : EXIT.failed;
  }
}
