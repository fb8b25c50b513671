import type { Agent, Peer } from '@canal/admin-client';
import type { AdminFlags } from '../admin/admin-flags.ts';
import { withAdminApi } from '../admin/open-admin-api.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { renderTable, renderValue } from '../output/render-list.ts';
import { type Finding, findFaults } from '../status/findings.ts';
import { ageCell, listCell, NOTHING, poolsCell } from '../status/node-columns.ts';
import { type NodeReport, readStatus } from '../status/read-status.ts';
import { renderFindings } from '../status/render-status.ts';

export interface NodeStatusFlags extends AdminFlags {
  readonly output: 'table' | 'wide' | 'json' | 'yaml';
}

export async function runNodeStatus(
  context: CommandContext,
  name: string | undefined,
  flags: NodeStatusFlags,
): Promise<void> {
  const { terminal, outcome } = context;
  const report = await withAdminApi(context, flags, (client, signal) => readStatus(client, signal, name));
  const findings = findFaults(report);
  if (findings.some(({ severity }) => severity === 'error')) outcome.exitCode = EXIT.unhealthy;
  const { nodes } = report;
  const { output } = flags;
  if (output === 'json' || output === 'yaml') {
    terminal.out(await renderValue(name === undefined ? nodes : { ...nodes[0], findings }, output));
    return;
  }
  const view = { wide: output === 'wide', colours: terminal.colours === true, nowMs: Date.now() };
  const [node] = nodes;
  terminal.out(name === undefined || node === undefined ? renderAgents(nodes, view) : renderNode(node, findings, view));
}

interface View {
  readonly wide: boolean;
  readonly colours: boolean;
  readonly nowMs: number;
}

/** An agent a line. */
export function renderAgents(nodes: readonly NodeReport[], { wide, nowMs }: View): string {
  const rows = nodes.flatMap((node) =>
    node.agents.map((agent) => [
      node.name,
      ...agentCells(agent, nowMs),
      node.backend ?? NOTHING,
      ...(wide ? [listCell(node.addresses), listCell(node.subnets)] : []),
    ]),
  );
  return renderTable([['NODE', ...AGENT_TITLES, 'BACKEND', ...(wide ? ['ADDRESSES', 'SUBNETS'] : [])], ...rows]);
}

/** The node, its agents, its peers with calicoctl's columns, and what is wrong. */
export function renderNode(node: NodeReport, findings: readonly Finding[], { wide, colours, nowMs }: View): string {
  const { name, state, backend, addresses, subnets, podMtuBytes, agents, peers, pools } = node;
  const facts = renderTable([
    ['node', name],
    ['state', state],
    ['backend', backend ?? NOTHING],
    ['addresses', listCell(addresses)],
    ['pod subnets', listCell(subnets)],
    ['pod MTU', podMtuBytes?.toString() ?? NOTHING],
    ['IPs in use', poolsCell(pools)],
  ]);
  const peerTitles = ['PEER ADDRESS', 'PEER TYPE', 'STATE', 'NODE', ...(wide ? ['ROUND TRIP'] : [])];
  const parts = [
    facts,
    renderTable([AGENT_TITLES, ...agents.map((agent) => agentCells(agent, nowMs))]),
    peers.length === 0 ? 'no peers\n' : renderTable([peerTitles, ...peers.map((peer) => peerCells(peer, wide))]),
    renderFindings(
      findings.filter((finding) => finding.node === name),
      colours,
    ).replace(/\n\n$/, '\n'),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

const AGENT_TITLES = ['AGENT', 'STATE', 'VERSION', 'SYNCED'];

function agentCells({ name, state, version, lastSync }: Agent, nowMs: number): readonly string[] {
  return [name, state, version ?? NOTHING, ageCell(lastSync, nowMs)];
}

function peerCells({ node, address, via, reachable, roundTripSeconds }: Peer, wide: boolean): readonly string[] {
  const state = reachable === undefined ? 'not tried' : reachable ? 'up' : 'down';
  const roundTrip = roundTripSeconds === undefined ? NOTHING : `${(roundTripSeconds * 1_000).toFixed(1)} ms`;
  return [address, via, state, node, ...(wide ? [roundTrip] : [])];
}
