/** Ports in words, the short way round: `TCP 80-90, UDP 53`, `all`, `all but TCP 5432`. */
import type { FlowPortRange, FlowPorts } from './policy-diff.ts';

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;

export function portsText(ports: FlowPorts, names: number): string {
  if (ports === 'all') return 'all';
  const rest = complement(ports);
  return rest.length < ports.length ? `all but ${listText(rest, names)}` : listText(ports, names);
}

function complement(ranges: readonly FlowPortRange[]): readonly FlowPortRange[] {
  const rest: FlowPortRange[] = [];
  for (const protocol of PROTOCOLS) {
    let first = 0;
    for (const range of ranges) {
      if (range.protocol !== protocol) continue;
      if (range.first > first) rest.push({ protocol, first, last: range.first - 1 });
      first = range.last + 1;
    }
    if (first <= 65_535) rest.push({ protocol, first, last: 65_535 });
  }
  return ranges.some(({ protocol }) => protocol === 'other') ? rest : [...rest, { protocol: 'other' }];
}

function listText(ranges: readonly FlowPortRange[], names: number): string {
  const texts = ranges.map(rangeText);
  if (texts.length <= names) return texts.join(', ');
  return `${texts.slice(0, names).join(', ')} and ${texts.length - names} more ranges`;
}

function rangeText(range: FlowPortRange): string {
  if (range.protocol === 'other') return 'ICMP and others';
  const { protocol, first, last } = range;
  if (first === 0 && last === 65_535) return protocol;
  return first === last ? `${protocol} ${first}` : `${protocol} ${first}-${last}`;
}
