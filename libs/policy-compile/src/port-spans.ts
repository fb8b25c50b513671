/** Ports while they are gathered from rules, and the canonical matches that come of them. */
import type { PortMatch, RuleProtocol } from '@canal/rules-ast';

/** Inclusive. All ports of a protocol are 0..65535: only so is port 0 meant, which no rule can name. */
export interface PortSpan {
  readonly protocol: RuleProtocol;
  readonly first: number;
  readonly last: number;
}

const PROTOCOLS: readonly RuleProtocol[] = ['SCTP', 'TCP', 'UDP'];

export function allPortsOf(protocol: RuleProtocol): PortSpan {
  return { protocol, first: 0, last: 65_535 };
}

/** Spans that overlap or touch become one; one match a protocol, in order of its name. */
export function mergeSpans(spans: readonly PortSpan[]): readonly PortMatch[] {
  return PROTOCOLS.flatMap((protocol) => {
    const own = spans.filter((span) => span.protocol === protocol).sort((a, b) => a.first - b.first);
    if (own.length === 0) return [];
    const ranges: { first: number; last: number }[] = [];
    for (const { first, last } of own) {
      const before = ranges.at(-1);
      if (before === undefined || first > before.last + 1) ranges.push({ first, last });
      else if (last > before.last) before.last = last;
    }
    return [{ protocol, ranges: ranges[0]?.first === 0 ? [] : ranges }];
  });
}

/** Equal texts match the same packets: `any`, or as `TCP:80,443-445;UDP:*`. */
export function portsText(ports: 'any' | readonly PortMatch[]): string {
  if (ports === 'any') return 'any';
  return ports
    .map(({ protocol, ranges }) => {
      if (ranges.length === 0) return `${protocol}:*`;
      return `${protocol}:${ranges.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(',')}`;
    })
    .join(';');
}
