import { tellMissing } from '../admin/tell-missing.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import type { ListFormat } from '../output/list-format.ts';
import { type ListView, renderList } from '../output/render-list.ts';
import { type EndpointFlags, endpointName, readEndpoints, type ShownEndpoint } from './read-endpoints.ts';

export interface EndpointsFlags extends EndpointFlags {
  readonly namespace?: string;
  readonly output: ListFormat;
}

export async function runEndpoints(context: CommandContext, flags: EndpointsFlags): Promise<void> {
  const { terminal, outcome } = context;
  const { items, missing } = await readEndpoints(context, flags, flags.namespace);
  if (items.some(({ state }) => state !== 'policed')) outcome.exitCode = EXIT.unhealthy;
  const { type } = flags.output;
  if (items.length === 0 && (type === 'table' || type === 'wide')) {
    terminal.err('no endpoints: no pod of this network runs here\n');
  } else terminal.out(await renderEndpoints(items, flags.output));
  tellMissing(context, missing);
}

export async function renderEndpoints(endpoints: readonly ShownEndpoint[], format: ListFormat): Promise<string> {
  const withNode = endpoints.some(({ node }) => node !== undefined);
  const nodeColumn = { title: 'NODE', cell: ({ node }: ShownEndpoint) => node ?? '-' };
  return await renderList(
    endpoints,
    { ...VIEW, columns: [...(withNode ? [nodeColumn] : []), ...VIEW.columns] },
    format,
  );
}

const VIEW: ListView<ShownEndpoint> = {
  columns: [
    { title: 'POD', cell: endpointName },
    { title: 'ADDRESSES', cell: ({ addresses }) => addresses.join(', ') },
    { title: 'INTERFACE', cell: (endpoint) => endpoint.interface },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'INGRESS ISOLATED BY', cell: (endpoint) => isolating(endpoint, endpoint.ingress) },
    { title: 'EGRESS ISOLATED BY', cell: (endpoint) => isolating(endpoint, endpoint.egress) },
  ],
  name: endpointName,
  value: (endpoint) => endpoint,
};

function isolating({ state }: ShownEndpoint, policies: readonly string[]): string {
  if (state !== 'policed') return 'all';
  return policies.length === 0 ? '-' : policies.join(', ');
}
