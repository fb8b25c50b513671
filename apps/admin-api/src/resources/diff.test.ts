import { NAMESPACES, NETWORK_POLICIES, PODS } from '@canal/store-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ProblemError } from '../handler.ts';
import { decodeQuestion, encodeQuestion } from './diff-messages.ts';
import { DiffProcess } from './diff-process.ts';
import { AdminWorld } from './testing/admin-world.ts';

let world: AdminWorld;

beforeEach(async () => {
  world = new AdminWorld();
  await world.addNodes('a');
  await world.addNamespace('shop');
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function addPod(name: string, address: string): Promise<void> {
  await world.store.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { app: name } },
    spec: { nodeName: 'a', containers: [{ name: 'c', image: 'i' }] },
  });
  const status = { podIP: address, podIPs: [{ ip: address }], phase: 'Running' };
  await world.store.mergePatch(PODS, name, { status }, { namespace: 'shop', subresource: 'status' });
}

const POLICY = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'db', namespace: 'shop' },
  spec: {
    podSelector: { matchLabels: { app: 'db' } },
    policyTypes: ['Ingress'],
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ protocol: 'TCP', port: 5432 }] }],
  },
};

test('what a policy would close is told, in data and in words', async () => {
  await addPod('web', '10.244.1.5');
  await addPod('db', '10.244.1.6');
  const { body } = await world.call('diff', { body: { objects: [POLICY] } });
  expect(body.opens).toEqual([]);
  expect(body.closes.length).toBeGreaterThan(0);
  expect(body.closes[0]?.causes).toEqual([{ type: 'policy', name: 'shop/db', change: 'added' }]);
  expect(body.compared).toEqual({ pods: 2, workloads: 2, families: [4] });
  expect(body.words.join('\n')).toContain('by policy shop/db (added)');
  expect(body).toMatchObject({ omitted: 0, problems: [], came: [], went: [] });
});

test('what is removed, and labels of pods and namespaces', async () => {
  await addPod('web', '10.244.1.5');
  await addPod('db', '10.244.1.6');
  await world.store.create(NETWORK_POLICIES, POLICY);
  const removed = [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'db' }];
  const gone = (await world.call('diff', { body: { objects: [], removed } })).body;
  expect(gone.closes).toEqual([]);
  expect(gone.opens[0]?.causes).toEqual([{ type: 'policy', name: 'shop/db', change: 'removed' }]);

  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'web', labels: { app: 'other' } } };
  const relabelled = (await world.call('diff', { body: { objects: [pod] } })).body;
  expect(relabelled.opens).toEqual([]);
  expect(relabelled.closes[0]?.causes).toEqual([{ type: 'pods', workload: 'shop/web' }]);

  // What is not named stays, what is null goes.
  for (const [labels, changes] of [
    [{ other: 'x' }, false],
    [{ app: null }, true],
  ] as const) {
    const patched = { ...pod, metadata: { ...pod.metadata, labels } };
    const { body } = await world.call('diff', { body: { objects: [patched] } });
    expect(body.closes.length > 0, JSON.stringify(labels)).toBe(changes);
  }

  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: {} } };
  const same = (await world.call('diff', { body: { objects: [namespace] } })).body;
  expect(same.words[0]).toBe('no flow opens or closes');
});

const LAST = 'kubectl.kubernetes.io/last-applied-configuration';

test('objects are applied as kubectl does: what others set stays, what the last apply set and this one does not name goes', async () => {
  await addPod('web', '10.244.1.5');
  await addPod('db', '10.244.1.6');
  // Somebody, or the API server, has set policyTypes: rules for egress isolate nothing.
  await world.store.create(NETWORK_POLICIES, POLICY);
  const { podSelector, ingress } = POLICY.spec;
  const egress = [{ to: [{ podSelector: { matchLabels: { app: 'web' } } }] }];
  const more = { ...POLICY, spec: { podSelector, ingress, egress } };
  expect((await world.call('diff', { body: { objects: [more] } })).body.words[0]).toBe('no flow opens or closes');

  const last = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ours', labels: { team: 'a' } } };
  const metadata = {
    ...last.metadata,
    labels: { team: 'a', other: 'x' },
    annotations: { [LAST]: JSON.stringify(last) },
  };
  await world.store.create(NAMESPACES, { ...last, metadata });
  const selected = (label: string) => ({
    ...POLICY,
    metadata: { namespace: 'shop', name: `by-${label}` },
    spec: {
      ...POLICY.spec,
      ingress: [{ from: [{ namespaceSelector: { matchExpressions: [{ key: label, operator: 'Exists' }] } }] }],
    },
  });
  await world.store.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'guest', namespace: 'ours' },
    spec: { nodeName: 'a', containers: [{ name: 'c', image: 'i' }] },
  });
  const status = { podIP: '10.244.1.7', podIPs: [{ ip: '10.244.1.7' }], phase: 'Running' };
  await world.store.mergePatch(PODS, 'guest', { status }, { namespace: 'ours', subresource: 'status' });
  const bare = { ...last, metadata: { name: 'ours', labels: {} } };
  for (const [label, goes] of [
    ['team', true],
    ['other', false],
  ] as const) {
    await world.store.create(NETWORK_POLICIES, selected(label));
    const { body } = await world.call('diff', { body: { objects: [bare] } });
    expect([label, body.closes.map(({ causes }) => causes)]).toEqual([
      label,
      goes ? [[{ type: 'namespace', name: 'ours', change: 'changed' }]] : [],
    ]);
    await world.store.delete(NETWORK_POLICIES, `by-${label}`, 'shop');
  }
});

