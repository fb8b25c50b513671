/**
 * What a person needs who looks for a fault from afar. Only fields that are named here, or in the readers of agents'
 * answers, get in; the rest of what was read is left out, so that no secret can be overlooked.
 */
import type { Diagnosis } from '@canal/admin-schema';
import type { AnnotationKeys } from '@canal/api-schema';
import { formatCidr } from 'net-types';
import type { Handlers } from '../handler.ts';
import { type AgentQuestion, NETWORK_STATUS, PEERS, POLICIES, POLICY_AGENT_STATUS } from './agent-questions.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { readNetConf, type NetConfDeps } from './net-conf.ts';
import { knownNetConfFields } from './net-conf-fields.ts';
import type { NodeAnswer, NodeQuestions } from './node-questions.ts';

export interface DiagDeps extends NetConfDeps {
  readonly nodes: ClusterNodes;
  readonly questions: NodeQuestions;
  readonly keys: AnnotationKeys;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
}

/** Of all entries. */
const MAX_CHARS = 8 * 1024 * 1024;

export function diagHandlers(deps: DiagDeps): Pick<Handlers, 'diagnose'> {
  const { nodes, questions, version, timeMs } = deps;
  return {
    async diagnose({ signal }) {
      const time = new Date(timeMs()).toISOString();
      const bundle = new Bundle(time);
      bundle.add('admin-api.json', { version });
      await addNetConf(deps, bundle);
      const names = nodes.names();
      for (const name of names) addNode(deps, bundle, name);
      const ask = async <T>(file: string, question: AgentQuestion<T>, told: (value: T) => unknown): Promise<void> => {
        const work = async (node: string): Promise<NodeAnswer<undefined>> => {
          const answer = await questions.ask(node, question, signal);
          if (!answer.ok) return answer;
          bundle.add(`nodes/${node}/${question.agent}/${file}`, told(answer.value));
          return { node, ok: true, value: undefined };
        };
        for (const answer of await questions.forAll(names, work, signal)) {
          if (!answer.ok) bundle.miss(`nodes/${answer.node}/${question.agent}/${file}`, answer.reason);
        }
      };
      await Promise.all([
        ask('status.json', NETWORK_STATUS, (value) => value),
        ask('peers.json', PEERS, ({ items, unread }) => ({ peers: items, unread })),
        ask('status.json', POLICY_AGENT_STATUS, (value) => value),
        ask('policies.json', POLICIES, ({ items, unread }) => ({ policies: items, unread })),
      ]);
      return { body: bundle.finish() };
    },
  };
}

/** In order of paths, whichever came first. */
class Bundle {
  readonly #time: string;
  readonly #entries: Diagnosis['entries'] = [];
  readonly #missing: Diagnosis['missing'] = [];
  #chars = 0;

  constructor(time: string) {
    this.#time = time;
  }

  add(path: string, value: unknown): void {
    const content = `${JSON.stringify(value, undefined, 1)}\n`;
    if (this.#chars + content.length > MAX_CHARS) {
      this.miss(path, `left out: the bundle holds ${MAX_CHARS / 1024 / 1024} MiB`);
      return;
    }
    this.#chars += content.length;
    this.#entries.push({ path, content });
  }

  miss(path: string, reason: string): void {
    this.#missing.push({ path, reason });
  }

  finish(): Diagnosis {
    const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
    return { time: this.#time, entries: this.#entries.sort(byPath), missing: this.#missing.sort(byPath) };
  }
}

function addNode({ nodes, keys }: DiagDeps, bundle: Bundle, name: string): void {
  const path = `nodes/${name}/node.json`;
  const { record, problem } = nodes.get(name) ?? {};
  if (record === undefined) {
    bundle.miss(path, `the Node object cannot be read: ${problem ?? 'it is gone'}`);
    return;
  }
  const { podCidrs, internalIps, networkUnavailable } = record;
  const annotations = Object.values<string>({ ...keys })
    .filter((key) => record.annotations[key] !== undefined)
    .map((key) => [key, record.annotations[key]]);
  bundle.add(path, {
    podCidrs: podCidrs.map((cidr) => formatCidr(cidr)),
    internalIps,
    networkUnavailable,
    annotations: Object.fromEntries(annotations) as unknown,
  });
}

async function addNetConf(deps: DiagDeps, bundle: Bundle): Promise<void> {
  const path = 'config/net-conf.json';
  let value: unknown;
  try {
    value = JSON.parse((await readNetConf(deps)) ?? 'null');
  } catch (error) {
    bundle.miss(path, error instanceof SyntaxError ? 'it is not JSON' : String(error));
    return;
  }
  bundle.add(path, knownNetConfFields(value).known);
}
