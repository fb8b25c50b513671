/** The NetworkUnavailable condition as flannel sets it: cloud providers taint a node until it is False. */
import type { KubeObject } from '@canal/store-port';

/**
 * A merge patch replaces the whole list of conditions, so it is made from the object as read and refused by the server
 * when that has changed (the kubelet writes the same list). Undefined when there is nothing to say.
 */
export function conditionPatch(node: KubeObject, now: Date): unknown {
  const conditions = conditionsOf(node);
  const present = conditions.find(({ type }) => type === 'NetworkUnavailable');
  if (present?.['status'] === 'False') return undefined;
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = {
    type: 'NetworkUnavailable',
    status: 'False',
    reason: 'FlannelIsUp',
    message: 'Flannel is running on this node',
    lastTransitionTime: time,
    lastHeartbeatTime: time,
  };
  return {
    metadata: { resourceVersion: node.metadata.resourceVersion },
    status: { conditions: [...conditions.filter((other) => other !== present), condition] },
  };
}

function conditionsOf(node: KubeObject): readonly Readonly<Record<string, unknown>>[] {
  const { status } = node;
  if (typeof status !== 'object' || status === null || !('conditions' in status)) return [];
  return Array.isArray(status.conditions) ? status.conditions.filter(isRecord) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
