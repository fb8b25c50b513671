/** Kubernetes Events: what `kubectl describe` shows. Best effort, never waited for, bounded. */
import type { Clock, Logger } from '@canal/runtime-port';
import { EVENTS, type KubeObject, type Store } from '@canal/store-port';
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
}

export interface EventRecorder {
  about(subject: EventSubject): EventSink;
}

/** Events of cluster-scoped objects live in this namespace. */
const NAMESPACE = 'default';
/** The API refuses longer ones (core/v1 Event validation). */
const MAX_MESSAGE = 1024;

/** One budget for all that this program tells. */
export function createEventRecorder(deps: EventRecorderDeps): EventRecorder {
  const { store, clock, log, timeMs, nodeName } = deps;
  const budget = new EventBudget(clock.nowMs());
  let count = 0;
  return {
    about: (subject) => ({
      emit(event) {
        const { kind, namespace = '', name } = subject;
        if (!budget.admit(`${kind} ${namespace}/${name} ${event.reason} ${event.message}`, clock.nowMs())) return;
        // Of all that may be in one namespace, this node's are apart by its name and by the time.
        const unique = `${nodeName}.${timeMs().toString(16)}${(count++).toString(16).padStart(3, '0')}`;
        store.create(EVENTS, eventObject(deps, subject, event, unique)).catch((error: unknown) => {
          log.debug({ reason: event.reason, error }, 'event not written');
        });
      },
    }),
  };
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
