/** Flow records as rows. */
import type { FlowEndMessage, FlowRecord } from '@canal/agent-protocol';
import { printableLine } from '../printable.ts';

/** A record with the node that told of it, where several are asked. */
export interface NodeFlow {
  readonly node?: string;
  readonly record: FlowRecord;
}

export function flowColumns(withNode: boolean): readonly string[] {
  const columns = ['TIME', 'VERDICT', 'REASON', 'SOURCE', 'DESTINATION', 'PROTO/PORT', 'RULE'];
  return withNode ? ['NODE', ...columns] : columns;
}

export function flowRow({ node, record }: NodeFlow, withNode: boolean): readonly string[] {
  const { time, verdict, reason, source, destination } = record;
  const cells = [time, verdict, reason, endText(source), endText(destination), protocolText(record), ruleText(record)];
  return (withNode ? [node ?? '-', ...cells] : cells).map(printableLine);
}

function endText({ pod, address }: FlowEndMessage): string {
  return pod === undefined ? address : `${pod.namespace}/${pod.name}`;
}

function protocolText({ protocol, destination }: FlowRecord): string {
  return destination.port === undefined ? protocol : `${protocol}/${destination.port}`;
}

function ruleText({ rule, isolatedBy }: FlowRecord): string {
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
    return `${row
      .map((cell, index) => {
        const width = Math.max(this.#widths[index] ?? 0, cell.length);
        this.#widths[index] = width;
        return index === row.length - 1 ? cell : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd()}\n`;
  }
}
