/** Whether a flow passes: asked of an agent that knows one of its ends, or of any other that answers. */
import type { QuestionMessage } from '@canal/agent-protocol';
import { objectName } from '@canal/admin-schema';
import { PODS, type Store } from '@canal/store-port';
import { cidrContains, cidrFamily, ipFamily, parseIp } from 'net-types';
import { type Handlers, ProblemError } from '../handler.ts';
import { explainQuestion } from './agent-questions.ts';
import { boundedText } from './bounded-text.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import type { NodeQuestions } from './node-questions.ts';

export interface ExplainDeps {
  readonly store: Store;
  readonly nodes: ClusterNodes;
  readonly questions: NodeQuestions;
}

/** Each agent knows the whole cluster: when so many do not answer, others would not either. */
const TRIES = 4;

export function explainHandlers(deps: ExplainDeps): Pick<Handlers, 'explain'> {
  const { questions } = deps;
  let turn = 0;
  return {
    async explain({ body, signal }) {
      const question = questionOf(body);
      const failures: string[] = [];
      for (const node of (await nodesToAsk(deps, question, turn++)).slice(0, TRIES)) {
        const answer = await questions.ask(node, explainQuestion(question), signal);
        if (answer.ok) return { body: answer.value };
        const { agentCode, reason } = answer;
        if (agentCode === 'not-found') throw new ProblemError('not-found', reason);
        if (agentCode === 'bad-request') throw new ProblemError('invalid', reason);
        failures.push(`${node}: ${reason}`);
      }
      const why = failures.length === 0 ? 'there is no node' : failures.join('; ');
      throw new ProblemError('unavailable', `no policy agent explains it: ${why}`, { retryAfterSeconds: 5 });
    },
  };
}

function questionOf(body: {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly port?: number | string | undefined;
}): QuestionMessage {
  const { port, ...question } = body;
  return port === undefined ? question : { ...question, port };
}

/** The destination's node and the source's first: they know of their own endpoints more than what the API tells. */
async function nodesToAsk(
  { store, nodes }: ExplainDeps,
  { source, destination }: QuestionMessage,
  turn: number,
): Promise<readonly string[]> {
  const all = nodes.names();
  const ends = await Promise.all([nodeOf(store, nodes, destination), nodeOf(store, nodes, source)]);
  const near = ends.filter((name) => name !== undefined && all.includes(name)) as string[];
  const start = all.length === 0 ? 0 : turn % all.length;
  return [...new Set([...near, ...all.slice(start), ...all.slice(0, start)])];
}

async function nodeOf(store: Store, nodes: ClusterNodes, end: string): Promise<string | undefined> {
  const address = parseIp(end);
  if (address.ok) {
    const ip = address.value;
    return nodes
      .names()
      .find((name) =>
        nodes.get(name)?.record?.podCidrs.some((cidr) => cidrFamily(cidr) === ipFamily(ip) && cidrContains(cidr, ip)),
      );
  }
  const [namespace, name, ...rest] = end.split('/');
  const isName = (text: string | undefined): text is string => objectName.safeParse(text).success;
  if (rest.length > 0 || !isName(namespace) || !isName(name)) return undefined;
  const options = { namespace, fieldSelector: `metadata.name=${name}`, fields: { spec: { nodeName: true } } } as const;
  // Only whom to ask first depends on it.
  const [pod] = await store.list(PODS, options).catch(() => []);
  const spec: unknown = pod?.['spec'];
  const node: unknown = typeof spec === 'object' && spec !== null ? Reflect.get(spec, 'nodeName') : undefined;
  return typeof node === 'string' ? boundedText(node, 253) : undefined;
}