test('a policy that is read in part is compared as agents would have it, and told', async () => {
  await addPod('db', '10.244.1.6');
  const spec = { ...POLICY.spec, ingress: [{ from: [{ ipBlock: { cidr: 'x' } }] }] };
  const { body } = await world.call('diff', { body: { objects: [{ ...POLICY, spec }] } });
  expect(body.problems).toMatchObject([{ object: '/objects/0', code: 'InvalidPeer' }]);
  expect(body.closes.length).toBeGreaterThan(0);
});

test.each<[string, object, string]>([
  ['nothing', { objects: [] }, '/objects'],
  ['another kind', { objects: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } }] }, '/objects/0/kind'],
  ['a name that objects have', { objects: [{ apiVersion: 'v1', kind: 'constructor' }] }, '/objects/0/kind'],
  ['another version', { objects: [{ ...POLICY, apiVersion: 'v1' }] }, '/objects/0/apiVersion'],
  ['no namespace', { objects: [POLICY, { ...POLICY, metadata: { name: 'x' } }] }, '/objects/1'],
  [
    'a pod that is not there',
    { objects: [{ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'no' } }] },
    '/objects/0',
  ],
  [
    'a removal of what is not there',
    { objects: [], removed: [{ kind: 'Pod', namespace: 'shop', name: 'no' }] },
    '/removed/0',
  ],
  ['a removal without a namespace', { objects: [], removed: [{ kind: 'Pod', name: 'no' }] }, '/removed/0'],
])('%s is refused with a pointer', async (_, body, pointer) => {
  await expect(world.call('diff', { body })).rejects.toMatchObject({ problem: 'invalid', errors: [{ pointer }] });
});

const NOTHING = { state: { namespaces: [], pods: [], policies: [], nodes: [] }, request: { objects: [] } };

test('the API goes on while the other process compares, which ends when nobody waits', async () => {
  const other = new DiffProcess(['/bin/sh', '-c', 'exec sleep 600']);
  const leave = new AbortController();
  const comparing = other.diff(NOTHING, leave.signal).catch((error: unknown) => error);
  expect((await world.call('listNodes')).body.items).toHaveLength(1);
  leave.abort(new Error('left'));
  expect(await comparing).toEqual(new Error('left'));
});

test('a process that fails is a fault, with its words', async () => {
  const other = new DiffProcess(['/bin/sh', '-c', 'echo broken >&2; exit 3']);
  await expect(other.diff(NOTHING, new AbortController().signal)).rejects.toThrow('code 3: broken');
});

test("the other process gets none of this one's environment", async () => {
  const other = new DiffProcess(['/bin/sh', '-c', 'env >&2; exit 1']);
  const failing = other.diff(NOTHING, new AbortController().signal);
  const failure = String(await failing.catch((error: unknown) => error));
  expect(failure).toContain('code 1');
  const names = [...failure.matchAll(/^(?:.*: )?(\w+)=/gm)].map(([, name]) => name);
  // Of the shell's own.
  expect(names.filter((name) => !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(name ?? ''))).toEqual([]);
});

test('a child that ends before it has read anything is a fault, too', async () => {
  const other = new DiffProcess(['/bin/sh', '-c', 'exec 0<&-; echo no >&2; exit 4']);
  const pods = Array.from({ length: 5_000 }, (_, index) => ({
    namespace: 'shop',
    name: `web-${index}`,
    uid: '',
    labels: {},
    addresses: [],
    node: 'a',
    hostNetwork: false,
    completed: false,
    ports: [],
    createdMs: 0,
  }));
  const question = { state: { ...NOTHING.state, pods }, request: { objects: [] } };
  await expect(other.diff(question, new AbortController().signal)).rejects.toThrow('code 4: no');
  expect(decodeQuestion(Buffer.concat([...encodeQuestion(question)]))).toEqual(question);
  expect(() => decodeQuestion(Buffer.concat([...encodeQuestion(question)].slice(0, -1)))).toThrow('before its request');
});

test('one after the other, and not more than four wait', async () => {
  const turns = new DiffProcess([]);
  const { signal } = new AbortController();
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<number>());
  const started: number[] = [];
  const waiting = gates.map((gate, index) =>
    turns.inTurn(signal, async () => {
      started.push(index);
      return await gate.promise;
    }),
  );
  await expect(turns.inTurn(signal, () => Promise.resolve(0))).rejects.toBeInstanceOf(ProblemError);
  await expect.poll(() => started).toEqual([0]);
  gates[0]?.reject(new Error('failed'));
  await expect(waiting[0]).rejects.toThrow('failed');
  await expect.poll(() => started).toEqual([0, 1]);
  for (const [index, gate] of gates.entries()) gate.resolve(index);
  expect(await Promise.all(waiting.slice(1))).toEqual([1, 2, 3]);
});
