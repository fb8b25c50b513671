import { dirname } from 'node:path';
import type { AgentAnswer } from '@canal/agent-protocol';
import { NETWORK_POLICIES, PODS } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import {
  addRequest,
  createTestCluster,
  hostInterfaceOf,
  ingressPolicy,
  type TestCluster,
} from './testing/test-cluster.ts';

const WEB = '10.244.1.10';
const CLIENT = '10.244.2.20';
const ip = (text: string) => unwrap(parseIp(text));

/** Neither chain means: not isolated. */
function chainsOf({ kernel }: TestCluster, containerId: string): readonly [boolean, boolean] | undefined {
  const endpoint = kernel.endpoints.get(`${containerId}/eth0`);
  return endpoint && [endpoint.ingress !== undefined, endpoint.egress !== undefined];
}

const valueOf = (answer: AgentAnswer): unknown => (answer.ok ? answer.value : answer);

describe('start', () => {
  test('nothing is written before all four kinds are known; then all at once, and the agent is ready', async () => {
    await using cluster = createTestCluster();
    const uid = await cluster.createPod('web', { address: WEB, labels: { app: 'web' } });
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    cluster.record({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } });
    cluster.held.add('NetworkPolicy');
    const { agent } = cluster.start();
    await waitFor('the other kinds', () => agent.status().streams.filter(({ inSync }) => inSync).length === 3);
    await Bun.sleep(100);
    expect(cluster.kernel.writes).toBe(0);
    expect(agent.readyz()).toMatchObject({ ok: false, text: expect.stringContaining('NetworkPolicy') as string });
    cluster.release();
    await waitFor('readiness', () => agent.readyz().ok);
    expect(chainsOf(cluster, 'c1')).toEqual([true, false]);
    expect(cluster.kernel.resyncs).toBe(1);
    // The port of net-conf.json beside those of the flag.
    expect(cluster.kernel.guard?.tunnelPorts).toEqual([8472, 8285, 9472]);
  });

  test('a restart over an equal kernel writes nothing', async () => {
    await using cluster = createTestCluster();
    const uid = await cluster.createPod('web', { address: WEB, labels: { app: 'web' } });
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    cluster.record({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } });
    const first = await cluster.startReady();
    await first.stop();
    const { writes } = cluster.kernel;
    expect(writes).toBeGreaterThan(0);
    const second = await cluster.startReady();
    expect(cluster.kernel.writes).toBe(writes);
    expect(await second.metrics()).not.toContain('canal_dataplane_drift_repairs_total{');
    // What changed while no agent ran is written, once.
    await second.stop();
    await cluster.store.delete(NETWORK_POLICIES, 'web', 'default');
    await cluster.startReady();
    expect(cluster.kernel.writes).toBeGreaterThan(writes);
    expect(chainsOf(cluster, 'c1')).toEqual([false, false]);
  });

  test('a record of an earlier boot is nobody’s', async () => {
    await using cluster = createTestCluster();
    cluster.record({ containerId: 'c1', address: WEB, bootId: 'an earlier one' });
    cluster.record({ containerId: 'c2', address: WEB });
    await cluster.startReady();
    expect([...cluster.kernel.endpoints.keys()]).toEqual(['c2/eth0']);
  });
});

