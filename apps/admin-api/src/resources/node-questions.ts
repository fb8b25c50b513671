/**
 * Asks nodes: some at once, each for so long, and once for all who want to know the same. What a node does not tell is
 * an answer, too: why.
 */
import { type AgentName, type NodeApi, NodeApiError, type NodeApiErrorCode } from '@canal/node-api';
import type { Clock } from '@canal/runtime-port';
import { ZodError } from 'zod';
import { type AgentQuestion, firstIssue } from './agent-questions.ts';
import { boundedText } from './bounded-text.ts';
import { SharedAnswers } from './shared-answers.ts';
import { untilAborted } from './until-aborted.ts';

export interface NodeQuestionsDeps {
  readonly nodeApi: NodeApi;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
}

export type NodeAnswer<T> =
  | { readonly node: string; readonly ok: true; readonly value: T }
  | {
      readonly node: string;
      readonly ok: false;
      readonly code: NodeApiErrorCode;
      readonly agentCode: string | undefined;
      /** For people; bounded. */
      readonly reason: string;
    };

const AT_ONCE = 16;
/** Who says nothing for longer holds up no other question: a rack of nodes that are down would else hide those that are well. */
const PLACE_MS = 125;
/** Questions of one call that are asked or wait for an answer. */
const MAX_WAITING = 128;
/** Of one node. */
const NODE_LIMIT_MS = 2_000;
/** Of all that one call asks. */
const CALL_LIMIT_MS = 8_000;
/** A node that has let us wait in vain is not waited for again so soon: others need the place. */
const SILENCE_MS = 5_000;
const MAX_REASON = 300;
const MAX_HEARD = 20_000;

export class NodeQuestions {
  readonly #deps: NodeQuestionsDeps;
  readonly #shared: SharedAnswers<NodeAnswer<unknown>>;
  readonly #places = new Places(AT_ONCE);
  /** When a node last said anything that could be read, since the epoch. */
  readonly #heardMs = new Map<string, number>();
  readonly #silentUntilMs = new Map<string, number>();

  constructor(deps: NodeQuestionsDeps) {
    this.#deps = deps;
    this.#shared = new SharedAnswers(deps.clock);
  }

  /** Rejects only when the signal aborts. */
  async ask<T>(node: string, question: AgentQuestion<T>, signal: AbortSignal): Promise<NodeAnswer<T>> {
    signal.throwIfAborted();
    return await untilAborted(this.#shareOf(node, question), signal);
  }

  /** In the order of the nodes; those that are not asked in time are answers, too. */
  async askAll<T>(
    nodes: readonly string[],
    question: AgentQuestion<T>,
    signal: AbortSignal,
  ): Promise<readonly NodeAnswer<T>[]> {
    return await this.forAll(nodes, (node) => this.#shareOf(node, question), signal);
  }

  /** As askAll, with work of the caller's own. */
  async forAll<T>(
    nodes: readonly string[],
    work: (node: string) => Promise<NodeAnswer<T>>,
    signal: AbortSignal,
  ): Promise<readonly NodeAnswer<T>[]> {
    const { clock } = this.#deps;
    const late = new AbortController();
    const done = new AbortController();
    clock.sleep(CALL_LIMIT_MS, done.signal).then(
      () => late.abort(),
      () => undefined,
    );
    const limited = AbortSignal.any([signal, late.signal]);
    const answers = new Map<string, NodeAnswer<T>>();
    const left = nodes.values();
    const askNext = async (): Promise<void> => {
      for (const node of left) {
        if (limited.aborted) break;
        answers.set(node, await work(node));
      }
    };
    // Work that is left when one fails, or the time is over, ends by itself.
    const all = Promise.all(Array.from({ length: Math.min(MAX_WAITING, nodes.length) }, askNext));
    try {
      await untilAborted(all, limited);
    } catch (error) {
      signal.throwIfAborted();
      if (!late.signal.aborted) throw error;
    } finally {
      done.abort();
    }
    const why = 'it was not asked in time: too many others are slow';
    return nodes.map((node) => answers.get(node) ?? this.#failed(node, 'unreachable', why));
  }

  /** Each line as it comes, until the agent ends. The signal ends waiting; the time-out is that of a question. */
  async readLines<T>(
    node: string,
    question: AgentQuestion<T>,
    onLine: (line: T) => void,
    signal: AbortSignal,
  ): Promise<NodeAnswer<undefined>> {
    const { agent, request, read } = question;
    return await this.#limited(node, agent, signal, async (limited, onHeard) => {
      for await (const line of this.#deps.nodeApi.follow(node, agent, request, limited)) {
        onHeard();
        onLine(read(line));
      }
      if (limited.aborted) throw new NodeApiError('unreachable', 'aborted');
      return undefined;
    });
  }

  #shareOf<T>(node: string, question: AgentQuestion<T>): Promise<NodeAnswer<T>> {
    const { agent, request, isAlone = false } = question;
    if (isAlone) return this.#askOnce(node, question);
    const key = `${node} ${agent} ${JSON.stringify(request)}`;
    // The key names the question, and so what its answer is.
    return this.#shared.join(key, () => this.#askOnce(node, question)) as Promise<NodeAnswer<T>>;
  }

