/** One screen: a line a node, then what is wrong with cause and next step. */
import { paint, type Paint } from '../output/paint.ts';
import { renderTable } from '../output/render-list.ts';
import { printableLine } from '../printable.ts';
import { agentOf, type Finding } from './findings.ts';
import { ageCell, listCell, NOTHING, peersCell, poolsCell, versionsCell } from './node-columns.ts';
import type { NodeReport } from './read-status.ts';

export interface StatusView {
  readonly wide: boolean;
  readonly colours: boolean;
  readonly nowMs: number;
}

const BY_STATE: Readonly<Record<NodeReport['state'], Paint | undefined>> = {
  ready: undefined,
  degraded: 'yellow',
  'not-ready': 'red',
  unreachable: 'red',
};

export function renderStatus(nodes: readonly NodeReport[], findings: readonly Finding[], view: StatusView): string {
  const { wide, colours, nowMs } = view;
  const titles = ['NODE', 'STATE', 'BACKEND', 'FLANNELD', 'POLICY-AGENT', 'SYNCED', 'PEERS', 'IPS IN USE'];
  const rows = nodes.map((node) => {
    const { name, state, backend, addresses, subnets, podMtuBytes, agents, peers, pools } = node;
    const policy = agentOf(node, 'policy-agent');
    return [
      name,
      state,
      backend ?? NOTHING,
      agentOf(node, 'flanneld')?.state ?? NOTHING,
      policy?.state ?? NOTHING,
      ageCell(policy?.lastSync, nowMs),
      peersCell(peers),
      poolsCell(pools),
      ...(wide
        ? [listCell(addresses), listCell(subnets), podMtuBytes?.toString() ?? NOTHING, versionsCell(agents)]
        : []),
    ];
  });
  const lines = renderTable([[...titles, ...(wide ? ['ADDRESSES', 'SUBNETS', 'POD MTU', 'VERSION'] : [])], ...rows])
    .trimEnd()
    .split('\n');
  const table = lines.map((line, index) => {
    const state = nodes[index - 1]?.state;
    return `${paint(line, state && BY_STATE[state], colours)}\n`;
  });
  return [
    ...(nodes.length === 0 ? [] : table),
    ...(nodes.length === 0 ? [] : ['\n']),
    renderFindings(findings, colours),
    sumOf(nodes, colours),
  ].join('');
}

/** A line a finding; beneath it cause and next step. */
export function renderFindings(findings: readonly Finding[], colours: boolean): string {
  const lines = findings.flatMap(({ severity, node, what, cause, next }) => {
    const colour = severity === 'error' ? 'red' : 'yellow';
    const head = `${paint(severity, colour, colours)}  ${printableLine(node === undefined ? what : `${node}: ${what}`)}`;
    return [
      head,
      ...(cause === undefined ? [] : [`       cause: ${printableLine(cause)}`]),
      ...(next === undefined ? [] : [`       next:  ${printableLine(next)}`]),
    ];
  });
  return lines.length === 0 ? '' : [...lines, ''].map((line) => `${line}\n`).join('');
}

function sumOf(nodes: readonly NodeReport[], colours: boolean): string {
  const ready = nodes.filter(({ state }) => state === 'ready').length;
  const isWell = nodes.length > 0 && ready === nodes.length;
  return `${paint(`${ready} of ${nodes.length} nodes ready`, isWell ? 'green' : 'red', colours)}\n`;
}