describe('endpoints over the socket', () => {
  test('the answer comes when the rules are in the kernel', async () => {
    await using cluster = createTestCluster();
    await cluster.startReady();
    const uid = await cluster.createPod('web', { labels: { app: 'web' } });
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await waitFor('the policy', async () => (valueOf(await cluster.ask({ op: 'policies' })) as unknown[]).length === 1);
    const gate = Promise.withResolvers<undefined>();
    cluster.kernel.gate = gate.promise;
    let answered = false;
    const asked = cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    void asked.then(() => (answered = true));
    await Bun.sleep(100);
    expect(answered).toBe(false);
    gate.resolve(undefined);
    expect(valueOf(await asked)).toEqual({ state: 'policed' });
    expect(chainsOf(cluster, 'c1')).toEqual([true, false]);
    // Again is harmless.
    const { writes } = cluster.kernel;
    const again = addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } });
    expect(valueOf(await cluster.ask(again))).toEqual({ state: 'policed' });
    expect(cluster.kernel.writes).toBe(writes);
  });

  test('a pod that the watch does not know yet is fetched', async () => {
    await using cluster = createTestCluster();
    await cluster.startReady();
    cluster.held.add('Pod');
    const uid = await cluster.createPod('web', { labels: { app: 'web' } });
    const answer = await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    expect(valueOf(answer)).toEqual({ state: 'policed' });
    expect(chainsOf(cluster, 'c1')).toEqual([false, false]);
  });

  test('store down: known pods work, an unknown one is isolated, told, and opened when the store is back', async () => {
    await using cluster = createTestCluster();
    const { metrics, agent } = await cluster.startReady();
    const known = await cluster.createPod('known');
    await waitFor('the pod', () => agent.status().streams.some(({ kind, objects }) => kind === 'Pod' && objects === 1));
    cluster.held.add('Pod');
    const uid = await cluster.createPod('web');
    cluster.down = true;
    const first = await cluster.ask(
      addRequest({ containerId: 'c0', address: CLIENT, pod: { name: 'known', uid: known } }),
    );
    expect(valueOf(first)).toEqual({ state: 'policed' });
    const answer = await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    expect(valueOf(answer)).toMatchObject({
      state: 'isolated',
      reason: expect.stringContaining('connection refused') as string,
    });
    expect(chainsOf(cluster, 'c1')).toEqual([true, true]);
    await waitFor('the metric', async () => (await metrics()).includes('canal_fail_closed_endpoints 1'));
    cluster.down = false;
    cluster.release();
    await waitFor('the pod to be opened', () => chainsOf(cluster, 'c1')?.[0] === false);
    const [event] = await waitFor('the event', async () => {
      const events = await cluster.events('NetworkReady');
      return events.length > 0 && events;
    });
    expect(event?.['involvedObject']).toMatchObject({ kind: 'Pod', name: 'web', uid });
    await waitFor('the metric', async () => (await metrics()).includes('canal_fail_closed_endpoints 0'));
  });

  test('an isolated pod has an Event while the API server can be written to', async () => {
    await using cluster = createTestCluster();
    await cluster.startReady();
    await cluster.createPod('web');
    const answer = await cluster.ask(
      addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid: 'another' } }),
    );
    expect(valueOf(answer)).toMatchObject({ state: 'isolated', reason: expect.stringContaining('uid') as string });
    expect(chainsOf(cluster, 'c1')).toEqual([true, true]);
    const [event] = await waitFor('the event', async () => {
      const events = await cluster.events('NetworkNotReady');
      return events.length > 0 && events;
    });
    expect(event).toMatchObject({ involvedObject: { name: 'web', uid: 'another' }, type: 'Warning' });
  });

  test('a name that is used again does not inherit: the new pod’s uid counts', async () => {
    await using cluster = createTestCluster();
    await cluster.startReady();
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    const old = await cluster.createPod('web', { labels: { app: 'web' } });
    await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid: old } }));
    await cluster.ask({ op: 'delete-endpoint', key: 'c1/eth0' });
    await cluster.store.delete(PODS, 'web', 'default');
    const uid = await cluster.createPod('web', { labels: { app: 'other' } });
    expect(uid).not.toBe(old);
    const answer = await cluster.ask(addRequest({ containerId: 'c2', address: WEB, pod: { name: 'web', uid } }));
    expect(valueOf(answer)).toEqual({ state: 'policed' });
    expect(chainsOf(cluster, 'c2')).toEqual([false, false]);
  });

  test('an address that is used again belongs to whom the plugin announced last', async () => {
    await using cluster = createTestCluster();
    await cluster.startReady();
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    const web = await cluster.createPod('web', { labels: { app: 'web' }, address: WEB });
    const next = await cluster.createPod('next');
    await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid: web } }));
    await cluster.ask(addRequest({ containerId: 'c2', address: WEB, pod: { name: 'next', uid: next } }));
    expect([...cluster.kernel.endpoints.keys()]).toEqual(['c2/eth0']);
    expect(chainsOf(cluster, 'c2')).toEqual([false, false]);
  });

  test('a pod that goes from the API keeps its rules until DEL', async () => {
    await using cluster = createTestCluster();
    const { agent } = await cluster.startReady();
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    const uid = await cluster.createPod('web', { labels: { app: 'web' }, address: WEB });
    await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    await waitFor('isolation', () => chainsOf(cluster, 'c1')?.[0]);
    await cluster.store.delete(PODS, 'web', 'default');
    await waitFor('the watch', () =>
      agent.status().streams.some(({ kind, objects }) => kind === 'Pod' && objects === 0),
    );
    await Bun.sleep(50);
    expect(chainsOf(cluster, 'c1')).toEqual([true, false]);
    expect(valueOf(await cluster.ask({ op: 'delete-endpoint', key: 'c1/eth0' }))).toEqual({});
    await waitFor('the end', () => chainsOf(cluster, 'c1') === undefined);
  });

  test('110 at once are answered, in a handful of transactions', async () => {
    await using cluster = createTestCluster();
    const { agent } = await cluster.startReady();
    const names = Array.from({ length: 110 }, (_, index) => `pod-${index}`);
    const uids = await Promise.all(names.map((name) => cluster.createPod(name)));
    await waitFor('the pods', () =>
      agent.status().streams.some(({ kind, objects }) => kind === 'Pod' && objects === 110),
    );
    const before = cluster.kernel.applies;
    const answers = await Promise.all(
      names.map((name, index) => {
        const pod = { name, uid: uids[index] ?? '' };
        return cluster.ask(addRequest({ containerId: `c${index}`, address: `10.244.1.${index + 10}`, pod }));
      }),
    );
    expect(answers.map(valueOf)).toEqual(names.map(() => ({ state: 'policed' })));
    expect(cluster.kernel.endpoints.size).toBe(110);
    expect(cluster.kernel.applies - before).toBeLessThan(60);
  });

  test('before the cluster is known: refused where nothing isolates, isolated where the rules of another agent do', async () => {
    await using cluster = createTestCluster();
    cluster.held.add('Pod');
    const first = cluster.start();
    await waitFor('the socket', () => first.log.messages().includes('answering the CNI plugin'));
    const request = addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid: 'u' } });
    expect(await cluster.ask(request)).toMatchObject({ ok: false, code: 'not-ready' });
    cluster.release();
    await waitFor('readiness', () => first.agent.readyz().ok);
    // What was refused is not remembered.
    expect(cluster.kernel.endpoints.size).toBe(0);
    await first.stop();
    cluster.held.add('Pod');
    const { writes } = cluster.kernel;
    const second = cluster.start();
    await waitFor('the socket', () => second.log.messages().includes('answering the CNI plugin'));
    const earlier = { source: ip(CLIENT), destination: ip(WEB), protocol: 17 };
    const others = { ...earlier, destination: ip('10.244.1.99') };
    cluster.kernel.flows.add(earlier).add(others);
    expect(valueOf(await cluster.ask(request))).toMatchObject({ state: 'isolated' });
    expect(cluster.kernel.writes).toBe(writes);
    // Those of who had the address before.
    expect([...cluster.kernel.cut]).toEqual([earlier]);
    cluster.release();
    await waitFor('the endpoint', () => chainsOf(cluster, 'c1')?.every((isolated) => isolated));
  }, 20_000);
});

