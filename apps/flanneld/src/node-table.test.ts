import { annotationKeys, DEFAULT_ANNOTATION_PREFIX } from '@canal/api-schema';
import type { KubeObject } from '@canal/store-port';
import { unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { NodeTable, nodeParser } from './node-table.ts';

const KEYS = unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX));
const PARSE = nodeParser('a', KEYS);

function node(name: string, annotations: Record<string, string> = {}, more: object = {}): KubeObject {
  return { metadata: { name, annotations }, spec: { podCIDRs: ['10.244.2.0/24'] }, ...more };
}

const ANNOUNCED = { [KEYS.subnetManager]: 'true', [KEYS.backendType]: 'host-gw', [KEYS.publicIp]: '10.0.0.2' };

function put(object: KubeObject) {
  return { type: 'put', key: object.metadata.name, parsed: PARSE(object), resourceVersion: '1' } as const;
}

test('of other nodes the peer is kept, of this one the record', () => {
  const table = new NodeTable('a');
  table.apply(put(node('a', ANNOUNCED)));
  table.apply(put(node('b', ANNOUNCED)));
  expect(table.peers().map(({ name }) => name)).toEqual(['b']);
  expect(table.own?.name).toBe('a');
});

test('a heartbeat of another node changes nothing, a new address does', () => {
  const table = new NodeTable('a');
  const status = (count: number) => ({
    status: { conditions: [{ type: 'Ready', status: 'True', reason: `${count}` }] },
  });
  expect(table.apply(put(node('b', ANNOUNCED, status(1))))).toBe(true);
  expect(table.apply(put(node('b', ANNOUNCED, status(2))))).toBe(false);
  expect(table.apply(put(node('b', { ...ANNOUNCED, [KEYS.publicIp]: '10.0.0.9' })))).toBe(true);
});

test('a node without flannel is none of ours; one that stops announcing leaves', () => {
  const table = new NodeTable('a');
  expect(table.apply(put(node('c')))).toBe(false);
  table.apply(put(node('b', ANNOUNCED)));
  expect(table.apply(put(node('b')))).toBe(true);
  expect(table.peers()).toEqual([]);
  expect(table.apply({ type: 'delete', key: 'b' })).toBe(false);
});

test('an object that does not parse leaves what is known of its node, and is told until it is right or gone', () => {
  const table = new NodeTable('a');
  table.apply(put(node('b', ANNOUNCED)));
  table.apply(put(node('b', ANNOUNCED, { spec: { podCIDRs: ['nonsense'] } })));
  expect(table.peers()).toHaveLength(1);
  expect(table.faults()).toMatchObject([{ node: 'b', message: expect.stringContaining('nonsense') as string }]);
  table.apply(put(node('b', ANNOUNCED)));
  expect(table.faults()).toEqual([]);
  table.apply(put(node('b', { ...ANNOUNCED, [KEYS.publicIp]: 'x' })));
  expect(table.faults()).toHaveLength(1);
  table.apply({ type: 'delete', key: 'b' });
  expect([table.faults(), table.peers()]).toEqual([[], []]);
});

test('a list is complete once it says so', () => {
  const table = new NodeTable('a');
  expect(table.inSync).toBe(false);
  expect(table.apply({ type: 'in-sync' })).toBe(true);
  expect(table.inSync).toBe(true);
});
