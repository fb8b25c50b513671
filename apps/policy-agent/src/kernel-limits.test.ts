import { expect, test } from 'vitest';
import { ageComplaints } from './kernel-limits.ts';
import { addRequest, createTestCluster } from './testing/test-cluster.ts';

test('a kernel that cannot guard pods on a bridge: ADD of one is refused with the cure, a routed one is policed', async () => {
  await using cluster = createTestCluster();
  cluster.kernel.lacks = [
    { code: 'arp-unguarded', message: 'no ARP guard' },
    { code: 'bridge-isolated', message: 'no bridge guard. Cure: one' },
  ];
  const { agent } = await cluster.startReady();
  expect(agent.readyz()).toMatchObject({ ok: true, text: expect.stringContaining('Cure: one') as string });
  const uid = await cluster.createPod('web');
  const routed = addRequest({ containerId: 'c1', address: '10.244.1.10', pod: { name: 'web', uid } });
  if (routed.op !== 'add-endpoint') throw new Error('an ADD');
  expect(await cluster.ask(routed)).toEqual({ ok: true, value: { state: 'policed' } });
  const bridged = { ...routed, endpoint: { ...routed.endpoint, containerId: 'c2', mode: 'bridge' } } as const;
  expect(await cluster.ask(bridged)).toEqual({ ok: false, code: 'kernel', message: 'no bridge guard. Cure: one' });
  // With a kernel that can, it is as any other.
  cluster.kernel.lacks = [];
  expect(await cluster.ask(bridged)).toEqual({ ok: true, value: { state: 'policed' } });
});

test.each([
  ['4.18.0-553.el8', ['own-traffic', 'forged-node']],
  ['5.2.21', ['own-traffic', 'forged-node']],
  ['5.4.0-generic', ['forged-node']],
  ['5.5.0', []],
  ['5.15.0', []],
  ['6.1.0', []],
])('what Linux %s passes over in silence', (release, keys) => {
  const complaints = ageComplaints(release);
  expect(complaints.map(({ key }) => key)).toEqual(keys);
  for (const { event, message } of complaints) {
    expect(event).toBe('KernelTooOld');
    expect(message).toContain(`Linux ${release}: `);
  }
});