test('an ADD that is repeated before the cluster is known, and refused, leaves the pod of the record', async () => {
  await using cluster = createTestCluster();
  cluster.record({ containerId: 'c1', address: WEB });
  cluster.held.add('Pod');
  const { agent, log } = cluster.start();
  await waitFor('the socket', () => log.messages().includes('answering the CNI plugin'));
  const known = async () => valueOf(await cluster.ask({ op: 'endpoints' })) as readonly unknown[];
  await waitFor('the record', async () => (await known()).length === 1);
  expect(await cluster.ask(addRequest({ containerId: 'c1', address: WEB }))).toMatchObject({ code: 'not-ready' });
  cluster.release();
  await waitFor('readiness', () => agent.readyz().ok);
  expect([...cluster.kernel.endpoints.keys()]).toEqual(['c1/eth0']);
});

test('an ADD that is repeated before the records have been read, and refused, leaves the pod of the record', async () => {
  await using cluster = createTestCluster();
  cluster.held.add('Pod');
  const { agent, log } = cluster.start();
  await waitFor('the socket', () => log.messages().includes('answering the CNI plugin'));
  const answer = cluster.ask(addRequest({ containerId: 'c1', address: WEB }));
  const known = async () => valueOf(await cluster.ask({ op: 'endpoints' })) as readonly unknown[];
  await waitFor('the announcement', async () => (await known()).length === 1);
  cluster.record({ containerId: 'c1', address: WEB });
  expect(await answer).toMatchObject({ code: 'not-ready' });
  cluster.release();
  await waitFor('readiness', () => agent.readyz().ok);
  expect([...cluster.kernel.endpoints.keys()]).toEqual(['c1/eth0']);
});

