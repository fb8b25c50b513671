/**
 * The verdicts of all nodes as they fall, followed once for all who listen. A node whose stream breaks is followed again;
 * its listeners are told to read anew, because what fell between may be lost.
 */
import { randomBytes } from 'node:crypto';
import type { Flow, FlowFilter } from '@canal/admin-schema';
import type { NodeApi } from '@canal/node-api';
import type { Clock, Logger } from '@canal/runtime-port';
import { backoffMs } from '@canal/store-port';
import type { StreamEvent } from '../handler.ts';
import { flowsQuestion, readFlowLine } from './agent-questions.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { meansFlow } from './flow-filter.ts';

export interface FlowHubDeps {
  readonly nodes: Pick<ClusterNodes, 'names' | 'listen'>;
  readonly nodeApi: NodeApi;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

/** What was told lately, for who comes back with the id of the last event. */
const HISTORY = 1_000;
/** Events that wait for one listener. */
const MAX_WAITING = 1_000;
/** Nodes are followed so long after the last listener has left: one whose connection broke comes back. */
const LINGER_MS = 15_000;
/** Asked for again after a break. */
const REPLAY = 1_000;
const RETRY = { baseMs: 500, maxMs: 15_000 };

type Told =
  | { readonly number: number; readonly type: 'item'; readonly flow: Flow }
  | { readonly number: number; readonly type: 'resync'; readonly node: string };

export class FlowHub {
  readonly #deps: FlowHubDeps;
  /** Of this process: numbers of another one mean nothing. */
  readonly #epoch = randomBytes(6).toString('hex');
  readonly #listeners = new Set<Listener>();
  readonly #history: Told[] = [];
  #count = 0;
  #following: AbortController | undefined;
  #lingering: AbortController | undefined;

  constructor(deps: FlowHubDeps) {
    this.#deps = deps;
  }

  async *follow(
    filter: FlowFilter,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<StreamEvent<Flow>, void> {
    if (signal.aborted) return;
    const listener = new Listener(this.#epoch, filter);
    // Before anything is awaited: nothing falls between.
    if (lastEventId !== undefined) this.#replay(listener, lastEventId);
    this.#listeners.add(listener);
    this.#begin();
    try {
      yield* listener.events(signal);
    } finally {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#endLater();
    }
  }

  get isFollowing(): boolean {
    return this.#following !== undefined;
  }

  #replay(listener: Listener, lastEventId: string): void {
    const [epoch, text = ''] = lastEventId.split('.', 2);
    const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    const oldest = this.#history[0]?.number ?? this.#count;
    if (epoch !== this.#epoch || !(number >= oldest - 1 && number <= this.#count) || this.#following === undefined) {
      listener.resync(this.#count);
      return;
    }
    for (const told of this.#history) if (told.number > number) listener.tell(told);
  }

  #begin(): void {
    this.#lingering?.abort();
    this.#lingering = undefined;
    if (this.#following !== undefined) return;
    const controller = new AbortController();
    this.#following = controller;
    const { nodes } = this.#deps;
    const followers = new Map<string, AbortController>();
    const compare = (): void => {
      const names = new Set(nodes.names());
      for (const [name, follower] of followers) {
        if (names.has(name)) continue;
        followers.delete(name);
        follower.abort();
      }
      for (const name of names) {
        if (followers.has(name)) continue;
        const follower = new AbortController();
        followers.set(name, follower);
        void this.#followNode(name, AbortSignal.any([controller.signal, follower.signal]));
      }
    };
    nodes.listen(compare, controller.signal);
    compare();
  }

  #endLater(): void {
    const lingering = new AbortController();
    this.#lingering = lingering;
    this.#deps.clock.sleep(LINGER_MS, lingering.signal).then(
      () => {
        this.#following?.abort();
        this.#following = undefined;
        this.#lingering = undefined;
      },
      // Somebody has come.
      () => undefined,
    );
  }

  async #followNode(node: string, signal: AbortSignal): Promise<void> {
    const { nodeApi, clock, random, log, timeMs } = this.#deps;
    let newest = new Date(timeMs()).toISOString();
    let isBroken = false;
    for (let tries = 0; ; tries++) {
      const { agent, request } = flowsQuestion(isBroken ? REPLAY : 0, false, true);
      const since = newest;
      let lines = 0;
      let isUnread = false;
      try {
        for await (const value of nodeApi.follow(node, agent, request, signal)) {
          const line = readFlowLine(value);
          lines++;
          tries = 0;
          // An agent of another version: its listeners cannot know what they miss.
          if (!line.ok) {
            if (!isUnread) this.#tellResync(node);
            isUnread = true;
            continue;
          }
          const { record } = line;
          // The oldest that is remembered is newer than what was told last: there may be others between.
          if (isBroken && lines === 1 && record.time > since) this.#tellResync(node);
          if (isBroken && lines <= REPLAY && record.time <= since) continue;
          if (record.time > newest) newest = record.time;
          this.#tell({ number: ++this.#count, type: 'item', flow: { node, ...record } });
        }
      } catch (error) {
        log.debug({ node, error }, 'the flows of a node are not followed, trying again');
      }
      if (signal.aborted) return;
      if (!isBroken || lines > 0) this.#tellResync(node);
      isBroken = true;
      await clock.sleep(backoffMs(tries, RETRY, random), signal).catch(() => undefined);
    }
  }

  #tellResync(node: string): void {
    this.#tell({ number: ++this.#count, type: 'resync', node });
  }

  #tell(told: Told): void {
    this.#history.push(told);
    if (this.#history.length > HISTORY) this.#history.shift();
    for (const listener of this.#listeners) listener.tell(told);
  }
}

/** What waits for one listener: at most so much, then it is told to read anew. */
class Listener {
  readonly #epoch: string;
  readonly #filter: FlowFilter;
  #waiting: StreamEvent<Flow>[] = [];
  #wake: () => void = () => undefined;

  constructor(epoch: string, filter: FlowFilter) {
    this.#epoch = epoch;
    this.#filter = filter;
  }

  tell(told: Told): void {
    if (told.type === 'item') {
      if (!meansFlow(this.#filter, told.flow)) return;
      if (this.#waiting.length >= MAX_WAITING) this.resync(told.number);
      else this.#put({ type: 'item', id: this.#id(told.number), data: told.flow });
    } else if (this.#filter.node === undefined || this.#filter.node === told.node) {
      if (this.#waiting.at(-1)?.type !== 'resync') this.#put({ type: 'resync', id: this.#id(told.number) });
    }
  }

  /** What waits is old by then. */
  resync(number: number): void {
    this.#waiting = [];
    this.#put({ type: 'resync', id: this.#id(number) });
  }

  async *events(signal: AbortSignal): AsyncGenerator<StreamEvent<Flow>, void> {
    const leave = (): void => this.#wake();
    signal.addEventListener('abort', leave, { once: true });
    try {
      for (;;) {
        const event = this.#waiting.shift();
        if (signal.aborted) return;
        if (event !== undefined) yield event;
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #id(number: number): string {
    return `${this.#epoch}.${number}`;
  }

  #put(event: StreamEvent<Flow>): void {
    this.#waiting.push(event);
    this.#wake();
  }
}
