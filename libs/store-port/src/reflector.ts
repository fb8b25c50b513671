import type { Clock } from '@canal/runtime-port';

import { type BackoffOptions, backoffMs } from './backoff.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { compareResourceVersions, objectKey } from './kube-object.ts';
import type { ListPage, ListWatch, WatchFrame } from './list-watch.ts';
import type { KubeObject, Parse, Parsed, StoreEvent } from './store.ts';
import { StoreError } from './store-error.ts';
import { createWatchdog } from './watchdog.ts';

/**
 * List, then watch, for ever. The server is trusted with the content of its lists alone; cuts, gone versions, repeated or
 * disordered events and silence all end in "resume" or "list again", so that what the consumer knows converges to the list.
 */
export interface ReflectorDeps {
  readonly listWatch: ListWatch;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface ReflectorOptions {
  /** Objects a page; the default is 500. */
  readonly pageSize: number;
  /** How often a page after the first is asked for before the list begins anew. The server may also refuse: then at once. */
  readonly pageTries: number;
  /** Silence after which a connection counts as dead. Servers send a bookmark about every minute. */
  readonly idleTimeoutMs: number;
  /** Servers are asked to end each watch after one to two times this, so that load spreads over replicas again. */
  readonly watchSeconds: number;
  /**
   * A list is read anew after one to two times this, however well the watch goes: events that a server lost (etcd had
   * such defects) are found at last. At 3 h the lists of 5,000 agents are a few percent of what their watches carry.
   */
  readonly relistMs: number;
  /** Waits after a round that got nowhere, or that had to list again. */
  readonly backoff: BackoffOptions;
  /** Longest wait after a watch that did deliver before it was cut. */
  readonly resumeMaxMs: number;
  /** Longest wait after a try that reached nobody: it costs the server nothing, and agents should be back soon after it. */
  readonly unreachedMaxMs: number;
  /** A watch that lived this long counts as healthy: waits start from the base again. */
  readonly stableMs: number;
}

const DEFAULTS: ReflectorOptions = {
  pageSize: 500,
  pageTries: 10,
  idleTimeoutMs: 150_000,
  watchSeconds: 300,
  relistMs: 3 * 3_600_000,
  backoff: { baseMs: 250, maxMs: 30_000 },
  resumeMaxMs: 2_000,
  unreachedMaxMs: 5_000,
  stableMs: 10_000,
};

/** Events of one resource, see `Store.watch`. Each iteration is a list and watch of its own. */
export function reflect<T>(
  deps: ReflectorDeps,
  parse: Parse<T>,
  signal: AbortSignal,
  options: Partial<ReflectorOptions> = {},
): AsyncIterable<StoreEvent<T>> {
  const settled = { ...DEFAULTS, ...options };
  return {
    [Symbol.asyncIterator]: () => iterate(new Reflector(deps, parse, settled), signal),
  };
}

async function* iterate<T>(reflector: Reflector<T>, signal: AbortSignal): AsyncGenerator<StoreEvent<T>, void> {
  if (signal.aborted) return;
  const stop = new AbortController();
  const onAbort = (): void => {
    stop.abort(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const running = reflector.run(stop.signal);
  try {
    while (!stop.signal.aborted) {
      const event = reflector.queue.shift();
      if (event === undefined) await reflector.queue.ready(stop.signal);
      else yield event;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort();
    await running;
  }
}

/** How one list-and-watch round ended. */
interface Round {
  readonly error?: StoreError;
  /** The version cannot be resumed from. */
  readonly relist: boolean;
  /** The server is another one than before, or was restored: equal versions need not mean equal objects. */
  readonly distrust: boolean;
  /** The server said something, be it that it refuses. */
  readonly answered: boolean;
  /** The watch delivered at least one frame. */
  readonly progressed: boolean;
  /** Since the server accepted the watch; minus infinity when it never did. */
  readonly livedMs: number;
}

class Reflector<T> {
  readonly queue = new KeyedQueue<T>();
  readonly #deps: ReflectorDeps;
  readonly #parse: Parse<T>;
  readonly #options: ReflectorOptions;
  /** Version of what was last queued for each key: what a list need not repeat, and must take back when it is gone. */
  readonly #known = new Map<string, string>();
  /** Where to resume; undefined when only a list can tell. */
  #resourceVersion: string | undefined;
  #relistAtMs = 0;

  constructor(deps: ReflectorDeps, parse: Parse<T>, options: ReflectorOptions) {
    this.#deps = deps;
    this.#parse = parse;
    this.#options = options;
  }

  /** Resolves after abort, and never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    // Counted apart: a server that is back is not waited for as long as one that is gone.
    const attempts = { answered: 0, unanswered: 0 };
    while (!signal.aborted) {
      const round = await this.#round(signal);
      if (round.relist || this.#deps.clock.nowMs() >= this.#relistAtMs) this.#resourceVersion = undefined;
      if (round.distrust) for (const key of this.#known.keys()) this.#known.set(key, '');
      if (round.error !== undefined) this.queue.connection(false, round.error.message);
      if (round.livedMs >= this.#options.stableMs) attempts.answered = attempts.unanswered = 0;
      const kind = round.answered ? 'answered' : 'unanswered';
      const waitMs = Math.max(this.#waitMs(round, attempts[kind]), round.error?.retryAfterMs ?? 0);
      attempts[kind] += 1;
      // Aborting is the only way in which a sleep fails, and the loop's condition sees it.
      await this.#deps.clock.sleep(waitMs, signal).catch(() => undefined);
    }
  }

  #waitMs(round: Round, attempt: number): number {
    const { backoff, resumeMaxMs, unreachedMaxMs } = this.#options;
    // A cut watch that had been delivering is resumed soon: events wait behind it. Lists cost the server more.
    const cheap = round.progressed && !round.relist;
    const most = cheap ? resumeMaxMs : round.error?.unreached === true ? unreachedMaxMs : backoff.maxMs;
    return backoffMs(attempt, { baseMs: backoff.baseMs, maxMs: Math.min(most, backoff.maxMs) }, this.#deps.random);
  }

  async #round(signal: AbortSignal): Promise<Round> {
    const watchdog = createWatchdog(this.#deps.clock, this.#options.idleTimeoutMs, signal);
    const state = { progressed: false, openedMs: Number.POSITIVE_INFINITY };
    const end = (relist: boolean, error?: unknown): Round => ({
      answered: Number.isFinite(state.openedMs) || (error instanceof StoreError && error.status !== undefined),
      ...(error === undefined ? {} : { error: asStoreError(watchdog.expired ?? error) }),
      relist,
      distrust: error instanceof StoreError && error.code === 'version-ahead',
      progressed: state.progressed,
      livedMs: this.#deps.clock.nowMs() - state.openedMs,
    });
    try {
      const from = this.#resourceVersion ?? (await this.#list(watchdog.signal, watchdog.touch));
      this.#resourceVersion = from;
      const spread = 1 + this.#deps.random();
      const request = { resourceVersion: from, timeoutSeconds: Math.round(this.#options.watchSeconds * spread) };
      const frames = await this.#deps.listWatch.watch(request, watchdog.signal);
      state.openedMs = this.#deps.clock.nowMs();
      this.queue.connection(true);
      for await (const frame of frames) {
        watchdog.touch();
        const failure = this.#accept(frame);
        if (failure !== undefined) return end(true, failure);
        state.progressed = true;
      }
      return end(false, watchdog.expired);
    } catch (error) {
      return end(needsList(error), error);
    } finally {
      watchdog.stop();
    }
  }

  /** Reads every page and queues the difference to what is known; returns the version to watch from. */
  async #list(signal: AbortSignal, touch: () => void): Promise<string> {
    const seen = new Set<string>();
    const onObject = (object: KubeObject): void => {
      touch();
      const key = objectKey(object.metadata);
      seen.add(key);
      this.#put(key, object);
    };
    const { resourceVersion } = await this.#readPages(onObject, seen, signal);
    for (const key of this.#known.keys()) if (!seen.has(key)) this.#delete(key);
    this.#relistAtMs = this.#deps.clock.nowMs() + this.#options.relistMs * (1 + this.#deps.random());
    this.queue.connection(true);
    this.queue.markInSync();
    return resourceVersion;
  }

  async #readPages(onObject: (object: KubeObject) => void, seen: Set<string>, signal: AbortSignal): Promise<ListPage> {
    const { listWatch } = this.#deps;
    let page = await listWatch.listPage({ limit: this.#options.pageSize }, onObject, signal);
    while (page.continueToken !== undefined) {
      const { continueToken } = page;
      try {
        page = await this.#nextPage(continueToken, onObject, signal);
      } catch (error) {
        if (!needsList(error)) throw error;
        // The snapshot behind the token is gone: we read more slowly than the server forgets. One answer cannot expire.
        seen.clear();
        page = await listWatch.listPage({}, onObject, signal);
      }
    }
    return page;
  }

  /** A page that was cut is asked for again by itself: else a long list would never get through a bad network. */
  async #nextPage(
    continueToken: string,
    onObject: (object: KubeObject) => void,
    signal: AbortSignal,
  ): Promise<ListPage> {
    const { pageSize, pageTries, resumeMaxMs, backoff } = this.#options;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#deps.listWatch.listPage({ limit: pageSize, continueToken }, onObject, signal);
      } catch (error) {
        const wasCut = error instanceof StoreError && error.code === 'unavailable' && error.status === undefined;
        if (!wasCut || signal.aborted || tries >= pageTries) throw error;
        const wait = { baseMs: backoff.baseMs, maxMs: Math.min(resumeMaxMs, backoff.maxMs) };
        await this.#deps.clock.sleep(backoffMs(tries - 1, wait, this.#deps.random), signal);
      }
    }
  }

  /** Takes one frame in; a returned error means that only a list can tell the state. */
  #accept(frame: WatchFrame): StoreError | undefined {
    if (frame.type === 'error') {
      const gone = frame.status === 410 || frame.reason === 'Expired' || frame.reason === 'Gone';
      return new StoreError(gone ? 'expired' : 'unavailable', `watch ended by the server: ${frame.message}`, frame);
    }
    const version = frame.type === 'bookmark' ? frame.resourceVersion : frame.object.metadata.resourceVersion;
    if (version === undefined) return new StoreError('invalid', 'watch event without metadata.resourceVersion');
    const from = this.#resourceVersion;
    const order = from === undefined ? undefined : compareResourceVersions(version, from);
    if (frame.type === 'bookmark') {
      // Going back would only replay, and a stale bookmark tells nothing.
      if (order === undefined || order > 0) this.#resourceVersion = version;
      return undefined;
    }
    const key = objectKey(frame.object.metadata);
    if (order !== undefined && order < 0) {
      if (this.#known.get(key) === version && frame.type === 'put') return undefined;
      return new StoreError('expired', `watch went back from version ${String(from)} to ${version}`);
    }
    this.#resourceVersion = version;
    if (frame.type === 'put') this.#put(key, frame.object);
    else this.#delete(key);
    return undefined;
  }

  #put(key: string, object: KubeObject): void {
    const version = object.metadata.resourceVersion ?? '';
    if (version !== '' && this.#known.get(key) === version) return;
    this.#known.set(key, version);
    this.queue.put(key, parseSafely(this.#parse, object), version);
  }

  #delete(key: string): void {
    if (this.#known.delete(key)) this.queue.delete(key);
  }
}

/** A parser that throws is a defect of ours; the object stays known by its key all the same. */
function parseSafely<T>(parse: Parse<T>, object: KubeObject): Parsed<T> {
  try {
    return parse(object);
  } catch (error) {
    return { ok: false, error: `parser failed: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function needsList(error: unknown): boolean {
  if (!(error instanceof StoreError)) return false;
  // `invalid` to a watch means that the version itself was refused.
  return error.code === 'expired' || error.code === 'version-ahead' || error.code === 'invalid';
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('unavailable', error instanceof Error ? error.message : String(error), { cause: error });
}