describe('the end of endpoints that the plugin does not tell of', () => {
  test('the record goes, or the device goes; DEL’s own order does not bring it back', async () => {
    await using cluster = createTestCluster();
    for (const [index, containerId] of ['c1', 'c2', 'c3'].entries()) {
      cluster.record({ containerId, address: `10.244.1.${index + 10}` });
    }
    await cluster.startReady();
    expect(cluster.kernel.endpoints.size).toBe(3);
    cluster.removeRecord('c1');
    await waitFor('the end of c1', () => chainsOf(cluster, 'c1') === undefined);
    cluster.linkEvent({ type: 'present', index: 7, name: hostInterfaceOf('c2') });
    cluster.linkEvent({ type: 'gone', index: 7 });
    await waitFor('the end of c2', () => chainsOf(cluster, 'c2') === undefined);
    await cluster.ask({ op: 'delete-endpoint', key: 'c3/eth0' });
    // The records of c2 and c3 are there still, and another one makes the agent read them.
    cluster.record({ containerId: 'c4', address: '10.244.1.40' });
    await waitFor('c4', () => chainsOf(cluster, 'c4') !== undefined);
    expect([...cluster.kernel.endpoints.keys()]).toEqual(['c4/eth0']);
  });
});

describe('the kernel', () => {
  test('a change that fails is followed by a comparison, and the plugin does not notice', async () => {
    await using cluster = createTestCluster();
    const { metrics } = await cluster.startReady();
    const uid = await cluster.createPod('web');
    cluster.kernel.failures.apply = 1;
    const answer = await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    expect(valueOf(answer)).toEqual({ state: 'policed' });
    expect(cluster.kernel.endpoints.size).toBe(1);
    const text = await metrics();
    expect(text).toContain('canal_dataplane_errors_total{operation="apply"} 1');
    expect(text).not.toContain('canal_dataplane_drift_repairs_total{');
  });

  test('a kernel that refuses is told, tried again at a growing pace, and catches up', async () => {
    await using cluster = createTestCluster();
    const { agent } = await cluster.startReady();
    const uid = await cluster.createPod('web');
    cluster.kernel.failures.apply = 1;
    cluster.kernel.failures.resync = 3;
    const answer = await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    expect(answer).toMatchObject({ ok: false, code: 'kernel' });
    expect(agent.readyz()).toMatchObject({ ok: false, text: expect.stringContaining('planned failure') as string });
    expect(agent.healthz().ok).toBe(true);
    // Events do not hasten the retries.
    const left = cluster.kernel.failures.resync;
    for (let index = 0; index < 20; index++) await cluster.createPod(`other-${index}`);
    expect(left - cluster.kernel.failures.resync).toBeLessThanOrEqual(2);
    cluster.record({ containerId: 'c2', address: CLIENT });
    await waitFor('the rules', () => cluster.kernel.endpoints.size === 1);
    // What was refused is not remembered.
    expect(chainsOf(cluster, 'c2')).toEqual([true, true]);
    await waitFor('readiness', () => agent.readyz().ok);
  });

  test('where it cannot guard bridges: ADD on one is refused, which leaves what was there before, and nothing else', async () => {
    await using cluster = createTestCluster();
    cluster.kernel.lacks = [{ code: 'bridge-isolated', message: 'no family bridge' }];
    cluster.record({ containerId: 'c1', address: WEB });
    await cluster.startReady();
    for (const [containerId, address] of [
      ['c1', WEB],
      ['c2', CLIENT],
    ] as const) {
      const request = addRequest({ containerId, address, mode: 'bridge' });
      expect(await cluster.ask(request)).toEqual({ ok: false, code: 'kernel', message: 'no family bridge' });
    }
    const known = valueOf(await cluster.ask({ op: 'endpoints' })) as readonly { readonly key: string }[];
    expect(known.map(({ key }) => key)).toEqual(['c1/eth0']);
    await waitFor('the kernel', () => chainsOf(cluster, 'c2') === undefined);
    await waitFor('what c1 had', () => cluster.kernel.endpoints.get('c1/eth0')?.mode === 'routed');
  });

  test('what others flush is back within a second, counted, told, and its flows are judged', async () => {
    await using cluster = createTestCluster();
    const { metrics } = await cluster.startReady();
    const uid = await cluster.createPod('web', { labels: { app: 'web' }, address: WEB });
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    await waitFor('isolation', () => chainsOf(cluster, 'c1')?.[0]);
    cluster.kernel.flush();
    const flow = { source: ip(CLIENT), destination: ip(WEB), protocol: 6, destinationPort: 80 };
    cluster.kernel.flows.add(flow);
    const startedMs = performance.now();
    await waitFor('the repair', () => chainsOf(cluster, 'c1')?.[0], 1_000);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await waitFor('the cut', () => cluster.kernel.cut.has(flow), 1_000);
    expect(await metrics()).toContain('canal_dataplane_drift_repairs_total{kind="policy-rule"} 1');
    const [event] = await waitFor('the event', async () => {
      const events = await cluster.events('ForeignFirewallFlush');
      return events.length > 0 && events;
    });
    expect(event?.['involvedObject']).toMatchObject({ kind: 'Node' });
  });
});

