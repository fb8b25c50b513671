/** Kubernetes Events that canal's programs have told, newest first. */
import type { ClusterEvent } from '@canal/admin-schema';
import type { Clock } from '@canal/runtime-port';
import { EVENTS, type KubeObject, type Parsed, type Store } from '@canal/store-port';
import * as z from 'zod';
import type { Handlers } from '../handler.ts';
import { objectName } from '@canal/admin-schema';
import { boundedText } from './bounded-text.ts';
import { compareKeys, Cursors, type Key } from './cursor.ts';
import { pageOfItems } from './pages.ts';
import { SharedAnswers } from './shared-answers.ts';
import { readObjects } from './store-objects.ts';

/** reportingComponent of the programs that tell Events. */
const COMPONENTS = ['canal-flanneld', 'canal-policy-agent'];

const READ_LIMIT_MS = 15_000;

interface Listed {
  readonly event: ClusterEvent;
  /** `namespace/name` of the Event. */
  readonly key: string;
  readonly namespace: string | undefined;
}

const text = z.string().nullish();
const EVENT = z.object({
  type: text,
  reason: text,
  message: text,
  eventTime: text,
  firstTimestamp: text,
  lastTimestamp: text,
  reportingInstance: text,
  source: z.object({ host: text }).nullish(),
  involvedObject: z.object({ kind: text, namespace: text, name: text }).nullish(),
});

export function eventHandlers(store: Store, clock: Clock): Pick<Handlers, 'listEvents'> {
  const shared = new SharedAnswers<readonly Listed[]>(clock);
  return {
    async listEvents({ query, signal }) {
      const { namespace } = query;
      const all = await shared.get('', () => readEvents(store, AbortSignal.timeout(READ_LIMIT_MS)), signal);
      const meant = all.filter((one) => namespace === undefined || one.namespace === namespace);
      const order = {
        cursors: new Cursors('events', { namespace }),
        keyOf: ({ event, key }: Listed) => [event.time, key],
        parts: 2,
        compare: newestFirst,
      };
      const page = pageOfItems(meant, query, order);
      return { body: { ...page, items: page.items.map(({ event }) => event) } };
    },
  };
}

/** By the time, which is the first part of both keys; what is of one time by the rest. */
export function newestFirst([timeA = '', ...a]: Key, [timeB = '', ...b]: Key): number {
  if (timeA !== timeB) return timeA < timeB ? 1 : -1;
  return compareKeys(a, b);
}

async function readEvents(store: Store, signal: AbortSignal): Promise<readonly Listed[]> {
  const lists = await Promise.all(
    COMPONENTS.map((component) =>
      readObjects(store, EVENTS, parseEvent, { fieldSelector: `reportingComponent=${component}` }, signal),
    ),
  );
  return lists.flatMap(({ objects }) => objects);
}

function parseEvent(object: KubeObject): Parsed<Listed> {
  const parsed = EVENT.safeParse(object);
  if (!parsed.success) return { ok: false, error: 'it is no Event' };
  const { type, reason, message, eventTime, firstTimestamp, lastTimestamp, ...rest } = parsed.data;
  const { name, namespace = '', creationTimestamp } = object.metadata;
  const { kind, name: about, namespace: place } = rest.involvedObject ?? {};
  const host = objectName.safeParse(rest.reportingInstance ?? rest.source?.host);
  const subject = [place ?? '', about ?? ''].filter((part) => part !== '').join('/');
  return {
    ok: true,
    value: {
      key: `${namespace}/${name}`,
      namespace: place ?? undefined,
      event: {
        time: timeOf([lastTimestamp, eventTime, firstTimestamp, creationTimestamp]),
        type: type === 'Warning' ? 'Warning' : 'Normal',
        reason: boundedText(reason ?? '', 128),
        message: boundedText(message ?? '', 1024),
        ...(host.success && { node: host.data }),
        object: boundedText(`${kind ?? ''} ${subject}`.trim(), 600),
      },
    },
  };
}

/** The first that is a time; the epoch when none is. */
function timeOf(texts: readonly (string | null | undefined)[]): string {
  for (const one of texts) {
    const ms = Date.parse(one ?? '');
    if (Number.isFinite(ms)) return new Date(ms).toISOString();
  }
  return new Date(0).toISOString();
}
