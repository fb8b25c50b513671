/** Flows of all nodes, from the admin API: the list of those that nodes remember, and the stream of those to come. */
import type { AdminClient, Flow, MissingPart, StreamedEvent } from '@canal/admin-client';
import { isPassing } from '../admin/open-admin-api.ts';
import type { FlowFilter } from './flow-filter.ts';
import type { FlowSource, NewestFlows } from './flow-source.ts';

const PAGE_ITEMS = 500;
/** Of one look at what nodes remember, for what the stream left out. */
const LOOK_PAGES = 4;
/** More than looks bring. */
const MAX_TOLD = 4 * LOOK_PAGES * PAGE_ITEMS;
/** By then the API follows its nodes; after a resync a node has come back, or will be told of again. */
const LOOK_AFTER_MS = 2_000;

export function adminFlows(client: AdminClient, { query, isWhole, means }: FlowFilter): FlowSource {
  /** Newest first, page by page until there is enough. `isAll`: there are no others. */
  const read = async (
    signal: AbortSignal,
    limit: number,
    isEnough: (items: readonly Flow[], pages: number) => boolean,
  ): Promise<{
    readonly items: readonly Flow[];
    readonly missing: readonly MissingPart[];
    readonly isAll: boolean;
  }> => {
    const items: Flow[] = [];
    const missing = new Map<string, MissingPart>();
    let pages = 0;
    for await (const page of client.pages('listFlows', signal, { query: { ...query, limit } })) {
      items.push(...page.items);
      for (const part of page.missing) missing.set(`${part.node} ${part.reason}`, part);
      if (isEnough(items, ++pages)) return { items, missing: [...missing.values()], isAll: page.next === undefined };
    }
    return { items, missing: [...missing.values()], isAll: true };
  };
  const has = (count: number) => (items: readonly Flow[]) => items.filter(means).length >= count;
  const newestOf = (items: readonly Flow[], count: number): readonly Flow[] =>
    items.filter(means).slice(0, count).reverse();

  return {
    withNode: true,

    async newest(count, signal): Promise<NewestFlows> {
      if (count === 0) return { flows: [], missing: [] };
      const limit = isWhole ? Math.min(count, PAGE_ITEMS) : PAGE_ITEMS;
      const { items, missing } = await read(signal, limit, has(count));
      return { flows: newestOf(items, count), missing };
    },

    async *follow(count, signal) {
      const stop = new AbortController();
      const events = client.stream('streamFlows', AbortSignal.any([signal, stop.signal]), { query });
      let timer: LookTimer | undefined;
      try {
        // It connects while the list is read. What falls before the API follows its nodes, the first look finds.
        let next = nextOf(events);
        const before = await read(signal, PAGE_ITEMS, has(count));
        const told = new ToldFlows(before.items);
        const oldest = before.isAll ? undefined : before.items.at(-1)?.time;
        yield { type: 'missing', missing: before.missing };
        for (const flow of newestOf(before.items, count)) yield { type: 'flow', flow };
        timer = startTimer();
        for (;;) {
          const event = await Promise.race(timer === undefined ? [next] : [next, timer.due]);
          if (event === 'look') {
            timer = undefined;
            const found = await read(signal, PAGE_ITEMS, (items, pages) => {
              return pages === LOOK_PAGES || (oldest !== undefined && (items.at(-1)?.time ?? '') <= oldest);
            }).catch((error: unknown) => {
              if (!isPassing(error)) throw error;
              return undefined;
            });
            if (found === undefined) timer = startTimer();
            for (const flow of [...(found?.items ?? [])].reverse()) {
              if (oldest !== undefined && flow.time <= oldest) continue;
              if (told.isNewInList(flow) && means(flow)) yield { type: 'flow', flow };
            }
            continue;
          }
          if (event === 'over') return;
          next = nextOf(events);
          if (event.type === 'resync') {
            timer ??= startTimer();
            yield event;
          } else if (told.isNewInStream(event.item) && means(event.item)) yield { type: 'flow', flow: event.item };
        }
      } finally {
        timer?.stop();
        stop.abort();
      }
    },
  };
}

/** A promise that nobody waits for at times: its failure is thrown where it is waited for. */
function nextOf(events: AsyncGenerator<StreamedEvent<Flow>, void>): Promise<StreamedEvent<Flow> | 'over'> {
  const next = events.next().then(({ value }) => value ?? 'over');
  next.catch(() => undefined);
  return next;
}

interface LookTimer {
  readonly due: Promise<'look'>;
  stop(): void;
}

function startTimer(): LookTimer {
  const { promise, resolve } = Promise.withResolvers<'look'>();
  const timer = setTimeout(() => resolve('look'), LOOK_AFTER_MS);
  return { due: promise, stop: () => clearTimeout(timer) };
}

/** What lists and the stream have told: the same flow is in both, and two flows may look alike. */
class ToldFlows {
  readonly #listed: Set<string>;
  readonly #streamed = new Set<string>();

  constructor(listed: readonly Flow[]) {
    this.#listed = new Set(listed.map((flow) => JSON.stringify(flow)));
  }

  isNewInList(flow: Flow): boolean {
    const key = JSON.stringify(flow);
    if (this.#listed.has(key) || this.#streamed.has(key)) return false;
    keep(this.#listed, key);
    return true;
  }

  isNewInStream(flow: Flow): boolean {
    const key = JSON.stringify(flow);
    keep(this.#streamed, key);
    // Another one that looks alike is another one.
    return !this.#listed.delete(key);
  }
}

function keep(keys: Set<string>, key: string): void {
  keys.add(key);
  if (keys.size <= MAX_TOLD) return;
  for (const oldest of keys) {
    keys.delete(oldest);
    return;
  }
}