  async #askOnce<T>(node: string, { agent, request, read }: AgentQuestion<T>): Promise<NodeAnswer<T>> {
    return await this.#limited(node, agent, undefined, async (limited) =>
      read(await this.#deps.nodeApi.ask(node, agent, request, limited)),
    );
  }

  async #limited<T>(
    node: string,
    agent: AgentName,
    signal: AbortSignal | undefined,
    work: (limited: AbortSignal, onHeard: () => void) => Promise<T>,
  ): Promise<NodeAnswer<T>> {
    const { clock, timeMs } = this.#deps;
    const give = await this.#places.take();
    const over = new AbortController();
    const done = new AbortController();
    const heard = new AbortController();
    try {
      if (this.#isSilent(node, agent)) return this.#silence(node);
      clock.sleep(PLACE_MS, heard.signal).then(give, () => undefined);
      clock.sleep(NODE_LIMIT_MS, done.signal).then(
        () => over.abort(),
        () => undefined,
      );
      const limited = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
      const value = await untilAborted(
        work(limited, () => heard.abort()),
        limited,
      );
      this.#heard(node, timeMs());
      return { node, ok: true, value };
    } catch (error) {
      signal?.throwIfAborted();
      if (over.signal.aborted) {
        this.#silentUntilMs.set(`${node} ${agent}`, clock.nowMs() + SILENCE_MS);
        return this.#silence(node);
      }
      if (error instanceof NodeApiError) {
        // Whoever answers with an error is there.
        if (error.code === 'agent') this.#heard(node, timeMs());
        return this.#failed(node, error.code, error.message, error.agentCode);
      }
      if (error instanceof ZodError) {
        return this.#failed(
          node,
          'unreadable',
          `its answer is not that of an agent that this version knows (${firstIssue(error)})`,
        );
      }
      throw error;
    } finally {
      done.abort();
      heard.abort();
      give();
    }
  }

  #heard(node: string, timeMs: number): void {
    this.#heardMs.delete(node);
    this.#heardMs.set(node, timeMs);
    // Nodes come and go for months.
    for (const [oldest] of this.#heardMs) {
      if (this.#heardMs.size <= MAX_HEARD) break;
      this.#heardMs.delete(oldest);
    }
  }

  #isSilent(node: string, agent: AgentName): boolean {
    const key = `${node} ${agent}`;
    const untilMs = this.#silentUntilMs.get(key);
    if (untilMs === undefined) return false;
    if (untilMs > this.#deps.clock.nowMs()) return true;
    this.#silentUntilMs.delete(key);
    return false;
  }

  #silence(node: string): NodeAnswer<never> {
    return this.#failed(node, 'unreachable', `no answer within ${NODE_LIMIT_MS / 1000} s`);
  }

  #failed(node: string, code: NodeApiErrorCode, why: string, agentCode?: string): NodeAnswer<never> {
    const heardMs = this.#heardMs.get(node);
    const heard = heardMs === undefined ? 'not heard of yet' : `last heard of at ${new Date(heardMs).toISOString()}`;
    const reason = `${boundedText(why, MAX_REASON)}; ${heard}`;
    return { node, ok: false, code, agentCode, reason };
  }
}

/** First come, first served. */
class Places {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** With what gives it back; called again that does nothing. */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free--;
    else {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    let isHeld = true;
    return () => {
      if (isHeld) this.#give();
      isHeld = false;
    };
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
