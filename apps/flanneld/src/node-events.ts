/** Kubernetes Events about this node: what `kubectl describe node` shows. Best effort, never waited for, bounded. */
import type { Clock, Logger } from '@canal/runtime-port';
import { EVENTS, type Store } from '@canal/store-port';
import { EventBudget } from './event-budget.ts';

export interface NodeEvent {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase; stable, part of the interface. */
  readonly reason: string;
  readonly message: string;
}

export interface NodeEvents {
  emit(event: NodeEvent): void;
}

export interface NodeEventsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  /** Milliseconds since the epoch: Events carry the time of day. */
  readonly timeMs: () => number;
}

/** Events of cluster-scoped objects live in this namespace. */
const NAMESPACE = 'default';
/** The API refuses longer ones (core/v1 Event validation). */
const MAX_MESSAGE = 1024;

export function createNodeEvents(deps: NodeEventsDeps): NodeEvents {
  const budget = new EventBudget(deps.clock.nowMs());
  let count = 0;
  return {
    emit(event) {
      if (!budget.admit(`${event.reason} ${event.message}`, deps.clock.nowMs())) return;
      const name = `${deps.nodeName}.${deps.timeMs().toString(16)}${(count++).toString(16).padStart(3, '0')}`;
      deps.store.create(EVENTS, eventObject(deps, event, name)).catch((error: unknown) => {
        deps.log.debug({ reason: event.reason, error }, 'event not written');
      });
    },
  };
}

function eventObject({ nodeName, timeMs }: NodeEventsDeps, { type, reason, message }: NodeEvent, name: string) {
  const time = new Date(timeMs()).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: NAMESPACE },
    // kubelet gives the name as uid of its node's events; kubectl describe finds them by it.
    involvedObject: { kind: 'Node', name: nodeName, uid: nodeName, apiVersion: 'v1' },
    type,
    reason,
    message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1)}…` : message,
    source: { component: 'canal-flanneld', host: nodeName },
    reportingComponent: 'canal-flanneld',
    reportingInstance: nodeName,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}
