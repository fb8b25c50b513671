import type { AddressAssignment, AddressPool, MissingPart } from '@canal/admin-client';
import type { AdminFlags } from '../admin/admin-flags.ts';
import { withAdminApi } from '../admin/open-admin-api.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import type { ListFormat } from '../output/list-format.ts';
import { type ListView, renderList } from '../output/render-list.ts';
import { printableLine } from '../printable.ts';

export interface ShowFlags extends AdminFlags {
  readonly node?: string;
  readonly addresses?: true;
  readonly output: ListFormat;
}

export async function runShow(context: CommandContext, flags: ShowFlags): Promise<void> {
  const { terminal, outcome } = context;
  const query = flags.node === undefined ? {} : { node: flags.node };
  const { text, missing } = await withAdminApi(context, flags, async (client, signal) => {
    if (flags.addresses === true) {
      const { items, missing } = await client.list('listAddresses', signal, { query });
      return { text: await renderAddresses(items, flags.output), missing };
    }
    const { items, missing } = await client.list('listAddressPools', signal, { query });
    return { text: await renderPools(items, flags.output), missing };
  });
  terminal.out(text);
  tellMissing(context, missing);
  if (missing.length > 0) outcome.exitCode = EXIT.unhealthy;
}

/** A list that looks complete must be. */
function tellMissing({ terminal }: CommandContext, missing: readonly MissingPart[]): void {
  for (const { node, reason } of missing) {
    terminal.err(`${printableLine(`${node} is missing: ${reason}`)}\n`);
    terminal.err(`  ${printableLine(`"canalctl node status ${node}" says more`)}\n`);
  }
}

export async function renderPools(pools: readonly AddressPool[], format: ListFormat): Promise<string> {
  return await renderList(pools, POOLS, format);
}

export async function renderAddresses(addresses: readonly AddressAssignment[], format: ListFormat): Promise<string> {
  return await renderList(addresses, ADDRESSES, format);
}

/** Titles as calicoctl's; a grouping is a node here. */
const POOLS: ListView<AddressPool> = {
  columns: [
    { title: 'NODE', cell: ({ node }) => node },
    { title: 'CIDR', cell: ({ subnet }) => subnet },
    { title: 'IPS TOTAL', cell: ({ capacity }) => large(BigInt(capacity)) },
    { title: 'IPS IN USE', cell: (pool) => withShare(used(pool), pool) },
    { title: 'IPS FREE', cell: (pool) => withShare(free(pool), pool) },
    { title: 'LEAKED', cell: ({ leaked }) => String(leaked) },
  ],
  name: ({ subnet }) => subnet,
  value: (pool) => pool,
};

const ADDRESSES: ListView<AddressAssignment> = {
  columns: [
    { title: 'IP', cell: ({ address }) => address },
    { title: 'NODE', cell: ({ node }) => node },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'POD', cell: ({ pod }) => (pod === undefined ? '-' : `${pod.namespace}/${pod.name}`) },
    { title: 'SINCE', wide: true, cell: ({ since }) => since ?? '-' },
    { title: 'INTERFACE', wide: true, cell: (one) => one.interface ?? '-' },
    { title: 'CONTAINER', wide: true, cell: ({ containerId }) => containerId ?? '-' },
  ],
  name: ({ address }) => address,
  value: (address) => address,
};

function used({ inUse, leaked }: AddressPool): bigint {
  return BigInt(inUse) + BigInt(leaked);
}

function free(pool: AddressPool): bigint {
  const left = BigInt(pool.capacity) - used(pool);
  return left > 0n ? left : 0n;
}

function withShare(count: bigint, { capacity }: AddressPool): string {
  const all = BigInt(capacity);
  const percent = all === 0n ? 0 : Math.round((Number(count) / Number(all)) * 100);
  return `${large(count)} (${percent}%)`;
}

/** As calicoctl has numbers of IPv6. */
function large(count: bigint): string {
  return count < 10n ** 12n ? count.toString() : Number(count).toPrecision(5);
}
