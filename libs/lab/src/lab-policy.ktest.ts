/** NetworkPolicy in a lab: the agents that ship, the plugin that ships, and what becomes of both when an agent dies. */
import { existsSync } from 'node:fs';
import { NETWORK_POLICIES } from '@canal/store-port';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { probeFlow } from './flow-probe.ts';
import { createLab, type Lab } from './lab.ts';
import { type LabSpec } from './lab-spec.ts';
import { checkPolicyAgent } from './policy-readiness.ts';
import { type PodRecord } from './sandboxes.ts';
import { createTestLab, testOptions } from './testing/test-lab.ts';
import { waitFor } from './wait.ts';

const isOpen = async (from: PodRecord, to: PodRecord, timeoutMs = 1000): Promise<boolean> => {
  const [ip] = to.ips;
  if (ip === undefined) throw new Error(`${to.name} has no address`);
  return (await probeFlow({ protocol: 'tcp', client: from.netns, server: to.netns, to: ip, timeoutMs })).ok;
};

/** Throws when it does not become so soon. */
async function becomes(from: PodRecord, to: PodRecord, expected: boolean): Promise<void> {
  const end = performance.now() + 15_000;
  while ((await isOpen(from, to, 200)) !== expected) {
    if (performance.now() > end)
      throw new Error(`${from.name} → ${to.name} did not become ${expected ? 'open' : 'shut'}`);
  }
}

const ISOLATED = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'only-friends', namespace: 'default' },
  spec: {
    podSelector: { matchLabels: { role: 'server' } },
    policyTypes: ['Ingress'],
    ingress: [{ from: [{ podSelector: { matchLabels: { role: 'friend' } } }] }],
  },
};

describe.each<Partial<LabSpec>>([{ podMode: 'routed' }, { podMode: 'bridge' }, { ipFamily: 'ipv6' }])(
  'NetworkPolicy in a lab with %j',
  (tweak) => {
    let lab: Lab;
    let server: PodRecord;
    let friend: PodRecord;
    let stranger: PodRecord;
    let near: PodRecord;
    beforeAll(async () => {
      lab = await createTestLab({ nodes: 2, podsPerNode: 0, ...tweak });
      const pod = (name: string, node: string, role: string): Promise<PodRecord> =>
        lab.addPod({ name, node, labels: { role } });
      server = await pod('server', 'node1', 'server');
      friend = await pod('friend', 'node2', 'friend');
      stranger = await pod('stranger', 'node2', 'stranger');
      near = await pod('near', 'node1', 'stranger');
    });
    afterAll(async () => {
      await lab.down();
    });

    const agentOf = async (node: string): Promise<number> => {
      const found = (await lab.status()).nodes.find(({ name }) => name === node)?.policyAgent;
      if (found?.pid === undefined) throw new Error(`no policy agent on ${node}`);
      return found.pid;
    };

    test('takes effect when it is applied, and ends with its deletion', async () => {
      for (const client of [friend, stranger, near]) expect(await isOpen(client, server)).toBe(true);
      await lab.store.create(NETWORK_POLICIES, ISOLATED);
      for (const client of [stranger, near]) await becomes(client, server, false);
      expect(await isOpen(friend, server)).toBe(true);
      await lab.store.delete(NETWORK_POLICIES, 'only-friends', 'default');
      for (const client of [stranger, near]) await becomes(client, server, true);
    });

    test('holds without the agent; no pod is added then, and none is kept from going', async () => {
      await lab.store.create(NETWORK_POLICIES, ISOLATED);
      await becomes(stranger, server, false);
      const pid = await agentOf('node1');
      process.kill(pid, 'SIGKILL');
      await waitFor('its end', { timeoutMs: 5000 }, () => (existsSync(`/proc/${pid}/exe`) ? undefined : true));
      expect(await isOpen(stranger, server, 300)).toBe(false);
      expect(await isOpen(friend, server)).toBe(true);
      await expect(lab.addPod({ name: 'late', node: 'node1' })).rejects.toThrow('the policy agent does not run');
      // The node is not called unready for it: what is not known to the rules is closed.
      await lab.runtimeOf('node1').status();
      expect(lab.pods().map(({ name }) => name)).not.toContain('late');
      await lab.removePod(near);
      expect((await lab.status()).healthy).toBe(false);
      const healed = await createLab(lab.spec, testOptions());
      expect((await healed.status()).healthy).toBe(true);
      // Who healed the lab may ask it, and add pods, at once.
      await checkPolicyAgent(lab.pathsOf('node1').policySocket);
      await lab.runtimeOf('node1').status();
      const late = await lab.addPod({ name: 'late', node: 'node1', labels: { role: 'friend' } });
      // Its address comes to the agents by the API server.
      await becomes(late, server, true);
      expect(await isOpen(stranger, server, 300)).toBe(false);
    });

    test('a pod is policed from its ADD on: as soon as it is there, and before the API server knows its addresses', async () => {
      const pods = await lab.addPods(
        Array.from({ length: 6 }, (_, index) => ({ name: `s${index}`, node: 'node1', labels: { role: 'server' } })),
      );
      const results = await Promise.all(pods.map((pod) => isOpen(stranger, pod, 300)));
      expect(results).toEqual(pods.map(() => false));
      // With the protection gone the very same are open.
      await lab.store.delete(NETWORK_POLICIES, 'only-friends', 'default');
      for (const pod of pods) await becomes(stranger, pod, true);
    });
  },
);

test('a lab without policy runs no policy agent, and its pods no policy', async () => {
  const lab = await createTestLab({ nodes: 1, podsPerNode: 2, policy: 'off' });
  try {
    const status = await lab.status();
    expect(status.healthy).toBe(true);
    expect(status.nodes.map(({ policyAgent }) => policyAgent)).toEqual([undefined]);
    const [a, b] = lab.pods();
    await lab.store.create(NETWORK_POLICIES, { ...ISOLATED, spec: { podSelector: {}, policyTypes: ['Ingress'] } });
    expect(await isOpen(a!, b!)).toBe(true);
  } finally {
    await lab.down();
  }
});
