import type { QuestionMessage } from '@canal/agent-protocol';
import type { PodRecord } from '@canal/lab';
import type { Explanation, FlowQuestion } from '@canal/policy-compile';
import { parseIp, parsePort } from 'net-types';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import type { Manifest } from '../objects/manifest.ts';
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

/** What `--exit-code` gives for a flow that policy denies, and then for nothing else. */
const DENIED = 1;

export async function runExplain(
  context: CommandContext,
  source: string,
  destination: string,
  flags: ExplainFlags,
): Promise<void> {
  const { terminal, outcome } = context;
  if (flags.exitCode === true) outcome.failure = EXIT.unhealthy;
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
    ...(port !== undefined && { port: readPort(port) }),
  };
}

/** RFC 6335 §5.1, in lower case and with at most 15 characters, as ports of containers are named. */
const PORT_NAME = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*$/;

function readPort(text: string): number | string {
  const port = parsePort(text);
  if (port.ok) return port.value;
  if (PORT_NAME.test(text)) return text;
  throw new UsageError(
    `--port: ${JSON.stringify(text)} is no port`,
    'give a number within 1..65535, or a name such as http',
  );
}

async function askAgent(context: CommandContext, question: QuestionMessage, flags: AgentFlags): Promise<Explanation> {
  // Every agent knows all pods; that of the destination's node also knows which addresses are its node's.
  const socket = await agentSocketNear(context, flags, [isEnd(question.destination), isEnd(question.source)]);
  return readExplanation(await askOnce(socket, { op: 'explain', question }, context.signal));
}

function isEnd(text: string): (pod: PodRecord) => boolean {
  const address = parseIp(text);
  return ({ namespace, name, ips }) => (address.ok ? ips.includes(address.value) : text === `${namespace}/${name}`);
}

async function askFiles(context: CommandContext, question: FlowQuestion, flags: ExplainFlags): Promise<Explanation> {
  if (flags.socket !== undefined || flags.lab !== undefined || flags.node !== undefined) {
    throw new UsageError('-f asks no agent', 'leave out --socket, --lab and --node, or leave out -f');
  }
  const [{ explainFromFiles }, { readManifests }] = await Promise.all([
    import('./explain-from-files.ts'),
    import('../objects/read-manifests.ts'),
  ]);
  const manifests: Manifest[] = [];
  for (const file of flags.filename ?? [])
    for (const manifest of await readManifests(file, context.signal)) manifests.push(manifest);
  const { explanation, notes } = explainFromFiles(manifests, question, flags.namespace);
  for (const note of notes) context.terminal.err(`note: ${note}\n`);
  return explanation;
}
