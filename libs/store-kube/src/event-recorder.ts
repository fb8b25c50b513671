/**
 * Kubernetes Events: what `kubectl describe` shows. Never waited for, bounded; what begins while the API server is away
 * is told when it is back.
 */
import type { Clock, Logger } from '@canal/runtime-port';
import { backoffMs, EVENTS, isRetriable, type KubeObject, type Store } from '@canal/store-port';
import { EventBudget } from './event-budget.ts';

export interface EventText {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase; stable, part of the interface. */
  readonly reason: string;
  readonly message: string;
}

/** Events of one object. */
export interface EventSink {
  emit(event: EventText): void;
}

/** The object that an Event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string;
  readonly uid: string;
}

/** kubelet gives the name as uid of its node's events; kubectl describe finds them by it. */
export function nodeSubject(name: string): EventSubject {
  return { apiVersion: 'v1', kind: 'Node', name, uid: name };
}

export interface EventRecorderDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** As `canal-flanneld`. */
  readonly component: string;
  readonly nodeName: string;
  /** Milliseconds since the epoch: Events carry the time of day. */
  readonly timeMs: () => number;
  /** Uniform in [0, 1); for jitter. */
  readonly random: () => number;
  /** Ends the tries. */
  readonly signal: AbortSignal;
}

export interface EventRecorder {
  about(subject: EventSubject): EventSink;
}

/** Events of cluster-scoped objects live in this namespace. */
const NAMESPACE = 'default';
/** Of a name in the API (RFC 1123 subdomain). */
const MAX_NAME = 253;
/** The API refuses longer ones (core/v1 Event validation). */
const MAX_MESSAGE = 1024;
/** Longest two minutes: the Events of thousands of nodes, when their API server is back, come over as long a time. */
const RETRY = { baseMs: 10_000, maxMs: 120_000 };
/** As long as API servers keep Events by default; the budget bounds how many can wait. */
const GIVE_UP_MS = 3_600_000;

/** One budget for all that this program tells. */
export function createEventRecorder(deps: EventRecorderDeps): EventRecorder {
  const { clock, log, timeMs, nodeName } = deps;
  const budget = new EventBudget(clock.nowMs());
  let count = 0;
  return {
    about: (subject) => ({
      emit(event) {
        const { kind, namespace = '', name } = subject;
        if (!budget.admit(`${kind} ${namespace}/${name} ${event.reason} ${event.message}`, clock.nowMs())) return;
        // Of all that may be in one namespace, this node's are apart by its name and by the time.
        const unique = `${timeMs().toString(16)}${(count++).toString(16).padStart(3, '0')}`;
        write(deps, eventObject(deps, subject, event, nameOf(nodeName, unique))).catch((error: unknown) => {
          log.debug({ reason: event.reason, error }, 'event not written');
        });
      },
    }),
  };
}

/** A node's name may be as long as that of an Event, and what is left of it must end like a name. */
function nameOf(nodeName: string, unique: string): string {
  return `${nodeName.slice(0, MAX_NAME - unique.length - 1).replace(/[-.]+$/, '')}.${unique}`;
}

async function write({ store, clock, random, signal }: EventRecorderDeps, event: KubeObject): Promise<void> {
  const giveUpMs = clock.nowMs() + GIVE_UP_MS;
  for (let tries = 0; ; tries++) {
    try {
      await store.create(EVENTS, event);
      return;
    } catch (error) {
      if (!isRetriable(error) || clock.nowMs() >= giveUpMs) throw error;
    }
    await clock.sleep(backoffMs(tries, RETRY, random), signal);
  }
}

function eventObject(
  { nodeName, timeMs, component }: EventRecorderDeps,
  subject: EventSubject,
  { type, reason, message }: EventText,
  name: string,
): KubeObject {
  const time = new Date(timeMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: subject.namespace ?? NAMESPACE },
    involvedObject: { ...subject },
    type,
    reason,
    message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1)}…` : message,
    source: { component, host: nodeName },
    reportingComponent: component,
    reportingInstance: nodeName,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}
