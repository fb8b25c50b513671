import { withAdminApi } from '../admin/open-admin-api.ts';
import { tellMissing } from '../admin/tell-missing.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { localAgent } from '../policy/local-agent.ts';
import type { PolicyFlags } from '../policy/policy-flags.ts';
import { paint } from '../output/paint.ts';
import { UsageError } from '../report-error.ts';
import { safeJson } from '../printable.ts';
import { table } from '../table.ts';
import { adminFlows } from './admin-flows.ts';
import { agentFlows } from './agent-flows.ts';
import { flowFilter, type FlowFilterFlags, type ShownFlow } from './flow-filter.ts';
import type { FlowSource } from './flow-source.ts';
import { flowColumns, flowRow, GrowingTable } from './render-flow.ts';

export interface FlowsFlags extends PolicyFlags, FlowFilterFlags {
  readonly follow?: true;
  readonly live?: true;
  readonly last: number;
  readonly output: 'table' | 'json';
}

export async function runFlows(context: CommandContext, flags: FlowsFlags): Promise<void> {
  const filter = flowFilter(flags);
  const show = await showOf(context, flags);
  const socket = localAgent(context, flags);
  try {
    if (socket !== undefined) await show(context, agentFlows(socket, filter), flags, context.signal);
    else {
      await withAdminApi(context, flags, (client, signal) => show(context, adminFlows(client, filter), flags, signal));
    }
  } catch (error) {
    // What goes on until it is interrupted ends well by that.
    if (!context.signal.aborted || (flags.follow ?? flags.live) !== true) throw error;
  }
}

type Show = (context: CommandContext, source: FlowSource, flags: FlowsFlags, signal: AbortSignal) => Promise<void>;

async function showOf({ terminal }: CommandContext, flags: FlowsFlags): Promise<Show> {
  if (flags.live !== true) return flags.follow === true ? follow : showLast;
  if (terminal.size === undefined) {
    throw new UsageError('--live draws on a terminal, and this is none', 'take --follow: a line a flow');
  }
  return (await import('./live-flows.ts')).showLive;
}

async function showLast(
  context: CommandContext,
  source: FlowSource,
  { last, output }: FlowsFlags,
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = context;
  const { flows, missing } = await source.newest(last, signal);
  tellMissing(context, missing);
  for (const flow of flows) tellLost(terminal, flow);
  if (output === 'json') {
    for (const flow of flows) terminal.out(jsonLine(flow));
  } else if (flows.length === 0) {
    terminal.err('no such flows are remembered; denied ones are, allowed ones only where the agent samples them\n');
  } else {
    const { withNode } = source;
    const lines = table([flowColumns(withNode), ...flows.map((flow) => flowRow(flow, withNode))])
      .trimEnd()
      .split('\n');
    for (const [index, line] of lines.entries()) terminal.out(coloured(terminal, line, flows[index - 1]));
  }
}

/** Until it is interrupted or its reader has gone, which is how it ends well, or an agent ends it. */
async function follow(
  context: CommandContext,
  source: FlowSource,
  { last, output }: FlowsFlags,
  signal: AbortSignal,
): Promise<void> {
  const { terminal, outcome } = context;
  const { withNode } = source;
  const lines = new GrowingTable(withNode);
  if (output === 'table') terminal.out(`${lines.line(flowColumns(withNode))}\n`);
  for await (const event of source.follow(last, signal)) {
    if (event.type === 'missing') tellMissing(context, event.missing);
    else if (event.type === 'resync') terminal.err(RESYNC);
    else {
      tellLost(terminal, event.flow);
      const { flow } = event;
      terminal.out(output === 'json' ? jsonLine(flow) : coloured(terminal, lines.line(flowRow(flow, withNode)), flow));
    }
    // `| head`: nobody reads what would come.
    if (terminal.readerGone?.() === true) return;
  }
  if (signal.aborted) return;
  outcome.exitCode = EXIT.unhealthy;
  terminal.err('the policy agent has ended the connection: run the same command again when it is back\n');
}

const RESYNC = 'resync: a node was not heard, or this reader was too slow; what nodes remember of it comes next\n';

function coloured(terminal: CommandContext['terminal'], line: string, flow: ShownFlow | undefined): string {
  return `${paint(line, flow?.verdict === 'deny' ? 'red' : undefined, terminal.colours === true)}\n`;
}

/** One record a line, for programs that read lines. */
function jsonLine(flow: ShownFlow): string {
  return `${safeJson(flow, 0)}\n`;
}

function tellLost(terminal: CommandContext['terminal'], { lost }: ShownFlow): void {
  if (lost > 0) terminal.err(`${lost} records were lost before the next one\n`);
}
