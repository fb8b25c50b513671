/** The result of an uninstall for people. */
import type { UninstallReport } from '@canal/api-schema';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';
import type { ClusterPlan } from './cluster-plan.ts';
import type { ClusterResult, ReleasedNode } from './uninstall-cluster.ts';

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** What is about to happen. */
export function renderPlan({ nodes, daemonSetExists, image }: ClusterPlan): string {
  const pods = nodes.reduce((sum, node) => sum + node.pods, 0);
  const unreachable = nodes.filter((node) => node.unreachable !== undefined);
  const lines = [
    `canal goes from ${plural(nodes.length, 'node')}: configuration, plugin, devices, routes, rules, records, sysctls.`,
    `${plural(pods, 'pod')} on them, all that are not in the host's network, lose their network until another CNI is there.`,
    ...(daemonSetExists
      ? ['The agents of DaemonSet canal-node end first.']
      : ['There is no DaemonSet canal-node any more.']),
    `A Job with the image ${printableLine(image)} does the work on each node.`,
    ...unreachable.map(({ name, unreachable: why }) => `Not reachable: ${printableLine(`${name}: ${why ?? ''}`)}`),
  ];
  return `${lines.join('\n')}\n`;
}

export function renderResult(result: ClusterResult, dryRun: boolean): string {
  const head = [
    'NODE',
    'RESULT',
    dryRun ? 'WOULD REMOVE' : 'REMOVED',
    dryRun ? 'WOULD RESTORE' : 'RESTORED',
    'LEFT',
    'PODS',
    '',
  ];
  const rows = result.nodes.map((node) => [
    printableLine(node.node),
    node.outcome,
    ...countsOf(node.report),
    printableLine(node.problem ?? ''),
  ]);
  return [
    table([head, ...rows]),
    ...result.nodes.map((node) => details(node, dryRun)),
    objectLines(result, dryRun),
    byHandLines(result),
  ].join('');
}

function countsOf(report: UninstallReport | undefined): readonly string[] {
  if (report === undefined) return ['-', '-', '-', '-'];
  const count = (...outcomes: string[]): string =>
    String(report.objects.filter(({ outcome }) => outcomes.includes(outcome)).length);
  return [
    count('removed', 'would-remove'),
    count('restored', 'would-restore'),
    count('left'),
    String(report.pods.length),
  ];
}

/** All of it in a dry run; else what is not as wished. */
function details({ node, report, nodeObject }: ReleasedNode, dryRun: boolean): string {
  if (report === undefined) return '';
  const objects = report.objects.filter(({ outcome }) => dryRun || outcome === 'left' || outcome === 'failed');
  const lines = [
    ...objects.map(
      ({ outcome, kind, name, note }) => `${outcome} ${kind} ${name}${note === undefined ? '' : ` (${note})`}`,
    ),
    ...report.remaining.map((text) => `still there: ${text}`),
    ...(nodeObject.length === 0 ? [] : [`Node object: ${nodeObject.join(', ')}`]),
  ];
  if (lines.length === 0) return '';
  return `\n${printableLine(node)}\n${lines.map((line) => `  ${printableLine(line)}\n`).join('')}`;
}

function objectLines({ objects, objectsKept }: ClusterResult, dryRun: boolean): string {
  const gone =
    objects.length === 0 ? '' : `\n${dryRun ? 'would delete' : 'deleted'}: ${printableLine(objects.join(', '))}\n`;
  if (objectsKept !== undefined) return `${gone}\nobjects of canal in the cluster stay: ${objectsKept}\n`;
  return gone === '' ? '\nno objects of canal in the cluster\n' : gone;
}

function byHandLines({ nodes, byHand }: ClusterResult): string {
  const left = nodes.filter(({ outcome }) => outcome === 'unreachable').map(({ node }) => node);
  if (left.length === 0) return '';
  return `\nnot reached: ${printableLine(left.join(', '))}. When such a node is back, run this command again, or there as root, when its agent has ended:\n  ${printableLine(byHand)}\n`;
}
