/** Verdicts of all nodes: those that the agents remember, newest first, and those to come. */
import { createHash } from 'node:crypto';
import type { Flow, FlowFilter, MissingPart, Page } from '@canal/admin-schema';
import type { Clock } from '@canal/runtime-port';
import type { Handlers } from '../handler.ts';
import { flowsQuestion } from './agent-questions.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { Cursors, type Key } from './cursor.ts';
import type { FlowHub } from './flow-hub.ts';
import { meansFlow } from './flow-filter.ts';
import { nodesMeant } from './nodes-meant.ts';
import type { NodeAnswer, NodeQuestions } from './node-questions.ts';
import { SharedAnswers } from './shared-answers.ts';

export interface FlowsDeps {
  readonly nodes: ClusterNodes;
  readonly questions: NodeQuestions;
  readonly hub: FlowHub;
  readonly clock: Clock;
}

/** More than any agent remembers. */
const ALL_RECORDS = 1_000_000;
/** Longest that a read goes on for readers who may have left. */
const READ_LIMIT_MS = 15_000;
/** Time, node, and which of those of one moment. */
const KEY_PARTS = 3;

export function flowHandlers(deps: FlowsDeps): Pick<Handlers, 'listFlows' | 'streamFlows'> {
  const shared = new SharedAnswers<Page<Flow>>(deps.clock);
  return {
    async listFlows({ query, signal }) {
      const { limit, cursor, node, verdict, namespace } = query;
      const filter = { node, verdict, namespace };
      const cursors = new Cursors('flows', filter);
      const after = cursors.decode(cursor, KEY_PARTS);
      const nodes = nodesMeant(deps.nodes, node);
      const question = { nodes, filter, limit, after, cursors };
      const read = (): Promise<Page<Flow>> => readFlows(deps.questions, question, AbortSignal.timeout(READ_LIMIT_MS));
      return { body: await shared.get(JSON.stringify([filter, limit, cursor]), read, signal) };
    },

    streamFlows({ query, lastEventId, signal }) {
      nodesMeant(deps.nodes, query.node);
      return deps.hub.follow(query, lastEventId, signal);
    },
  };
}

interface FlowsPageQuestion {
  readonly nodes: readonly string[];
  readonly filter: FlowFilter;
  readonly limit: number;
  readonly after: Key | undefined;
  readonly cursors: Cursors;
}

/** `place`: in the order in which its node told it. */
interface Placed {
  readonly flow: Flow;
  readonly place: number;
}

async function readFlows(
  questions: NodeQuestions,
  { nodes, filter, limit, after, cursors }: FlowsPageQuestion,
  signal: AbortSignal,
): Promise<Page<Flow>> {
  // What is filtered here may leave nothing of the newest.
  const last =
    after === undefined && filter.namespace === undefined && filter.verdict !== 'allow' ? limit + 1 : ALL_RECORDS;
  const question = flowsQuestion(last, filter.verdict === 'deny', false);
  let newest: readonly Placed[] = [];
  const readNode = async (node: string): Promise<NodeAnswer<number>> => {
    const records = new NodeFlows(node, limit + 1, after);
    let unread = 0;
    const answer = await questions.readLines(
      node,
      question,
      (line) => {
        if (!line.ok) unread++;
        else records.take({ node, ...line.record }, filter);
      },
      signal,
    );
    if (!answer.ok) return answer;
    newest = [...newest, ...records.finish()].sort(newestFirst).slice(0, limit + 1);
    return { node, ok: true, value: unread };
  };
  const answers = await questions.forAll(nodes, readNode, signal);
  const missing = answers.flatMap((answer): MissingPart[] => {
    if (!answer.ok) return [{ node: answer.node, reason: answer.reason }];
    if (answer.value === 0) return [];
    const reason = `${answer.value} records cannot be read: is the agent of another version?`;
    return [{ node: answer.node, reason }];
  });
  const page = newest.slice(0, limit);
  const end = page.at(-1);
  return {
    items: page.map(({ flow }) => flow),
    ...(newest.length > limit && end !== undefined && { next: cursors.encode(keyOf(end.flow)) }),
    partial: missing.length > 0,
    missing,
  };
}

/** The newest of one node that are after the cursor. */
class NodeFlows {
  readonly #node: string;
  readonly #max: number;
  readonly #after: Key | undefined;
  readonly #kept: Placed[] = [];
  /** Of the cursor's moment and node: which of them were told is known at the end. */
  readonly #sameMoment: Placed[] = [];
  #place = 0;

  constructor(node: string, max: number, after: Key | undefined) {
    this.#node = node;
    this.#max = max;
    this.#after = after;
  }

  take(flow: Flow, filter: FlowFilter): void {
    const place = this.#place++;
    if (!meansFlow(filter, flow)) return;
    const [time = '', node = ''] = this.#after ?? [];
    if (this.#after !== undefined) {
      if (flow.time > time || (flow.time === time && this.#node < node)) return;
      if (flow.time === time && this.#node === node) {
        this.#sameMoment.push({ flow, place });
        return;
      }
    }
    this.#kept.push({ flow, place });
    if (this.#kept.length > this.#max) this.#kept.shift();
  }

  finish(): readonly Placed[] {
    const last = this.#after?.[2];
    const told = this.#sameMoment.findLastIndex(({ flow }) => digestOf(flow) === last);
    // Older than the one that was told; when that is gone, those of its moment are, too.
    return [...this.#kept, ...this.#sameMoment.slice(0, Math.max(told, 0))];
  }
}

function newestFirst(a: Placed, b: Placed): number {
  if (a.flow.time !== b.flow.time) return a.flow.time < b.flow.time ? 1 : -1;
  if (a.flow.node !== b.flow.node) return a.flow.node < b.flow.node ? -1 : 1;
  return b.place - a.place;
}

function keyOf(flow: Flow): Key {
  return [flow.time, flow.node, digestOf(flow)];
}

function digestOf(flow: Flow): string {
  return createHash('sha256').update(JSON.stringify(flow)).digest('base64url').slice(0, 16);
}
