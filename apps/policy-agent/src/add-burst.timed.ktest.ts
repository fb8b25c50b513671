/** The real program on a real kernel: how long plugins wait for it. Runs by itself: what it measures is the machine's, too. */
import type { AgentStatusMessage } from '@canal/agent-protocol';
import { NETWORK_POLICIES, PODS } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { createAgentNode, NODE_NAME } from './testing/agent-node.ts';
import { ingressPolicy } from './testing/test-cluster.ts';

test('a burst of 110 pods: p99 of the round trip', async () => {
  await using world = await createAgentNode();
  await world.start();
  const names = Array.from({ length: 110 }, (_, index) => `burst-${index}`);
  const uids = await Promise.all(
    names.map(async (name) => {
      const created = await world.store.create(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', labels: { app: index(name) % 2 === 0 ? 'web' : 'other' } },
        spec: { nodeName: NODE_NAME, containers: [{ name: 'c', image: 'i' }] },
      });
      return created.metadata.uid ?? '';
    }),
  );
  for (const name of ['web', 'other']) await world.store.create(NETWORK_POLICIES, ingressPolicy(name));
  await waitFor('the pods', async () => {
    const answer = await world.ask({ op: 'status' });
    const { streams } = (answer.ok ? answer.value : { streams: [] }) as AgentStatusMessage;
    return streams.some(({ kind, objects }) => kind === 'Pod' && objects === names.length + 2);
  });
  const times: number[] = [];
  const add = async (name: string): Promise<void> => {
    const number = index(name);
    const { endpoint } = world.web.request;
    const startedMs = performance.now();
    const answer = await world.ask({
      op: 'add-endpoint',
      endpoint: {
        ...endpoint,
        containerId: name,
        hostInterface: `cnl${String(number).padStart(11, '0')}`,
        addresses: [`10.244.9.${number + 1}`],
        pod: { namespace: 'default', name, uid: uids[number] ?? '' },
      },
    });
    times.push(performance.now() - startedMs);
    expect(answer).toEqual({ ok: true, value: { state: 'policed' } });
  };
  // As fast as two processors start plugins: each takes some 9 ms.
  const adding: Promise<void>[] = [];
  for (const name of names) {
    adding.push(add(name));
    await Bun.sleep(4);
  }
  await Promise.all(adding);
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1);
  process.stderr.write(`110 endpoints: median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms\n`);
  // The figure to hold, 20 ms, is in docs/benchmarks.md; these are for a machine that does other things as well.
  expect(Number(at(0))).toBeLessThan(20);
  expect(Number(at(0.5))).toBeLessThan(200);
  expect(Number(at(0.99))).toBeLessThan(100);
  const all = await Promise.all(names.map((name) => world.ask({ op: 'delete-endpoint', key: `${name}/eth0` })));
  expect(all.every(({ ok }) => ok)).toBe(true);

  function index(name: string): number {
    return Number(name.split('-')[1]);
  }
}, 60_000);
