import type { PolicyPod } from '@canal/model';
import { createPolicyEngine } from '@canal/policy-compile';
import { type KubeObject, StoreError } from '@canal/store-port';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { beforeEach, expect, test } from 'vitest';
import { LocalPods } from './local-pods.ts';

const WEB = { namespace: 'default', name: 'web', uid: 'u1' };
const KEY = 'default/web';

let engine: Map<string, PolicyPod>;
let answer: () => Promise<KubeObject | undefined>;
let gets: number;
let fetched: number;
let pods: LocalPods;
const clock = createFakeClock();

beforeEach(() => {
  engine = new Map();
  gets = 0;
  fetched = 0;
  answer = () => Promise.resolve(undefined);
  pods = new LocalPods({
    store: {
      get: () => {
        gets++;
        return answer();
      },
    },
    engine: {
      putPod: (pod) => void engine.set(`${pod.namespace}/${pod.name}`, pod),
      deletePod: (namespace, name) => void engine.delete(`${namespace}/${name}`),
    },
    clock,
    log: createCapturedLogger(),
    nodeName: 'node-a',
    onFetched: () => fetched++,
  });
});

function object(uid: string, resourceVersion: string, changed: Partial<KubeObject> = {}): KubeObject {
  return {
    metadata: { name: 'web', namespace: 'default', uid, resourceVersion, labels: { version: resourceVersion } },
    spec: { nodeName: 'node-a' },
    ...changed,
  };
}

function watched(uid: string, resourceVersion: string, changed: Partial<KubeObject> = {}): void {
  const parsed = pods.parse(object(uid, resourceVersion, changed));
  if (!parsed.ok) throw new Error(parsed.error);
  pods.put(parsed.value, KEY, resourceVersion);
}

test('what the watch knows is not asked for', async () => {
  watched('u1', '5');
  expect(await pods.lookUp(WEB)).toEqual({ known: true });
  expect(gets).toBe(0);
});

test('a pod of another node, or another uid, is not it', () => {
  watched('u1', '5', { spec: { nodeName: 'node-b' } });
  expect(pods.isKnown(WEB)).toBe(false);
  watched('u0', '6');
  expect(pods.isKnown(WEB)).toBe(false);
});

test('fetched once for many who ask; what the watch then tells that is older says nothing', async () => {
  watched('u0', '5');
  answer = () => Promise.resolve(object('u1', '9'));
  expect(await Promise.all([pods.lookUp(WEB), pods.lookUp(WEB)])).toEqual([{ known: true }, { known: true }]);
  expect([gets, fetched]).toEqual([1, 1]);
  watched('u0', '7');
  expect(engine.get(KEY)?.uid).toBe('u1');
  watched('u1', '9');
  watched('u1', '12');
  expect(engine.get(KEY)?.labels).toEqual({ version: '12' });
  pods.delete(KEY);
  expect(pods.isKnown(WEB)).toBe(false);
});

test.each([
  { name: 'no such pod', get: () => Promise.resolve(undefined), reason: 'no such pod' },
  { name: 'another uid', get: () => Promise.resolve(object('u2', '9')), reason: 'uid u2' },
  {
    name: 'no server',
    get: () => Promise.reject(new StoreError('unavailable', 'connection refused')),
    reason: 'connection refused',
  },
])('$name', async ({ get, reason }) => {
  answer = get;
  const lookup = await pods.lookUp(WEB);
  expect(!lookup.known && lookup.reason).toContain(reason);
  expect(engine.size).toBe(0);
});

test('an answer that takes too long is not waited for, and taken when it comes', async () => {
  const late = Promise.withResolvers<KubeObject>();
  answer = () => late.promise;
  const lookup = pods.lookUp(WEB);
  await clock.advance(2_000);
  expect(await lookup).toMatchObject({ known: false });
  late.resolve(object('u1', '9'));
  await clock.advance(1);
  expect([pods.isKnown(WEB), fetched]).toEqual([true, 1]);
  expect(clock.sleeping).toBe(0);
});

test('while an answer is late the pod is asked for once, whoever asks', async () => {
  const late = Promise.withResolvers<KubeObject>();
  answer = () => late.promise;
  const first = pods.lookUp(WEB);
  await clock.advance(2_000);
  expect(await first).toMatchObject({ known: false });
  const second = pods.lookUp(WEB);
  await clock.advance(1_000);
  expect(gets).toBe(1);
  late.resolve(object('u1', '9'));
  expect([await second, fetched]).toEqual([{ known: true }, 1]);
  // What failed is asked anew.
  pods.delete(KEY);
  answer = () => Promise.resolve(undefined);
  expect(await pods.lookUp(WEB)).toMatchObject({ known: false });
  expect(gets).toBe(2);
});

