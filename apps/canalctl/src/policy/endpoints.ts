import type { EndpointStatusMessage } from '@canal/agent-protocol';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { printableLine, safeJson } from '../printable.ts';
import { table } from '../table.ts';
import { askOnce } from './agent-client.ts';
import { type AgentFlags, agentSockets } from './agent-sockets.ts';
import { readEndpointStatuses } from './read-answers.ts';

export interface EndpointsFlags extends AgentFlags {
  readonly output: 'table' | 'json';
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
  if (flags.output === 'json') {
    terminal.out(
      `${safeJson(all.map(({ node, endpoint }) => ({ ...(node !== undefined && { node }), ...endpoint })))}\n`,
    );
  } else if (all.length === 0) {
    terminal.err('no endpoints: no pod of this network runs here\n');
  } else {
    terminal.out(renderEndpoints(all));
  }
}

function sortKey({ node, endpoint }: NodeEndpoint): string {
  return `${node ?? ''} ${nameOf(endpoint)} ${endpoint.key}`;
}

export function renderEndpoints(endpoints: readonly NodeEndpoint[]): string {
  const withNode = endpoints.some(({ node }) => node !== undefined);
  const columns = ['POD', 'ADDRESSES', 'INTERFACE', 'STATE', 'INGRESS ISOLATED BY', 'EGRESS ISOLATED BY'];
  const rows = endpoints.map(({ node, endpoint }) => {
    const { addresses, hostInterface, state, ingress, egress } = endpoint;
    const isolating = (policies: readonly string[]): string => {
      if (state !== 'policed') return 'all';
      return policies.length === 0 ? '-' : policies.join(', ');
    };
    const cells = [nameOf(endpoint), addresses.join(', '), hostInterface, state, isolating(ingress), isolating(egress)];
    return (withNode ? [node ?? '-', ...cells] : cells).map(printableLine);
  });
  return table([withNode ? ['NODE', ...columns] : columns, ...rows]);
}

function nameOf({ pod, key }: EndpointStatusMessage): string {
  return pod === undefined ? key : `${pod.namespace}/${pod.name}`;
}
