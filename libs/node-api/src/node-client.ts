/** Questions to agents over whatever leads to them, with a limit for each step. */
import { decodeAnswer, encodeRequest, LineBuffer, MAX_REQUEST_BYTES, type NodeRequest } from '@canal/agent-protocol';
import { excessOf, maxAnswerBytes } from './answer-bounds.ts';
import { type AgentName, type NodeApi, NodeApiError } from './node-api.ts';

/** One way to agents. */
export interface NodeTransport {
  /** Something is said every ten seconds: where nothing is, nobody is there any more. Without it the end is always heard of. */
  readonly hasHeartbeats: boolean;
  /**
   * Connects and sends the line. Resolves when the agent has taken it, as far as that can be told, with the bytes of its
   * answer. Rejects with NodeApiError; everything ends when the signal aborts.
   */
  ask(node: string, agent: AgentName, line: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

export interface NodeApiLimits {
  /** Until the agent has taken the question: connection, handshake, token. */
  readonly connectMs: number;
  /** From then to the first line of the answer. */
  readonly firstMs: number;
  /** From the beginning to the end of an answer; a stream has none. */
  readonly wholeMs: number;
  /** Between two lines of a stream, heartbeats included, where there are any. */
  readonly silentMs: number;
  /** Of a line; of most questions there is less. */
  readonly maxBytes: number;
  /** Questions to one agent at once; others wait for their turn, within wholeMs. */
  readonly atOnce: number;
}

export const NODE_API_LIMITS: NodeApiLimits = {
  connectMs: 5_000,
  firstMs: 10_000,
  wholeMs: 15_000,
  silentMs: 35_000,
  maxBytes: 16 * 1024 * 1024,
  atOnce: 16,
};

export function createNodeApi(transport: NodeTransport, change: Partial<NodeApiLimits> = {}): NodeApi {
  const limits = { ...NODE_API_LIMITS, ...change };
  const turns = new Map<string, Turns>();
  return {
    async ask(node, agent, request, signal) {
      const deadline = new Deadline(`${agent} of node ${node}`, signal);
      deadline.set(limits.wholeMs, 'has not answered in time');
      const key = `${agent} ${node}`;
      const turn = turns.get(key) ?? new Turns(limits.atOnce);
      turns.set(key, turn);
      try {
        await turn.begin(deadline);
        try {
          for await (const value of answerOf(transport, limits, node, agent, request, deadline)) return value;
          throw unreadable(deadline.who, 'the connection ended without an answer');
        } finally {
          turn.end();
        }
      } catch (error) {
        throw deadline.translated(error);
      } finally {
        deadline.end();
        if (turn.isIdle) turns.delete(key);
      }
    },
    async *follow(node, agent, request, signal) {
      const deadline = new Deadline(`${agent} of node ${node}`, signal);
      const silentMs = transport.hasHeartbeats ? limits.silentMs : Infinity;
      try {
        yield* answerOf(transport, { ...limits, silentMs, firstMs: silentMs }, node, agent, request, deadline);
      } catch (error) {
        if (signal.aborted) return;
        throw deadline.translated(error);
      } finally {
        deadline.end();
      }
    },
  };
}

/** The values of an answer, one a line. */
async function* answerOf(
  transport: NodeTransport,
  limits: NodeApiLimits,
  node: string,
  agent: AgentName,
  request: NodeRequest,
  deadline: Deadline,
): AsyncGenerator<unknown, void> {
  const line = encodeRequest(request);
  if (Buffer.byteLength(line) > MAX_REQUEST_BYTES) {
    throw new NodeApiError('agent', `the question is longer than ${MAX_REQUEST_BYTES} bytes`, 'bad-request');
  }
  const step = deadline.step();
  step.set(limits.connectMs, 'cannot be reached in time');
  const bytes = await deadline.orOver(transport.ask(node, agent, line, deadline.signal));
  step.set(limits.firstMs, 'says nothing');
  const maxBytes = Math.min(limits.maxBytes, maxAnswerBytes(request.op));
  const lines = new LineBuffer(maxBytes);
  for await (const chunk of untilOver(bytes, deadline)) {
    for (const text of lines.push(chunk)) {
      step.set(limits.silentMs, 'says nothing any more');
      if (text !== '') yield valueOf(text, deadline.who);
    }
    if (lines.overflowed) throw unreadable(deadline.who, `its answer is longer than ${maxBytes} bytes`);
  }
}

/** What is read ends with the deadline, also where the transport does not notice. */
async function* untilOver(bytes: AsyncIterable<Uint8Array>, deadline: Deadline): AsyncGenerator<Uint8Array, void> {
  const reader = bytes[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await deadline.orOver(reader.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // It may hang as the read before it does.
    void Promise.resolve(reader.return?.()).catch(() => undefined);
  }
}

function valueOf(line: string, who: string): unknown {
  const excess = excessOf(line);
  if (excess !== undefined) throw unreadable(who, excess);
  const answer = decodeAnswer(line);
  if (!answer.ok) throw unreadable(who, answer.error);
  if (answer.value.ok) return answer.value.value;
  throw new NodeApiError('agent', answer.value.message, answer.value.code);
}

function unreadable(who: string, what: string): NodeApiError {
  return new NodeApiError('unreadable', `${who}: ${what}`);
}

/** Ends a question: when one of its limits is over, or when who asked for it has gone. */
class Deadline {
  readonly who: string;
  readonly #over = new AbortController();
  readonly #asker: AbortSignal;
  readonly #onAsker: () => void;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(who: string, asker: AbortSignal) {
    this.who = who;
    this.#asker = asker;
    this.#onAsker = () => this.#over.abort(new NodeApiError('unreachable', `${who}: nobody waits for it any more`));
    if (asker.aborted) this.#onAsker();
    else asker.addEventListener('abort', this.#onAsker, { once: true });
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  set(delayMs: number, what: string): () => void {
    if (!Number.isFinite(delayMs)) return () => undefined;
    const timer = setTimeout(() => {
      this.#over.abort(new NodeApiError('unreachable', `${this.who} ${what} (${delayMs} ms)`));
    }, delayMs);
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }

  /** Limits that take each other's place. */
  step(): { set(delayMs: number, what: string): void } {
    let clear = (): void => undefined;
    return {
      set: (delayMs, what) => {
        clear();
        clear = this.set(delayMs, what);
      },
    };
  }

  async orOver<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    const over = Promise.withResolvers<never>();
    const abort = (): void => over.reject(this.#reason);
    if (this.signal.aborted) throw this.#reason;
    this.signal.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([work, over.promise]);
    } finally {
      this.signal.removeEventListener('abort', abort);
    }
  }

  /** What a transport throws once it is ended says less than why it was. */
  translated(error: unknown): NodeApiError {
    if (this.signal.aborted) return this.#reason;
    if (error instanceof NodeApiError) return error;
    return new NodeApiError('unreachable', `${this.who}: ${error instanceof Error ? error.message : String(error)}`);
  }

  end(): void {
    this.#asker.removeEventListener('abort', this.#onAsker);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#over.abort(new NodeApiError('unreachable', `${this.who}: the question has ended`));
  }

  get #reason(): NodeApiError {
    const reason: unknown = this.signal.reason;
    return reason instanceof NodeApiError ? reason : new NodeApiError('unreachable', `${this.who}: ${String(reason)}`);
  }
}

/** So many at once, in the order of their coming. */
class Turns {
  readonly #places: number;
  #taken = 0;
  readonly #queue: (() => void)[] = [];

  constructor(places: number) {
    this.#places = places;
  }

  get isIdle(): boolean {
    return this.#taken === 0 && this.#queue.length === 0;
  }

  async begin(deadline: Deadline): Promise<void> {
    if (this.#taken < this.#places) {
      this.#taken++;
      return;
    }
    const turn = Promise.withResolvers<undefined>();
    const wake = (): void => turn.resolve(undefined);
    this.#queue.push(wake);
    try {
      await deadline.orOver(turn.promise);
    } catch (error) {
      const place = this.#queue.indexOf(wake);
      // It has been given the turn in the same moment.
      if (place < 0) this.end();
      else this.#queue.splice(place, 1);
      throw error;
    }
  }

  end(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#taken--;
    else next();
  }
}