test('a pod that the API has on another node (NODE_NAME names another one): policed as said, and it stays', async () => {
  const real = createPolicyEngine();
  const here = new LocalPods({
    store: { get: () => answer() },
    engine: {
      putPod: (pod) => {
        engine.set(KEY, pod);
        real.putPod(pod);
      },
      deletePod: (namespace, name) => {
        engine.delete(KEY);
        real.deletePod(namespace, name);
      },
    },
    clock,
    log: createCapturedLogger(),
    nodeName: 'node-a',
    onFetched: () => fetched++,
  });
  const stop = new AbortController();
  const running = here.run(stop.signal);
  real.putEndpoint({
    key: 'c1/eth0',
    pod: WEB,
    hostInterface: unwrap(parseInterfaceName('cnl1')),
    mode: 'routed',
    addresses: [unwrap(parseIp('10.244.1.10'))],
    mac: unwrap(parseMac('0a:00:00:00:00:01')),
  });
  answer = () => Promise.resolve(object('u1', '9', { spec: { nodeName: 'node-b' } }));
  const states = () => [...real.endpointStatuses()].map(({ state }) => state);
  expect(states()).toEqual(['unknown-pod']);
  expect(await here.lookUp(WEB)).toEqual({ known: true });
  expect(states()).toEqual(['policed']);
  await clock.advance(61_000);
  expect(engine.get(KEY)?.uid).toBe('u1');
  answer = () => Promise.resolve(undefined);
  await clock.advance(30_000);
  expect(engine.size).toBe(0);
  stop.abort();
  await running;
});

test('a static pod: the kubelet’s uid is in its mirror’s annotation', () => {
  const metadata = { ...object('api', '5').metadata, annotations: { 'kubernetes.io/config.mirror': 'u1' } };
  watched('api', '5', { metadata });
  expect(pods.isKnown(WEB)).toBe(true);
});

test('a runtime that did not say which pod it is', async () => {
  const lookup = await pods.lookUp(undefined);
  expect(!lookup.known && lookup.reason).toContain('Update the runtime');
  expect(gets).toBe(0);
});

test.each<[string, () => void, PolicyPod['uid'] | undefined]>([
  ['a later pod of that name', () => watched('u2', '12'), 'u2'],
  ['its end', () => pods.delete(KEY), undefined],
])('what the watch tells during a fetch is newer than the answer: %s', async (_what, tell, known) => {
  watched('u0', '5');
  const late = Promise.withResolvers<KubeObject>();
  answer = () => late.promise;
  const lookup = pods.lookUp(WEB);
  tell();
  late.resolve(object('u1', '9'));
  expect(await lookup).toMatchObject({ known: false, reason: expect.stringContaining('changed') as string });
  expect(engine.get(KEY)?.uid).toBe(known);
});

test('what the watch tells during a fetch is older than the answer', async () => {
  const late = Promise.withResolvers<KubeObject>();
  answer = () => late.promise;
  const lookup = pods.lookUp(WEB);
  watched('u0', '7');
  late.resolve(object('u1', '9'));
  expect(await lookup).toEqual({ known: true });
  expect(engine.get(KEY)?.uid).toBe('u1');
});

test('a fetched pod that ended before the watch told of it does not stay', async () => {
  const stop = new AbortController();
  const running = pods.run(stop.signal);
  answer = () => Promise.resolve(object('u1', '9'));
  await pods.lookUp(WEB);
  await clock.advance(61_000);
  expect([engine.get(KEY)?.uid, fetched]).toEqual(['u1', 1]);
  answer = () => Promise.reject(new StoreError('unavailable', 'connection refused'));
  await clock.advance(60_000);
  expect(engine.get(KEY)?.uid).toBe('u1');
  answer = () => Promise.resolve(undefined);
  await clock.advance(30_000);
  expect([engine.size, fetched]).toEqual([0, 2]);
  // What the watch has told of is its own.
  answer = () => Promise.resolve(object('u1', '9'));
  await pods.lookUp(WEB);
  watched('u1', '9');
  const asked = gets;
  await clock.advance(60_000);
  expect([gets, engine.get(KEY)?.uid]).toEqual([asked, 'u1']);
  stop.abort();
  await running;
});