describe('flows', () => {
  const allowed = { source: ip(CLIENT), destination: ip(WEB), protocol: 6, destinationPort: 80 };
  const fromNode = { ...allowed, source: ip('10.244.1.1') };

  async function withOpenFlows(cluster: TestCluster) {
    const started = await cluster.startReady();
    const uid = await cluster.createPod('web', { labels: { app: 'web' }, address: WEB });
    await cluster.createPod('client', { address: CLIENT, node: 'node-b' });
    await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    cluster.kernel.flows.add(allowed).add(fromNode);
    return started;
  }

  test('strict: what a policy denies is cut within a second, nothing else, and mended when it is allowed again', async () => {
    await using cluster = createTestCluster();
    await withOpenFlows(cluster);
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await waitFor('isolation', () => chainsOf(cluster, 'c1')?.[0]);
    await waitFor('the cut', () => cluster.kernel.cut.has(allowed), 1_000);
    expect(cluster.kernel.cut.has(fromNode)).toBe(false);
    await cluster.store.mergePatch(PODS, 'client', { metadata: { labels: { may: 'web' } } }, { namespace: 'default' });
    await waitFor('the mending', () => !cluster.kernel.cut.has(allowed), 2_000);
  });

  test('an address that another pod had a moment ago: ADD ends when its flows are judged; a fresh one waits for nothing', async () => {
    await using cluster = createTestCluster();
    await withOpenFlows(cluster);
    // Nothing is pending.
    await Bun.sleep(1_200);
    const isolated = await cluster.createPod('isolated', { labels: { app: 'isolated' } });
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('isolated'));
    await waitFor('the policy', async () => (valueOf(await cluster.ask({ op: 'policies' })) as unknown[]).length === 1);
    const pod = { name: 'isolated', uid: isolated };
    const { judgements } = cluster.kernel;
    expect(await cluster.ask(addRequest({ containerId: 'c2', address: '10.244.1.77', pod }))).toMatchObject({
      ok: true,
    });
    expect(cluster.kernel.judgements).toBe(judgements);
    await cluster.ask({ op: 'delete-endpoint', key: 'c2/eth0' });
    await cluster.ask({ op: 'delete-endpoint', key: 'c1/eth0' });
    expect(valueOf(await cluster.ask(addRequest({ containerId: 'c3', address: WEB, pod })))).toEqual({
      state: 'policed',
    });
    expect(cluster.kernel.cut.has(allowed)).toBe(true);
  });

  test('an address whose flows cannot be judged is not given to another pod, and it is said why', async () => {
    await using cluster = createTestCluster();
    const { agent } = await withOpenFlows(cluster);
    const uid = await cluster.createPod('next');
    cluster.kernel.failures.judgeFlows = 1_000;
    await cluster.ask({ op: 'delete-endpoint', key: 'c1/eth0' });
    const request = addRequest({ containerId: 'c2', address: WEB, pod: { name: 'next', uid } });
    expect(await cluster.ask(request)).toMatchObject({
      ok: false,
      code: 'kernel',
      message: expect.stringContaining(`flows of the pod that had ${WEB} before could not be judged`) as string,
    });
    expect(agent.status().notes).toEqual([expect.stringContaining('running flows cannot be judged')]);
    cluster.kernel.failures.judgeFlows = 0;
    expect(valueOf(await cluster.ask(request))).toEqual({ state: 'policed' });
  }, 20_000);

  test('a pod that went while no agent ran leaves no flows to who gets its address', async () => {
    await using cluster = createTestCluster();
    const first = await withOpenFlows(cluster);
    await first.stop();
    await cluster.startReady();
    await waitFor('the cut', () => cluster.kernel.cut.has(allowed), 1_000);
  });

  test('not strict: flows live on, and those that a strict agent has cut are mended', async () => {
    await using cluster = createTestCluster(['--strict=false']);
    cluster.kernel.cut.add(allowed);
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    cluster.record({ containerId: 'c1', address: WEB });
    cluster.kernel.flows.add(allowed);
    await cluster.startReady();
    await waitFor('the mending', () => !cluster.kernel.cut.has(allowed), 1_000);
    await cluster.store.delete(NETWORK_POLICIES, 'web', 'default');
    await Bun.sleep(300);
    expect(cluster.kernel.cut.size).toBe(0);
  });

  test('records name pods, the rule that allowed and the policies that isolate; followers get those to come', async () => {
    await using cluster = createTestCluster(['--flow-records=2']);
    const { metrics } = await withOpenFlows(cluster);
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await waitFor('isolation', () => chainsOf(cluster, 'c1')?.[0]);
    const verdict = {
      reason: 'ingress-denied',
      timeMs: 0,
      family: 4,
      source: ip(CLIENT),
      destination: ip(WEB),
      protocol: 6,
      sourcePort: 1234,
      destinationPort: 80,
      lost: 0,
    } as const;
    for (const timeMs of [1, 2, 3]) cluster.kernel.tellVerdict({ ...verdict, timeMs });
    const denied = { op: 'flows', follow: false, last: 10, denied: true } as const;
    const answers = await waitFor('the records', async () => {
      const got = await cluster.follow(denied, 10);
      return got.length > 0 && got;
    });
    expect(answers.map(valueOf)).toEqual(
      [2, 3].map((ms) => ({
        time: `1970-01-01T00:00:00.00${ms}Z`,
        verdict: 'deny',
        reason: 'ingress-denied',
        direction: 'ingress',
        source: { address: CLIENT, port: 1234, pod: { namespace: 'default', name: 'client' } },
        destination: { address: WEB, port: 80, pod: { namespace: 'default', name: 'web' } },
        protocol: 'TCP',
        isolatedBy: ['default/web'],
        lost: 0,
      })),
    );
    expect(await metrics()).toContain('canal_denied_packets_total{direction="ingress",reason="ingress-denied"} 3');
    const following = cluster.follow({ ...denied, follow: true, last: 0 }, 1);
    await Bun.sleep(100);
    cluster.kernel.tellVerdict({ ...verdict, reason: 'allowed', timeMs: 4 });
    cluster.kernel.tellVerdict({ ...verdict, timeMs: 5 });
    expect((await following).map(valueOf)).toMatchObject([{ time: '1970-01-01T00:00:00.005Z' }]);
  });
});

