import type { AdminFlags } from '../admin/admin-flags.ts';
import { withAdminApi } from '../admin/open-admin-api.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { renderValue } from '../output/render-list.ts';
import { printableLine } from '../printable.ts';
import { type AddressFinding, checkAddresses } from './check-addresses.ts';

export interface CheckFlags extends AdminFlags {
  readonly output: 'table' | 'json' | 'yaml';
}

export async function runCheck(context: CommandContext, flags: CheckFlags): Promise<void> {
  const { terminal, outcome } = context;
  const { addresses, leases, missing } = await withAdminApi(context, flags, async (client, signal) => {
    const [held, subnets] = await Promise.all([
      client.list('listAddresses', signal),
      client.list('listLeases', signal),
    ]);
    return { addresses: held.items, leases: subnets.items, missing: [...held.missing, ...subnets.missing] };
  });
  const findings = checkAddresses(addresses, leases, missing);
  if (findings.length > 0) outcome.exitCode = EXIT.unhealthy;
  const { output } = flags;
  terminal.out(
    output === 'table'
      ? renderFindings(findings, addresses.length, leases.length)
      : await renderValue({ addresses: addresses.length, leases: leases.length, findings }, output),
  );
}

export function renderFindings(findings: readonly AddressFinding[], addresses: number, leases: number): string {
  const lines = findings.flatMap(({ kind, what, cause, next }) => [
    `${kind}: ${printableLine(what)}`,
    `  cause: ${printableLine(cause)}`,
    `  next:  ${printableLine(next)}`,
  ]);
  const sum = `addresses: ${addresses}, subnets: ${leases}; ${findings.length === 0 ? 'nothing is wrong' : `${findings.length} found`}`;
  return [...lines, sum].map((line) => `${line}\n`).join('');
}
