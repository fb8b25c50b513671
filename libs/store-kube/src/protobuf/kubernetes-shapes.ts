/**
 * Field numbers of Kubernetes' own messages: generated.proto of k8s.io/apimachinery/pkg/apis/meta/v1, pkg/runtime and
 * k8s.io/api/core/v1. Numbers never change their meaning: the API server's stored objects depend on them.
 */
import { type FieldTree, PODS, type ResourceType } from '@canal/store-port';
import type { FieldShape, MessageShape } from './message.ts';

const shape = (fields: Readonly<Record<number, FieldShape>>): MessageShape =>
  new Map(Object.entries(fields).map(([number, field]) => [Number(number), field]));

export const STATUS = shape({
  3: { name: 'message', type: 'text' },
  4: { name: 'reason', type: 'text' },
  5: {
    name: 'details',
    type: shape({
      4: {
        name: 'causes',
        type: shape({ 1: { name: 'reason', type: 'text' }, 2: { name: 'message', type: 'text' } }),
        repeated: true,
      },
    }),
  },
  6: { name: 'code', type: 'integer' },
});

export const LIST_META = shape({
  2: { name: 'resourceVersion', type: 'text' },
  3: { name: 'continue', type: 'text' },
});

const OBJECT_META = shape({
  1: { name: 'name', type: 'text' },
  3: { name: 'namespace', type: 'text' },
  5: { name: 'uid', type: 'text' },
  6: { name: 'resourceVersion', type: 'text' },
  8: { name: 'creationTimestamp', type: 'time' },
  9: { name: 'deletionTimestamp', type: 'time' },
  11: { name: 'labels', type: 'texts-by-key' },
  12: { name: 'annotations', type: 'texts-by-key' },
});

const CONTAINER_PORT = shape({
  1: { name: 'name', type: 'text' },
  3: { name: 'containerPort', type: 'integer' },
  4: { name: 'protocol', type: 'text' },
});

const CONTAINER = shape({
  1: { name: 'name', type: 'text' },
  6: { name: 'ports', type: CONTAINER_PORT, repeated: true },
});

const POD = shape({
  1: { name: 'metadata', type: OBJECT_META },
  2: {
    name: 'spec',
    type: shape({
      2: { name: 'containers', type: CONTAINER, repeated: true },
      10: { name: 'nodeName', type: 'text' },
      11: { name: 'hostNetwork', type: 'boolean' },
      20: { name: 'initContainers', type: CONTAINER, repeated: true },
    }),
  },
  3: {
    name: 'status',
    type: shape({
      1: { name: 'phase', type: 'text' },
      6: { name: 'podIP', type: 'text' },
      12: { name: 'podIPs', type: shape({ 1: { name: 'ip', type: 'text' } }), repeated: true },
    }),
  },
});

const SHAPES: ReadonlyMap<ResourceType, MessageShape> = new Map([[PODS, POD]]);

/** Always read: without them nobody knows which object it is. */
const IDENTITY = { metadata: { name: true, namespace: true, resourceVersion: true } } as const;

/** The shape with nothing but these fields; undefined when one of them is not in the tables above, or the kind is not. */
export function shapeOf(type: ResourceType, fields: FieldTree): MessageShape | undefined {
  const known = SHAPES.get(type);
  return known && narrow(known, merge(fields, IDENTITY));
}

function narrow(known: MessageShape, fields: FieldTree): MessageShape | undefined {
  const names = new Set(Object.keys(fields));
  const narrowed = new Map<number, FieldShape>();
  for (const [number, field] of known) {
    const wanted = fields[field.name];
    if (wanted === undefined) continue;
    names.delete(field.name);
    if (typeof field.type === 'string') {
      narrowed.set(number, wanted === true ? field : { ...field, keys: new Set(Object.keys(wanted)) });
      continue;
    }
    // All of a message is more than the tables know.
    const type = wanted === true ? undefined : narrow(field.type, wanted);
    if (type === undefined) return undefined;
    narrowed.set(number, { ...field, type });
  }
  return names.size === 0 ? narrowed : undefined;
}

function merge(a: FieldTree, b: FieldTree): FieldTree {
  const merged: Record<string, true | FieldTree> = { ...a };
  for (const [name, tree] of Object.entries(b)) {
    const own = merged[name];
    merged[name] = own === undefined ? tree : own === true || tree === true ? true : merge(own, tree);
  }
  return merged;
}
