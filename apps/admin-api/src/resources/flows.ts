/** Verdicts of all nodes: those that the agents remember, newest first, and those to come. */
import { createHash } from 'node:crypto';
import type { Flow, FlowFilter, MissingPart, Page } from '@canal/admin-schema';
import type { Clock } from '@canal/runtime-port';
import type { Handlers } from '../handler.ts';
import { flowsQuestion, readFlowLine } from './agent-questions.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { Cursors, type Key } from './cursor.ts';
import type { FlowHub } from './flow-hub.ts';
import { type FlowGlance, meansFlow } from './flow-filter.ts';
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
/** Of one moment and one node: a pod can send so many packets in a millisecond, and no node tells more. */
const MAX_SAME_MOMENT = 1_000;
/** Time, node, which of those of one moment, and which of those that are the same in all: the newest is 1. */
const KEY_PARTS = 4;

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
  /** Of those of its node that are the same in all: 1 is the newest. */
  readonly repeat: number;
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
    const answer = await questions.readLines(node, question, (line) => records.take(line, filter), signal);
    if (!answer.ok) return answer;
    const { flows, unread } = records.finish();
    newest = [...newest, ...flows].sort(newestFirst).slice(0, limit + 1);
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
    ...(newest.length > limit && end !== undefined && { next: cursors.encode(keyOf(end)) }),
    partial: missing.length > 0,
    missing,
  };
}

/** A line that may be told; it is read when it is. */
interface Line {
  readonly value: unknown;
  readonly place: number;
}

/** The newest of one node that are after the cursor. */
class NodeFlows {
  readonly #node: string;
  readonly #max: number;
  readonly #after: Key | undefined;
  readonly #kept: Line[] = [];
  /** Of the cursor's moment and node: which of them were told is known at the end. */
  readonly #sameMoment: Line[] = [];
  #place = 0;

  constructor(node: string, max: number, after: Key | undefined) {
    this.#node = node;
    this.#max = max;
    this.#after = after;
  }

  take(value: unknown, filter: FlowFilter): void {
    const line = { value, place: this.#place++ };
    const { time, ...glance } = glanceAt(value);
    if (!meansFlow(filter, { node: this.#node, ...glance })) return;
    const [lastTime = '', lastNode = ''] = this.#after ?? [];
    if (this.#after !== undefined && time >= lastTime) {
      if (time > lastTime || this.#node < lastNode) return;
      if (this.#node === lastNode) {
        this.#sameMoment.push(line);
        if (this.#sameMoment.length > MAX_SAME_MOMENT) this.#sameMoment.shift();
        return;
      }
    }
    this.#kept.push(line);
    if (this.#kept.length > this.#max) this.#kept.shift();
  }

  finish(): { readonly flows: readonly Placed[]; readonly unread: number } {
    const [, , last, repeat] = this.#after ?? [];
    const sameMoment = this.#read(this.#sameMoment);
    const told = sameMoment.findIndex((one) => String(one.repeat) === repeat && digestOf(one.flow) === last);
    const kept = this.#read(this.#kept);
    const unread = this.#kept.length + this.#sameMoment.length - kept.length - sameMoment.length;
    // Older than the one that was told; when that is gone, those of its moment are, too.
    return { flows: [...kept, ...sameMoment.slice(0, Math.max(told, 0))], unread };
  }

  #read(lines: readonly Line[]): readonly Placed[] {
    const repeats = new Map<string, number>();
    return lines
      .toReversed()
      .flatMap(({ value, place }) => {
        const line = readFlowLine(value);
        if (!line.ok) return [];
        const flow = { node: this.#node, ...line.record };
        // Packets of one flow may be told several times in a millisecond.
        const text = JSON.stringify(flow);
        const repeat = (repeats.get(text) ?? 0) + 1;
        repeats.set(text, repeat);
        return [{ flow, place, repeat }];
      })
      .toReversed();
  }
}

/** What decides whether a line is needed; of what is no record it is empty. */
function glanceAt(value: unknown): { readonly time: string } & Omit<FlowGlance, 'node'> {
  const { time, verdict, source, destination } = (typeof value === 'object' && value !== null ? value : {}) as Partial<
    Record<keyof Flow, unknown>
  >;
  return {
    time: typeof time === 'string' ? time : '',
    verdict,
    source: { pod: { namespace: namespaceOf(source) } },
    destination: { pod: { namespace: namespaceOf(destination) } },
  };
}

function namespaceOf(end: unknown): unknown {
  const pod: unknown = typeof end === 'object' && end !== null ? Reflect.get(end, 'pod') : undefined;
  return typeof pod === 'object' && pod !== null ? Reflect.get(pod, 'namespace') : undefined;
}

function newestFirst(a: Placed, b: Placed): number {
  if (a.flow.time !== b.flow.time) return a.flow.time < b.flow.time ? 1 : -1;
  if (a.flow.node !== b.flow.node) return a.flow.node < b.flow.node ? -1 : 1;
  return b.place - a.place;
}

function keyOf({ flow, repeat }: Placed): Key {
  return [flow.time, flow.node, digestOf(flow), String(repeat)];
}

function digestOf(flow: Flow): string {
  return createHash('sha256').update(JSON.stringify(flow)).digest('base64url').slice(0, 16);
}
