import { EVENTS } from '@canal/store-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AdminWorld } from './testing/admin-world.ts';

let world: AdminWorld;

beforeEach(async () => {
  world = new AdminWorld();
  await world.inSync();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function tell(name: string, more: object = {}): Promise<void> {
  await world.store.create(EVENTS, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: 'default' },
    involvedObject: { apiVersion: 'v1', kind: 'Node', name: 'a', uid: 'a' },
    type: 'Warning',
    reason: 'AnnotationsRestored',
    message: name,
    source: { component: 'canal-flanneld', host: 'a' },
    reportingComponent: 'canal-flanneld',
    reportingInstance: 'a',
    firstTimestamp: '2026-11-21T10:00:00Z',
    lastTimestamp: '2026-11-21T10:00:00Z',
    count: 1,
    ...more,
  });
}

test("canal's own, newest first, in pages; those of others are not told", async () => {
  await tell('one', { lastTimestamp: '2026-11-21T10:00:01Z' });
  await tell('three', { lastTimestamp: '2026-11-21T10:00:03Z', reportingComponent: 'canal-policy-agent' });
  await tell('two', { lastTimestamp: '2026-11-21T10:00:02Z', type: 'Normal' });
  await tell('also-two', { lastTimestamp: '2026-11-21T10:00:02Z' });
  await tell('foreign', { reportingComponent: 'kubelet' });
  const told: string[] = [];
  let cursor: string | undefined;
  do {
    const { body } = await world.call('listEvents', { query: { limit: 1, ...(cursor && { cursor }) } });
    told.push(...body.items.map(({ message }) => message));
    cursor = body.next;
  } while (cursor !== undefined);
  expect(told).toEqual(['three', 'also-two', 'two', 'one']);
  const { body } = await world.call('listEvents');
  expect(body.items[2]).toEqual({
    time: '2026-11-21T10:00:02.000Z',
    type: 'Normal',
    reason: 'AnnotationsRestored',
    message: 'two',
    node: 'a',
    object: 'Node a',
  });
});

test('of a namespace, by the object that they are about', async () => {
  await world.addNamespace('shop');
  const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web-0', uid: 'u' };
  await tell('pod', { metadata: { name: 'pod', namespace: 'shop' }, involvedObject });
  await tell('node');
  const { body } = await world.call('listEvents', { query: { namespace: 'shop' } });
  expect(body.items.map(({ object }) => object)).toEqual(['Pod shop/web-0']);
});

test('what an Event of another hand lacks does no harm, and long texts are cut', async () => {
  await tell('bare');
  world.distort = (object) => ({
    metadata: object.metadata,
    message: 'x'.repeat(5_000),
    reportingInstance: 'No Name!',
    lastTimestamp: 'never',
  });
  const { body } = await world.call('listEvents');
  expect(body.items).toHaveLength(1);
  expect(body.items[0]).toMatchObject({ type: 'Normal', reason: '', object: '' });
  expect(body.items[0]?.message).toHaveLength(1024);
  expect(body.items[0]).not.toHaveProperty('node');
});
