import type { AgentRequest, FlowRecord } from '@canal/agent-protocol';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import { safeJson } from '../printable.ts';
import { table } from '../table.ts';
import { ask } from './agent-client.ts';
import { type AgentFlags, type AgentSocket, agentSockets } from './agent-sockets.ts';
import { readFlowRecord } from './read-answers.ts';
import { flowColumns, flowRow, GrowingTable, type NodeFlow } from './render-flow.ts';

export interface FlowsFlags extends AgentFlags {
  readonly follow?: true;
  readonly denied?: true;
  readonly last: number;
  readonly output: 'table' | 'json';
}

export async function runFlows(context: CommandContext, flags: FlowsFlags): Promise<void> {
  const sockets = await agentSockets(context, flags);
  const request: AgentRequest = {
    op: 'flows',
    follow: flags.follow === true,
    last: flags.last,
    denied: flags.denied === true,
  };
  await (request.follow ? follow(context, sockets, request, flags) : showLast(context, sockets, request, flags));
}

async function showLast(
  { terminal, signal }: CommandContext,
  sockets: readonly AgentSocket[],
  request: AgentRequest,
  { last, output }: FlowsFlags,
): Promise<void> {
  const flows: NodeFlow[] = [];
  await Promise.all(
    sockets.map(async (socket) => {
      for await (const flow of flowsOf(socket, request, signal)) flows.push(flow);
    }),
  );
  signal.throwIfAborted();
  const newest = flows.sort((a, b) => (a.record.time < b.record.time ? -1 : 1)).slice(-last);
  for (const flow of newest) tellLost(terminal, flow.record);
  if (output === 'json') {
    for (const flow of newest) terminal.out(jsonLine(flow));
  } else if (newest.length === 0) {
    terminal.err('no flows recorded yet; denied ones are, allowed ones only where the agent samples them\n');
  } else {
    const withNode = sockets.length > 1;
    terminal.out(table([flowColumns(withNode), ...newest.map((flow) => flowRow(flow, withNode))]));
  }
}

/** Until it is interrupted or its reader has gone, which is how it ends well, or an agent ends it. */
async function follow(
  { terminal, signal, outcome }: CommandContext,
  sockets: readonly AgentSocket[],
  request: AgentRequest,
  { output }: FlowsFlags,
): Promise<void> {
  const withNode = sockets.length > 1;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const lines = new GrowingTable(withNode);
  if (output === 'table') terminal.out(lines.line(flowColumns(withNode)));
  await Promise.all(
    sockets.map(async (socket) => {
      for await (const flow of flowsOf(socket, request, either)) {
        tellLost(terminal, flow.record);
        terminal.out(output === 'json' ? jsonLine(flow) : lines.line(flowRow(flow, withNode)));
        // `| head`: nobody reads what would come.
        if (terminal.readerGone?.() !== true) continue;
        stop.abort();
        return;
      }
    }),
  );
  if (either.aborted) return;
  outcome.exitCode = EXIT.unhealthy;
  terminal.err('the policy agent has ended the connection: run the same command again when it is back\n');
}

async function* flowsOf(socket: AgentSocket, request: AgentRequest, signal: AbortSignal): AsyncGenerator<NodeFlow> {
  const { node } = socket;
  for await (const value of ask(socket, request, signal)) {
    yield { ...(node !== undefined && { node }), record: readFlowRecord(value) };
  }
}

/** One record a line, for programs that read lines. */
function jsonLine({ node, record }: NodeFlow): string {
  return `${safeJson({ ...(node !== undefined && { node }), ...record }, 0)}\n`;
}

function tellLost(terminal: CommandContext['terminal'], { lost }: FlowRecord): void {
  if (lost > 0) terminal.err(`${lost} records were lost before the next one\n`);
}