describe('what is told', () => {
  test('a policy that cannot be read: an Event of the policy, a metric, and its pods are closed', async () => {
    await using cluster = createTestCluster();
    const { metrics } = await cluster.startReady();
    const uid = await cluster.createPod('web', { labels: { app: 'web' }, address: WEB });
    await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    const broken = ingressPolicy('web');
    const spec = { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 'everywhere' } }] }] };
    cluster.distort = (object) => (object.kind === 'NetworkPolicy' ? { ...object, spec } : object);
    await cluster.store.create(NETWORK_POLICIES, broken);
    const [event] = await waitFor('the event', async () => {
      const events = await cluster.events('InvalidPolicy');
      return events.length > 0 && events;
    });
    expect(event).toMatchObject({ involvedObject: { kind: 'NetworkPolicy', name: 'web' }, type: 'Warning' });
    expect(event?.['message']).toContain('spec.ingress[0].from[0]');
    expect(await metrics()).toContain('canal_policy_objects{state="invalid"} 1');
    expect(chainsOf(cluster, 'c1')).toEqual([true, false]);
  });

  test('a policy of more rules than a chain may hold: an Event of the policy, and its pods are closed', async () => {
    await using cluster = createTestCluster();
    const { metrics } = await cluster.startReady();
    const uid = await cluster.createPod('web', { labels: { app: 'web' }, address: WEB });
    await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    const ports = Array.from({ length: 9000 }, (_, index) => ({ port: 1 + 2 * index }));
    const spec = { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports }] };
    cluster.distort = (object) => (object.kind === 'NetworkPolicy' ? { ...object, spec } : object);
    await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    const [event] = await waitFor('the event', async () => {
      const events = await cluster.events('InvalidPolicy');
      return events.length > 0 && events;
    });
    expect(event).toMatchObject({ involvedObject: { kind: 'NetworkPolicy', name: 'web' }, type: 'Warning' });
    expect(event?.['message']).toContain('18000 comparisons of ports and addresses a packet, of 16384 at most');
    expect(await metrics()).toContain('canal_policy_objects{state="invalid"} 0');
    expect(chainsOf(cluster, 'c1')).toEqual([true, false]);
    expect([...cluster.kernel.chains.values()]).toEqual([expect.stringContaining('"rules":[]')]);
  });

  test('ipvs mode of kube-proxy', async () => {
    await using cluster = createTestCluster();
    const { agent } = await cluster.startReady();
    cluster.linkEvent({ type: 'present', index: 9, name: 'kube-ipvs0' });
    await waitFor('the note', () => agent.readyz().text.includes('ipvs'));
    expect(agent.readyz().ok).toBe(true);
    await waitFor('the event', async () => (await cluster.events('KubeProxyIpvs')).length === 1);
  });

  test.each(['the socket', 'the attachments'])(
    'the host’s directory of %s was replaced: the agent ends',
    async (which) => {
      await using cluster = createTestCluster();
      const { config } = cluster;
      const point = which === 'the socket' ? dirname(config.socket) : `${config.cniStateDir}/attachments`;
      const line = (root: string): string => `1 0 259:1 ${root} ${point} rw - ext4 /dev/x rw\n`;
      cluster.mountinfo = line('/run/canal');
      const started = await cluster.startReady();
      cluster.mountinfo = line('/run/canal//deleted');
      expect(String(await started.crash())).toContain(
        `${point} is a mount of a directory of the host that was deleted`,
      );
      const [event] = await cluster.events('HostDirectoryReplaced');
      expect(event?.['involvedObject']).toMatchObject({ kind: 'Node', name: 'node-a' });
    },
    20_000,
  );

  test('a runtime that gives no uid: isolated however well the name is known, and the node’s Event says what to do', async () => {
    await using cluster = createTestCluster();
    await cluster.createPod('web', { labels: { app: 'web' }, address: WEB });
    cluster.record({ containerId: 'c1', address: WEB, pod: { name: 'web', uid: '' } });
    const { agent } = await cluster.startReady();
    await waitFor('the note', () => agent.readyz().text.includes('pods that stay isolated: 1 (c1/eth0'));
    expect(chainsOf(cluster, 'c1')).toEqual([true, true]);
    const answer = await cluster.ask(addRequest({ containerId: 'c2', address: CLIENT }));
    expect(valueOf(answer)).toMatchObject({
      state: 'isolated',
      reason: expect.stringContaining('K8S_POD_UID') as string,
    });
    expect(chainsOf(cluster, 'c2')).toEqual([true, true]);
    const [event] = await waitFor('the event', async () => {
      const events = await cluster.events('PodUidUnknown');
      return events.length > 0 && events;
    });
    expect(event?.['involvedObject']).toMatchObject({ kind: 'Node' });
    expect(event?.['message']).toContain('containerd does so since 1.5.3');
    cluster.removeRecord('c1');
    await cluster.ask({ op: 'delete-endpoint', key: 'c2/eth0' });
    await waitFor('the end of it', () => !agent.readyz().text.includes('that stay isolated'));
  });

  test('status, endpoints and explain', async () => {
    await using cluster = createTestCluster();
    const { metrics } = await cluster.startReady();
    const uid = await cluster.createPod('web', { labels: { app: 'web' }, address: WEB });
    await cluster.ask(addRequest({ containerId: 'c1', address: WEB, pod: { name: 'web', uid } }));
    expect(valueOf(await cluster.ask({ op: 'status' }))).toMatchObject({
      version: 'test',
      node: 'node-a',
      ready: true,
      strict: true,
      counts: { endpoints: 1, policies: 0 },
    });
    expect(valueOf(await cluster.ask({ op: 'endpoints' }))).toMatchObject([
      { key: 'c1/eth0', addresses: [WEB], state: 'policed', pod: { name: 'web' } },
    ]);
    const question = { source: CLIENT, destination: 'default/web', protocol: 'TCP', port: 80 };
    expect(valueOf(await cluster.ask({ op: 'explain', question }))).toMatchObject({ verdict: 'allow' });
    const unknown = { ...question, destination: 'default/nobody' };
    expect(await cluster.ask({ op: 'explain', question: unknown })).toMatchObject({ ok: false, code: 'not-found' });
    const text = await metrics();
    expect(text).toMatch(/canal_endpoint_policy_ready_seconds_count 1/);
    expect(text).toMatch(/canal_policy_programming_delay_seconds_count\{kind="endpoint"\} [1-9]/);
    expect(text).not.toMatch(/10\.244\./);
  });
});
