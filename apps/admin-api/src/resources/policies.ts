/** Policies as the API server has them, with what the agents say of them. */
import type { MissingPart, Policy } from '@canal/admin-schema';
import { parseNetworkPolicy } from '@canal/api-schema';
import type { Clock } from '@canal/runtime-port';
import { NETWORK_POLICIES, type Parsed, type Store } from '@canal/store-port';
import type { Handlers } from '../handler.ts';
import { COUNTERS, POLICIES, type PolicyState, type ReadList, type RuleCount } from './agent-questions.ts';
import { boundedText } from './bounded-text.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { Cursors } from './cursor.ts';
import type { NodeAnswer, NodeQuestions } from './node-questions.ts';
import { pageOfItems, unreadReason } from './pages.ts';
import { SharedAnswers } from './shared-answers.ts';
import { readObjects } from './store-objects.ts';

export interface PoliciesDeps {
  readonly store: Store;
  readonly nodes: ClusterNodes;
  readonly questions: NodeQuestions;
  readonly clock: Clock;
}

interface Listed {
  readonly policies: readonly Policy[];
  readonly missing: readonly MissingPart[];
}

/** Longest that a read goes on for readers who may have left. */
const READ_LIMIT_MS = 15_000;
const MAX_PROBLEMS = 100;

export function policyHandlers(deps: PoliciesDeps): Pick<Handlers, 'listPolicies'> {
  const shared = new SharedAnswers<Listed>(deps.clock);
  return {
    async listPolicies({ query, signal }) {
      const { namespace } = query;
      const { policies, missing } = await shared.get('', () => read(deps, AbortSignal.timeout(READ_LIMIT_MS)), signal);
      const meant = policies.filter((policy) => namespace === undefined || policy.namespace === namespace);
      const cursors = new Cursors('policies', { namespace });
      const order = { cursors, keyOf: (policy: Policy) => [policy.namespace, policy.name], parts: 2 };
      return { body: pageOfItems(meant, query, order, missing) };
    },
  };
}

/** How many pods it selects and what else is wrong with it, over all nodes. */
interface Sum {
  selects: number;
  readonly problems: Map<string, Policy['problems'][number]>;
}

type Hits = NonNullable<Policy['hits']>[number];

interface FoundPolicy {
  readonly uid: string;
  readonly policy: Policy;
}

async function read(deps: PoliciesDeps, signal: AbortSignal): Promise<Listed> {
  const { store, nodes, questions } = deps;
  const sums = new Map<string, Sum>();
  const hits = new Map<string, Map<string, Hits>>();
  // Each answer is added up when it comes: a thousand nodes that know a thousand policies would be a million states.
  const sumUp = async (node: string): Promise<NodeAnswer<string | undefined>> => {
    const answer = await questions.ask(node, POLICIES, signal);
    if (!answer.ok) return answer;
    addUp(sums, answer.value);
    const counters = await questions.ask(node, COUNTERS, signal);
    if (!counters.ok) return { node, ok: true, value: unreadReason(answer.value) ?? `hits: ${counters.reason}` };
    addHits(hits, counters.value);
    return { node, ok: true, value: unreadReason(answer.value) ?? unreadReason(counters.value) };
  };
  const [{ objects, unreadable }, answers] = await Promise.all([
    readObjects(store, NETWORK_POLICIES, parsePolicy, {}, signal),
    questions.forAll(nodes.names(), sumUp, signal),
  ]);
  for (const { uid, policy } of objects) {
    const sum = sums.get(`${policy.namespace}/${policy.name}`);
    policy.selects = sum?.selects ?? 0;
    const told = new Map(policy.problems.map((problem) => [problemKey(problem), problem]));
    for (const [key, problem] of sum?.problems ?? []) told.set(key, problem);
    policy.problems = [...told.values()].slice(0, MAX_PROBLEMS);
    const counted = hits.get(uid);
    if (counted !== undefined) policy.hits = [...counted.values()].sort(inOrder);
  }
  const missing = answers.flatMap((answer) => {
    const reason = answer.ok ? answer.value : answer.reason;
    return reason === undefined ? [] : [{ node: answer.node, reason }];
  });
  for (const { key, error } of unreadable) {
    missing.push({ node: '', reason: boundedText(`policy ${key} cannot be read: ${error}`, 400) });
  }
  return { policies: objects.map(({ policy }) => policy), missing };
}

function addUp(sums: Map<string, Sum>, { items }: ReadList<PolicyState>): void {
  for (const { policy, localEndpoints, problems } of items) {
    let sum = sums.get(policy);
    if (sum === undefined) sums.set(policy, (sum = { selects: 0, problems: new Map() }));
    sum.selects += localEndpoints;
    for (const problem of problems) {
      if (sum.problems.size < MAX_PROBLEMS) sum.problems.set(problemKey(problem), problem);
    }
  }
}

/** By uid: a policy that was made anew under its name counts anew. */
function addHits(sums: Map<string, Map<string, Hits>>, { items }: ReadList<RuleCount>): void {
  for (const { uid, direction, rule, packets, bytes, sharedPackets, since } of items) {
    let ofPolicy = sums.get(uid);
    if (ofPolicy === undefined) sums.set(uid, (ofPolicy = new Map<string, Hits>()));
    const key = `${direction} ${rule ?? ''}`;
    const sum = ofPolicy.get(key);
    const shared = sumOf(sum?.sharedPackets ?? 0, sharedPackets);
    ofPolicy.set(key, {
      direction,
      ...(rule !== undefined && { rule }),
      packets: sumOf(sum?.packets ?? 0, packets),
      bytes: sumOf(sum?.bytes ?? 0, bytes),
      ...(shared > 0 && { sharedPackets: shared }),
      since: sum === undefined || Date.parse(since) < Date.parse(sum.since) ? since : sum.since,
    });
  }
}

function sumOf(one: number, other: number): number {
  return Math.min(one + other, Number.MAX_SAFE_INTEGER);
}

/** Ingress first; what is denied comes last. */
function inOrder(a: Hits, b: Hits): number {
  if (a.direction !== b.direction) return a.direction === 'ingress' ? -1 : 1;
  return (a.rule ?? Infinity) - (b.rule ?? Infinity);
}

function problemKey({ code, field, message }: Policy['problems'][number]): string {
  return JSON.stringify([code, field, message]);
}

function parsePolicy(object: unknown): Parsed<FoundPolicy> {
  const parsed = parseNetworkPolicy(object);
  if (!parsed.ok) return parsed;
  const { namespace, name, uid, ingress, egress, problems } = parsed.value;
  return {
    ok: true,
    value: {
      uid,
      policy: {
        namespace,
        name,
        kind: 'NetworkPolicy',
        directions: [...(ingress ? (['ingress'] as const) : []), ...(egress ? (['egress'] as const) : [])],
        selects: 0,
        problems: problems.slice(0, MAX_PROBLEMS).map(({ code, field, message }) => ({
          code,
          field: boundedText(field, 256),
          message: boundedText(message, 1024),
        })),
      },
    },
  };
}
