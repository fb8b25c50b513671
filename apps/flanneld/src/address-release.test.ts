import { ADDRESS_RELEASE_OUTCOME, ADDRESS_RELEASE_REQUEST, CANALS_ANNOTATIONS, parseNode } from '@canal/api-schema';
import type { EventText } from '@canal/store-kube';
import { NODES, type Store } from '@canal/store-port';
import { createSystemClock } from '@canal/telemetry';
import { createCapturedLogger, waitFor } from '@canal/testing';
import { formatIp, parseIp, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ReleaseResult } from './address-garbage.ts';
import { AddressRelease } from './address-release.ts';
import { addNodes, createTestCluster, type TestCluster } from './testing/test-cluster.ts';

const NOW = Date.parse('2026-11-22T02:00:00.000Z');
const UNTIL = '2026-11-22T02:00:30.000Z';

let cluster: TestCluster;
let stop: AbortController;
let asked: string[];
let events: EventText[];
/** How often the next writes fail. */
let failures: number;

beforeEach(async () => {
  cluster = createTestCluster();
  await addNodes(cluster.store);
  stop = new AbortController();
  [asked, events, failures] = [[], [], 0];
});
afterEach(async () => {
  stop.abort();
  await cluster[Symbol.asyncDispose]();
});

async function annotation(name: string): Promise<string | undefined> {
  return (await cluster.node('a')).metadata.annotations?.[name];
}

/** Writes the request, and gives the outcome once there is one and the request is gone. */
async function follow(text: string, result: ReleaseResult): Promise<unknown> {
  const patch = { metadata: { annotations: { [ADDRESS_RELEASE_REQUEST]: text } } };
  await cluster.store.mergePatch(NODES, 'a', patch, { subresource: 'status' });
  const store: Pick<Store, 'mergePatch'> = {
    mergePatch: (type, name, body, options) => {
      if (failures-- > 0) return Promise.reject(new Error('the API server is away'));
      return cluster.store.mergePatch(type, name, body, options);
    },
  };
  const node = parseNode(await cluster.node('a'), new Set(CANALS_ANNOTATIONS));
  if (!node.ok) throw new Error(node.error);
  const release = new AddressRelease({
    store,
    // As a watch that lags: it goes on to say that the request is there.
    nodes: { own: node.value },
    garbage: {
      releaseNow: (ip, containerId) => {
        asked.push(`${formatIp(ip)} ${containerId}`);
        return Promise.resolve(result);
      },
    },
    events: { emit: (event) => void events.push(event) },
    clock: createSystemClock(),
    log: createCapturedLogger(),
    timeMs: () => NOW,
  });
  const running = release.run(stop.signal);
  release.nodeChanged();
  await waitFor('the end of the request', async () => (await annotation(ADDRESS_RELEASE_REQUEST)) === undefined);
  release.nodeChanged();
  stop.abort();
  await running;
  const outcome = await annotation(ADDRESS_RELEASE_OUTCOME);
  return outcome === undefined ? undefined : (JSON.parse(outcome) as unknown);
}

const request = (more: object = {}): string =>
  JSON.stringify({ id: 'r1', address: '10.244.1.5', containerId: 'gone', until: UNTIL, ...more });

test('what is released is told in the object, and by an Event', async () => {
  const released = [unwrap(parseIp('10.244.1.5')), unwrap(parseIp('fd00::5'))];
  const detail = '10.244.1.5, fd00::5 of container gone, whose sandbox is gone';
  expect(await follow(request(), { result: 'released', released })).toEqual({ id: 'r1', result: 'released', detail });
  expect(asked).toEqual(['10.244.1.5 gone']);
  expect(events).toEqual([{ type: 'Normal', reason: 'AddressReleased', message: `on request: ${detail}` }]);
});

test.each<[string, ReleaseResult, object]>([
  ['what stays', { result: 'kept', why: 'its sandbox is there' }, { result: 'kept', detail: 'its sandbox is there' }],
  ['what nobody holds', { result: 'absent' }, { result: 'absent', detail: 'nobody holds it' }],
])('%s is told, and is no Event', async (_name, result, outcome) => {
  expect(await follow(request(), result)).toEqual({ id: 'r1', ...outcome });
  expect(events).toEqual([]);
});

test('an outcome that cannot be written at once is the same when it is written: nothing is released twice', async () => {
  failures = 2;
  const released = [unwrap(parseIp('10.244.1.5'))];
  expect(await follow(request(), { result: 'released', released })).toMatchObject({ id: 'r1', result: 'released' });
  expect(asked).toHaveLength(1);
  expect(events).toHaveLength(1);
});

test.each([
  ['too late', request({ until: '2026-11-22T01:59:59.000Z' }), { result: 'kept' }],
  ['of no address', request({ address: '10.244.1.256' }), { result: 'kept', detail: 'it is no address' }],
  ['without a container', request({ containerId: undefined }), undefined],
  ['without an end', request({ until: 'tomorrow' }), undefined],
  ['that is no JSON', '{', undefined],
  ['that is too long', request({ id: 'x'.repeat(1100) }), undefined],
])('a request %s releases nothing, and is taken away', async (_name, text, outcome) => {
  const told = await follow(text, { result: 'released', released: [] });
  if (outcome === undefined) expect(told).toBeUndefined();
  else expect(told).toMatchObject(outcome);
  expect(asked).toEqual([]);
});
