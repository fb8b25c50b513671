/** Counters of the kernel as answers of the agent. */
import type { AgentAnswer } from '@canal/agent-protocol';
import { NETWORK_POLICIES } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { createTestCluster, ingressPolicy, type TestCluster } from './testing/test-cluster.ts';

const valueOf = (answer: AgentAnswer): unknown => (answer.ok ? answer.value : answer);

/** A pod that a policy with one rule isolates; the rule's counter and that of what it denies. */
async function isolatedPod(cluster: TestCluster): Promise<{ readonly rule: string; readonly denied: string }> {
  const uid = await cluster.createPod('web', { labels: { app: 'web' } });
  await cluster.store.create(NETWORK_POLICIES, ingressPolicy('web'));
  cluster.record({ containerId: 'c1', address: '10.244.1.10', pod: { name: 'web', uid } });
  await cluster.startReady();
  const text = [...cluster.kernel.chains.values()].join('\n');
  const [rule = '', denied = ''] = [/in-[0-9a-f]{12}-[0-9a-f]{12}/, /in-[0-9a-f]{12}-denied/].map(
    (pattern) => pattern.exec(text)?.[0],
  );
  return { rule, denied };
}

test('what rules have counted is told by policy and rule; the kernel is asked when somebody asks', async () => {
  await using cluster = createTestCluster();
  const { rule, denied } = await isolatedPod(cluster);
  expect(valueOf(await cluster.ask({ op: 'counters' }))).toEqual([]);
  cluster.kernel.counted.set(rule, { packets: 3, bytes: 180, sinceMs: Date.UTC(2026, 1, 2) });
  cluster.kernel.counted.set(`${rule}-shared`, { packets: 2, bytes: 120, sinceMs: Date.UTC(2026, 1, 3) });
  // Of a kernel that does not keep since when: not before its start.
  cluster.kernel.counted.set(denied, { packets: 7, bytes: 420 });
  cluster.kernel.counted.set('in-000000000000-denied', { packets: 9, bytes: 540 });
  const of = { policy: 'default/web', uid: expect.any(String) as unknown, direction: 'ingress' };
  expect(valueOf(await cluster.ask({ op: 'counters' }))).toEqual([
    { ...of, rule: 0, packets: 5, bytes: 300, sharedPackets: 2, since: '2026-02-02T00:00:00.000Z' },
    { ...of, packets: 7, bytes: 420, sharedPackets: 0, since: '2026-01-01T00:00:00.000Z' },
  ]);
});

test('a kernel that refuses is told', async () => {
  await using cluster = createTestCluster();
  await isolatedPod(cluster);
  cluster.kernel.failures.counters = 1;
  expect(await cluster.ask({ op: 'counters' })).toEqual({
    ok: false,
    code: 'kernel',
    message: 'planned failure of counters',
  });
});

test('before the policies are known nobody can tell whose they are', async () => {
  await using cluster = createTestCluster();
  cluster.held.add('NetworkPolicy');
  const { log } = cluster.start();
  await waitFor('the socket', () => log.messages().includes('answering the CNI plugin'));
  expect(await cluster.ask({ op: 'counters' })).toMatchObject({ ok: false, code: 'not-ready' });
});
