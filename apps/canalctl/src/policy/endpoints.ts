import type { EndpointStatusMessage } from '@canal/agent-protocol';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import type { ListFormat } from '../output/list-format.ts';
import { type ListView, renderList } from '../output/render-list.ts';
import { askOnce } from './agent-client.ts';
import { type AgentFlags, agentSockets } from './agent-sockets.ts';
import { readEndpointStatuses } from './read-answers.ts';

export interface EndpointsFlags extends AgentFlags {
  readonly output: ListFormat;
}

interface NodeEndpoint {
  readonly node?: string;
  readonly endpoint: EndpointStatusMessage;
}

export async function runEndpoints(context: CommandContext, flags: EndpointsFlags): Promise<void> {
  const { terminal, outcome, signal } = context;
  const sockets = await agentSockets(context, flags);
  const found = await Promise.all(
    sockets.map(async (socket) => {
      const { node } = socket;
      const endpoints = readEndpointStatuses(await askOnce(socket, { op: 'endpoints' }, signal));
      return endpoints.map((endpoint): NodeEndpoint => ({ ...(node !== undefined && { node }), endpoint }));
    }),
  );
  const all = found.flat().sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  if (all.some(({ endpoint }) => endpoint.state !== 'policed')) outcome.exitCode = EXIT.unhealthy;
  const { type } = flags.output;
  if (all.length === 0 && (type === 'table' || type === 'wide')) {
    terminal.err('no endpoints: no pod of this network runs here\n');
    return;
  }
  terminal.out(await renderEndpoints(all, flags.output));
}

function sortKey({ node, endpoint }: NodeEndpoint): string {
  return `${node ?? ''} ${nameOf(endpoint)} ${endpoint.key}`;
}

export async function renderEndpoints(endpoints: readonly NodeEndpoint[], format: ListFormat): Promise<string> {
  const withNode = endpoints.some(({ node }) => node !== undefined);
  const nodeColumn = { title: 'NODE', cell: ({ node }: NodeEndpoint) => node ?? '-' };
  return await renderList(
    endpoints,
    { ...VIEW, columns: [...(withNode ? [nodeColumn] : []), ...VIEW.columns] },
    format,
  );
}

const VIEW: ListView<NodeEndpoint> = {
  columns: [
    { title: 'POD', cell: ({ endpoint }) => nameOf(endpoint) },
    { title: 'ADDRESSES', cell: ({ endpoint }) => endpoint.addresses.join(', ') },
    { title: 'INTERFACE', cell: ({ endpoint }) => endpoint.hostInterface },
    { title: 'STATE', cell: ({ endpoint }) => endpoint.state },
    { title: 'INGRESS ISOLATED BY', cell: ({ endpoint }) => isolating(endpoint, endpoint.ingress) },
    { title: 'EGRESS ISOLATED BY', cell: ({ endpoint }) => isolating(endpoint, endpoint.egress) },
    { title: 'MODE', wide: true, cell: ({ endpoint }) => endpoint.mode },
    { title: 'ENDPOINT', wide: true, cell: ({ endpoint }) => endpoint.key },
    { title: 'UID', wide: true, cell: ({ endpoint }) => endpoint.pod?.uid ?? '-' },
  ],
  name: ({ endpoint }) => nameOf(endpoint),
  value: ({ node, endpoint }) => ({ ...(node !== undefined && { node }), ...endpoint }),
};

function isolating({ state }: EndpointStatusMessage, policies: readonly string[]): string {
  if (state !== 'policed') return 'all';
  return policies.length === 0 ? '-' : policies.join(', ');
}

function nameOf({ pod, key }: EndpointStatusMessage): string {
  return pod === undefined ? key : `${pod.namespace}/${pod.name}`;
}
