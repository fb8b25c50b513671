/** Flows as rows. */
import type { RecordedEnd } from '@canal/admin-client';
import { printableLine } from '../printable.ts';
import type { ShownFlow } from './flow-filter.ts';

/** What a flow is, but for when and where. */
export const FLOW_TITLES: readonly string[] = ['VERDICT', 'REASON', 'SOURCE', 'DESTINATION', 'PROTO/PORT', 'RULE'];

export function flowCells(flow: ShownFlow): readonly string[] {
  const { verdict, reason, source, destination } = flow;
  return [verdict, reason, endText(source), endText(destination), protocolText(flow), ruleText(flow)].map(
    printableLine,
  );
}

export function flowColumns(withNode: boolean): readonly string[] {
  return [...(withNode ? ['NODE'] : []), 'TIME', ...FLOW_TITLES];
}

export function flowRow(flow: ShownFlow, withNode: boolean): readonly string[] {
  return [...[...(withNode ? [flow.node ?? '-'] : []), flow.time].map(printableLine), ...flowCells(flow)];
}

function endText({ pod, address }: RecordedEnd): string {
  return pod === undefined ? address : `${pod.namespace}/${pod.name}`;
}

function protocolText({ protocol, destination }: ShownFlow): string {
  return destination.port === undefined ? protocol : `${protocol}/${destination.port}`;
}

function ruleText({ rule, isolatedBy }: ShownFlow): string {
  if (rule !== undefined) return `${rule.policy}[${rule.index}]`;
  return isolatedBy === undefined || isolatedBy.length === 0 ? '-' : `isolated by ${isolatedBy.join(', ')}`;
}

/** Wide enough for most rows; wider ones widen the rows after them. */
const FIRST_WIDTHS = [24, 7, 14, 24, 24, 10];
const NODE_WIDTH = 8;

/** A table whose rows come one after the other. */
export class GrowingTable {
  readonly #widths: number[];

  constructor(withNode: boolean) {
    this.#widths = withNode ? [NODE_WIDTH, ...FIRST_WIDTHS] : [...FIRST_WIDTHS];
  }

  line(row: readonly string[]): string {
    return row
      .map((cell, index) => {
        const width = Math.max(this.#widths[index] ?? 0, cell.length);
        this.#widths[index] = width;
        return index === row.length - 1 ? cell : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  }
}
