/** A diff as lines of text for people. What a line leaves out it counts. */
import type { FlowCause, FlowEnd, FlowGroup, PodChange, PolicyDiff } from './policy-diff.ts';
import { portsText } from './ports-text.ts';

export interface RenderOptions {
  /** How many names a list may have before the rest is counted; 8 unless told. */
  readonly names?: number;
}

/** `opens  shop/web (3 pods) -> shop/db (1 pod): TCP 5432, by policy shop/db (added)`, a line for each group. */
export function render(diff: PolicyDiff, { names = 8 }: RenderOptions = {}): readonly string[] {
  const dualStack = diff.compared.families.length > 1;
  const lines = [
    ...diff.opens.map((group) => `opens   ${groupText(group, names, dualStack)}`),
    ...diff.closes.map((group) => `closes  ${groupText(group, names, dualStack)}`),
  ];
  const { pods, workloads } = diff.compared;
  const compared = `compared: ${counted(pods, 'pod')} of ${counted(workloads, 'workload')}`;
  return [
    ...(lines.length > 0 ? lines : ['no flow opens or closes']),
    ...podsLine('came', diff.came, names),
    ...podsLine('went', diff.went, names),
    compared,
  ];
}

function groupText(group: FlowGroup, names: number, dualStack: boolean): string {
  const { sources, destinations, ports, families, causes } = group;
  const ends = `${endsText(sources, names)} -> ${endsText(destinations, names)}`;
  const family = dualStack && families.length === 1 ? ` (IPv${families.join()} alone)` : '';
  const by = causes.length === 0 ? '' : `, by ${shortened(causes.map(causeText), names)}`;
  return `${ends}: ${portsText(ports, names)}${family}${by}`;
}

function endsText(ends: readonly FlowEnd[], names: number): string {
  return shortened(
    ends.map((end) => endText(end, names)),
    names,
  );
}

function endText(end: FlowEnd, names: number): string {
  switch (end.type) {
    case 'pods':
      return end.but === undefined
        ? `every pod (${end.pods})`
        : `every pod but ${endsText(end.but, names)} (${counted(end.pods, 'pod')})`;
    case 'namespace':
      return end.but === undefined
        ? `${end.name}/* (${counted(end.pods, 'pod')})`
        : `${end.name}/* but ${endsText(end.but, names)} (${counted(end.pods, 'pod')})`;
    case 'workload':
      if (end.only === undefined) return `${end.name} (${counted(end.pods, 'pod')})`;
      return `${end.name} (${end.pods} of ${counted(end.of, 'pod')}: ${shortened(end.only, names)})`;
    case 'nodes':
      if (end.addresses === 'all') return 'every node';
      return `nodes ${shortened(
        end.addresses.map(({ node, address }) => `${node} ${address}`),
        names,
      )}`;
    case 'outside':
      return end.ranges === 'all' ? 'everything outside' : `outside ${shortened(end.ranges, names)}`;
  }
}

function causeText(cause: FlowCause): string {
  switch (cause.type) {
    case 'policy':
      return `policy ${cause.name} (${cause.change})`;
    case 'namespace':
      return cause.change === 'changed'
        ? `labels of namespace ${cause.name}`
        : `namespace ${cause.name} (${cause.change})`;
    case 'pods':
      return `labels, ports or addresses of ${cause.workload}`;
  }
}

function podsLine(word: string, changes: readonly PodChange[], names: number): string[] {
  if (changes.length === 0) return [];
  const pods = shortened(
    changes.map(({ pod, families }) => (families.length === 1 ? `${pod} (IPv${families.join()})` : pod)),
    names,
  );
  return [`${word}: ${counted(changes.length, 'pod')}, whose flows are not compared: ${pods}`];
}

function shortened(texts: readonly string[], names: number): string {
  if (texts.length <= names) return texts.join(', ');
  return `${texts.slice(0, names).join(', ')} and ${texts.length - names} more`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
