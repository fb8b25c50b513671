import { AdminApiError } from '@canal/admin-client';
import type { QuestionMessage } from '@canal/agent-protocol';
import type { Explanation, FlowQuestion } from '@canal/policy-compile';
import { parseIp, parsePort } from 'net-types';
import { withAdminApi } from '../admin/open-admin-api.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT } from '../exit-code.ts';
import type { Manifest } from '../objects/manifest.ts';
import { safeJson } from '../printable.ts';
import { UsageError } from '../report-error.ts';
import { askOnce } from './agent-client.ts';
import { PolicyAgentError } from './agent-error.ts';
import { localAgent } from './local-agent.ts';
import type { PolicyFlags } from './policy-flags.ts';
import { readExplanation } from './read-answers.ts';
import { refuseSources } from './refuse-sources.ts';
import { renderExplanation } from './render-explanation.ts';

export interface ExplainFlags extends PolicyFlags {
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
    flags.filename === undefined ? await askAgents(context, question, flags) : await askFiles(context, question, flags);
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

async function askAgents(context: CommandContext, question: QuestionMessage, flags: PolicyFlags): Promise<Explanation> {
  const socket = localAgent(context, flags);
  if (socket !== undefined) return readExplanation(await askOnce(socket, { op: 'explain', question }, context.signal));
  return await withAdminApi(context, flags, async (client, signal) => {
    try {
      return (await client.call('explain', signal, { body: question })).body;
    } catch (error) {
      // A pod, or the name of a port: no node.
      if (!(error instanceof AdminApiError) || error.problem?.status !== 404) throw error;
      throw new PolicyAgentError('not-found', error.message, { cause: error });
    }
  });
}

async function askFiles(context: CommandContext, question: FlowQuestion, flags: ExplainFlags): Promise<Explanation> {
  refuseSources(flags);
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
