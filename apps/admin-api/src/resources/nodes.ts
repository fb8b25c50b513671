/** Nodes with the state of their agents; one node with its peers. */
import type { Agent, NodeSummary, Page } from '@canal/admin-schema';
import type { AnnotationKeys } from '@canal/api-schema';
import { formatCidr, formatIp, parseIp } from 'net-types';
import { type Handlers, ProblemError } from '../handler.ts';
import {
  NETWORK_STATUS,
  type NetworkStatus,
  PEERS,
  POLICY_AGENT_STATUS,
  type PolicyAgentStatus,
} from './agent-questions.ts';
import { boundedText } from './bounded-text.ts';
import type { ClusterNode, ClusterNodes } from './cluster-nodes.ts';
import { Cursors } from './cursor.ts';
import type { NodeAnswer, NodeQuestions } from './node-questions.ts';
import { pageOfItems, unreadReason } from './pages.ts';

export interface NodesDeps {
  readonly nodes: ClusterNodes;
  readonly questions: NodeQuestions;
  readonly keys: AnnotationKeys;
}

const LIST = new Cursors('nodes', {});

export function nodeHandlers(deps: NodesDeps): Pick<Handlers, 'listNodes' | 'getNode'> {
  const { nodes, questions } = deps;
  return {
    async listNodes({ query, signal }) {
      const order = { cursors: LIST, keyOf: (name: string) => [name], parts: 1 };
      const page = pageOfItems(nodes.names(), query, order);
      const answers = await bothAgents(questions, page.items, signal);
      return { body: { ...page, ...summaries(deps, page.items, answers) } };
    },

    async getNode({ params: { name }, signal }) {
      const known = nodes.get(name);
      if (known === undefined) throw new ProblemError('not-found', `there is no node ${name}`);
      const [[network, policy], peers] = await Promise.all([
        bothAgents(questions, [name], signal).then((answers) => answers[0] as BothAnswers),
        questions.ask(name, PEERS, signal),
      ]);
      const summary = summaryOf(deps, known, [network, policy]);
      const peerFault = peers.ok ? unreadReason(peers.value) : peers.reason;
      const isSame = !network.ok && !peers.ok;
      if (peerFault !== undefined && !isSame) {
        summary.agents[0]?.faults.push({ severity: 'warning', message: `its peers are not all known: ${peerFault}` });
      }
      const podMtuBytes = network.ok ? network.value.podMtuBytes : undefined;
      return {
        body: {
          ...summary,
          ...(podMtuBytes !== undefined && { podMtuBytes }),
          peers: peers.ok ? peers.value.items.map((peer) => ({ ...peer })) : [],
        },
      };
    },
  };
}

type BothAnswers = readonly [NodeAnswer<NetworkStatus>, NodeAnswer<PolicyAgentStatus>];

async function bothAgents(
  questions: NodeQuestions,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly BothAnswers[]> {
  const [network, policy] = await Promise.all([
    questions.askAll(names, NETWORK_STATUS, signal),
    questions.askAll(names, POLICY_AGENT_STATUS, signal),
  ]);
  return names.map((_, index) => [
    own(network[index] as NodeAnswer<NetworkStatus>),
    own(policy[index] as NodeAnswer<PolicyAgentStatus>),
  ]);
}

/** An agent at a node's address that says it is another's. */
function own<T extends { readonly node: string }>(answer: NodeAnswer<T>): NodeAnswer<T> {
  if (!answer.ok || answer.value.node === answer.node) return answer;
  const { node, value } = answer;
  const reason = `the agent there says that it is of node ${boundedText(JSON.stringify(value.node), 260)}`;
  return { node, ok: false, code: 'unreadable', agentCode: undefined, reason };
}

function summaries(
  deps: NodesDeps,
  names: readonly string[],
  answers: readonly BothAnswers[],
): Pick<Page<NodeSummary>, 'items' | 'partial' | 'missing'> {
  const items = names.map((name, index) =>
    summaryOf(deps, deps.nodes.get(name) ?? { name }, answers[index] as BothAnswers),
  );
  const missing = answers.flatMap((both) =>
    both.flatMap((answer, index) => {
      if (answer.ok || answer.code === 'agent') return [];
      return [{ node: answer.node, reason: `${index === 0 ? 'flanneld' : 'policy-agent'}: ${answer.reason}` }];
    }),
  );
  return { items, partial: missing.length > 0, missing };
}

function summaryOf({ keys }: NodesDeps, known: ClusterNode, [network, policy]: BothAnswers): NodeSummary {
  const { name, record, problem } = known;
  const agents = [agentOf('flanneld', network), agentOf('policy-agent', policy)];
  if (problem !== undefined) {
    const message = boundedText(`the Node object cannot be read: ${problem}; peers do not reach this node`, 1024);
    agents[0]?.faults.push({ severity: 'error', message });
  }
  const backend = network.ok ? network.value.backend : record?.annotations[keys.backendType];
  return {
    name,
    state: stateOf(agents),
    ...(backend !== undefined && { backend: boundedText(backend, 64) }),
    addresses: network.ok ? network.value.addresses : parsedIps(record?.internalIps ?? []),
    subnets: network.ok
      ? network.value.leases.map(({ subnet }) => subnet)
      : (record?.podCidrs ?? []).map((cidr) => formatCidr(cidr)),
    agents,
  };
}

function agentOf(name: Agent['name'], answer: NodeAnswer<NetworkStatus | PolicyAgentStatus>): Agent {
  if (!answer.ok) {
    const state = answer.code === 'agent' ? 'not-ready' : 'unreachable';
    return { name, state, faults: [{ severity: 'error', message: answer.reason }] };
  }
  const { ready, version, notes, lastSync } = answer.value;
  const severity = ready ? 'warning' : 'error';
  return {
    name,
    state: ready ? 'ready' : 'not-ready',
    version,
    ...(lastSync !== undefined && { lastSync }),
    faults: notes.map((message) => ({ severity, message })),
  };
}

/** Ready: all agents are. Degraded: one is. */
function stateOf(agents: readonly Agent[]): NodeSummary['state'] {
  if (agents.every(({ state }) => state === 'ready')) return 'ready';
  if (agents.some(({ state }) => state === 'ready')) return 'degraded';
  return agents.every(({ state }) => state === 'unreachable') ? 'unreachable' : 'not-ready';
}

function parsedIps(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    const ip = parseIp(text);
    return ip.ok ? [formatIp(ip.value)] : [];
  });
}
