import type { QuestionMessage } from '@canal/agent-protocol';
import type { PodRecord } from '@canal/lab';
import type { Explanation, FlowQuestion } from '@canal/policy-compile';
import { parseIp } from 'net-types';
import type { CommandContext } from '../command-context.ts';
import { safeJson } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { askOnce } from './agent-client.ts';
import { type AgentFlags, agentSocketNear } from './agent-sockets.ts';
import { readExplanation } from './read-answers.ts';
import { renderExplanation } from './render-explanation.ts';

export interface ExplainFlags extends AgentFlags {
  readonly protocol: string;
  readonly port?: string;
  readonly namespace: string;
  readonly filename?: readonly string[];
  readonly output: 'table' | 'json';
  readonly exitCode?: true;
}

/** What `--exit-code` gives for a flow that policy denies. */
const DENIED = 1;

export async function runExplain(
  context: CommandContext,
  source: string,
  destination: string,
  flags: ExplainFlags,
): Promise<void> {
  const { terminal, outcome } = context;
  const question = readQuestion(source, destination, flags);
  const explanation =
    flags.filename === undefined ? await askAgent(context, question, flags) : await askFiles(context, question, flags);
  if (flags.exitCode === true && explanation.verdict === 'deny') outcome.exitCode = DENIED;
  terminal.out(flags.output === 'json' ? `${safeJson(explanation)}\n` : renderExplanation(explanation));
}

function readQuestion(source: string, destination: string, flags: ExplainFlags): FlowQuestion & QuestionMessage {
  const { port } = flags;
  const qualified = (end: string): string => (end.includes('/') || parseIp(end).ok ? end : `${flags.namespace}/${end}`);
  return {
    source: qualified(source),
    destination: qualified(destination),
    protocol: flags.protocol,
    ...(port !== undefined && { port: /^[0-9]{1,9}$/.test(port) ? Number(port) : port }),
  };
}

async function askAgent(context: CommandContext, question: QuestionMessage, flags: AgentFlags): Promise<Explanation> {
  // Every agent knows all pods; that of the destination's node also knows which addresses are its node's.
  const { path } = await agentSocketNear(context, flags, [isEnd(question.destination), isEnd(question.source)]);
  return readExplanation(await askOnce(path, { op: 'explain', question }, context.signal));
}

function isEnd(text: string): (pod: PodRecord) => boolean {
  const address = parseIp(text);
  return ({ namespace, name, ips }) => (address.ok ? ips.includes(address.value) : text === `${namespace}/${name}`);
}

async function askFiles(context: CommandContext, question: FlowQuestion, flags: ExplainFlags): Promise<Explanation> {
  if (flags.socket !== undefined || flags.lab !== undefined || flags.node !== undefined) {
    throw new UsageError('-f asks no agent', 'leave out --socket, --lab and --node, or leave out -f');
  }
  const { explainFromFiles } = await import('./explain-from-files.ts');
  const { explanation, notes } = explainFromFiles(flags.filename ?? [], question, flags.namespace);
  for (const note of notes) context.terminal.err(`note: ${note}\n`);
  return explanation;
}
