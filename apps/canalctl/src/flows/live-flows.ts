/** A table that is drawn over: flows that are alike are one line with their number, the newest on top. */
import type { CommandContext } from '../command-context.ts';
import { paint } from '../output/paint.ts';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';
import { tellMissing } from '../admin/tell-missing.ts';
import type { TerminalSize } from '../terminal.ts';
import type { ShownFlow } from './flow-filter.ts';
import type { FlowSource } from './flow-source.ts';
import { FLOW_TITLES, flowCells } from './render-flow.ts';

const DRAW_EVERY_MS = 500;
const MAX_GROUPS = 10_000;
/** ECMA-48, and xterm's private modes: another screen, so that what was on this one comes back; no cursor. */
const [ENTER, LEAVE] = ['\u001b[?1049h\u001b[?25l', '\u001b[?25h\u001b[?1049l'];
const [HOME, CLEAR_REST, CLEAR_LINE] = ['\u001b[H', '\u001b[J', '\u001b[K'];

/** Until it is interrupted. What is left out at the source is told below the table. */
export async function showLive(
  context: CommandContext,
  source: FlowSource,
  { last }: { readonly last: number },
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = context;
  const { size } = terminal;
  if (size === undefined) return;
  const flows = new LiveFlows();
  const draw = (): void => terminal.out(frameOf(flows, size(), terminal.colours === true));
  terminal.out(ENTER);
  draw();
  const timer = setInterval(draw, DRAW_EVERY_MS);
  let missing: Parameters<typeof tellMissing>[1] = [];
  try {
    for await (const event of source.follow(last, signal)) {
      if (event.type === 'missing') missing = event.missing;
      else if (event.type === 'resync') flows.resyncs++;
      else flows.add(event.flow);
      if (terminal.readerGone?.() === true) return;
    }
  } finally {
    clearInterval(timer);
    terminal.out(LEAVE);
    // Now they can be read.
    tellMissing(context, missing);
  }
}

interface FlowGroup {
  readonly cells: readonly string[];
  readonly verdict: ShownFlow['verdict'];
  newest: string;
  count: number;
}

export class LiveFlows {
  resyncs = 0;
  #total = 0;
  #lost = 0;
  /** In the order of their newest flow. */
  readonly #groups = new Map<string, FlowGroup>();

  add(flow: ShownFlow): void {
    const cells = flowCells(flow);
    const key = JSON.stringify(cells);
    const group = this.#groups.get(key) ?? { cells, verdict: flow.verdict, newest: '', count: 0 };
    group.count++;
    if (flow.time > group.newest) group.newest = flow.time;
    this.#groups.delete(key);
    this.#groups.set(key, group);
    this.#total++;
    this.#lost += flow.lost;
    if (this.#groups.size <= MAX_GROUPS) return;
    for (const oldest of this.#groups.keys()) {
      this.#groups.delete(oldest);
      return;
    }
  }

  newest(count: number): readonly FlowGroup[] {
    return count <= 0 ? [] : [...this.#groups.values()].slice(-count).reverse();
  }

  sum(): string {
    const { resyncs } = this;
    return [
      `${counted(this.#total, 'flow')} of ${counted(this.#groups.size, 'kind')}`,
      ...(this.#lost > 0 ? [`${this.#lost} lost before they were told`] : []),
      ...(resyncs > 0 ? [`${resyncs} times some may have been missed`] : []),
      'Ctrl-C ends',
    ].join('; ');
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A screen: no line is longer than it is wide, and none more than it is high. */
export function frameOf(flows: LiveFlows, { columns, rows }: TerminalSize, colours: boolean): string {
  const [HEADING, SUM] = [1, 1];
  const groups = flows.newest(rows - HEADING - SUM);
  const lines = table([
    ['LAST', 'COUNT', ...FLOW_TITLES],
    ...groups.map(({ newest, count, cells }) => [timeOfDay(newest), String(count), ...cells]),
  ])
    .trimEnd()
    .split('\n');
  const shown = [...lines, flows.sum()].slice(-rows).map((line, index) => {
    const group = groups[index - HEADING];
    return paint(line.slice(0, columns), group?.verdict === 'deny' ? 'red' : undefined, colours);
  });
  return `${HOME}${shown.map((line) => `${line}${CLEAR_LINE}`).join('\n')}${CLEAR_REST}`;
}

/** `12:34:56` of an ISO 8601 time, in UTC as it is. */
function timeOfDay(time: string): string {
  return printableLine(/T(\d\d:\d\d:\d\d)/.exec(time)?.[1] ?? time);
}
