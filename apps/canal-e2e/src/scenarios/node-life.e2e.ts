/** The life of a node: it comes, is drained, loses its Node object, goes, reboots; its kubelet and runtime restart. */
import { expect } from 'vitest';
import { agentImage, allReady, readyByNode } from '../agents.ts';
import { eventually } from '../eventually.ts';
import { copyImage } from '../node-containers.ts';
import { accountOf, doubledInApi, faultsOf } from '../pod-addresses.ts';
import { identifyPods, trafficEndpoints } from '../pod-identity.ts';
import type { Pod } from '../pods.ts';
import { listNode } from '../residue.ts';
import { expectNoLoss, podOnEachNode } from '../stream-scenario.ts';
import { scenario, type ScenarioContext } from '../scenario.ts';
import { startTraffic } from '../traffic-stream.ts';
import type { NodeControl } from '../world.ts';

const NEEDS = ['node-control'] as const;

/** HTTP both ways between two pods, with a few tries: routes to a node that has just come take a moment. */
async function expectTalk(a: Pod, b: Pod): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const url = `${to.ip()}:${to.httpPort}`;
    await eventually(
      `${from.name} on ${from.node} to reach ${to.name} on ${to.node}`,
      async () => {
        await from.exec(['/agnhost', 'connect', url, '--timeout=2s']);
        return true;
      },
      { withinMs: 20_000 },
    );
  }
}

/** Reservations, running sandboxes and the API server agree; a killed sandbox may take a moment to be cleared away. */
async function expectSoundAddresses({ world, control }: ScenarioContext, node: string): Promise<void> {
  const none = { leaked: [], unreserved: [], doubled: [] };
  await eventually(
    `the addresses of ${node} to be in order`,
    async () => {
      const faults = faultsOf(await accountOf(control, node));
      if (Object.values(faults).flat().length > 0) throw new Error(JSON.stringify(faults));
      return true;
    },
    { withinMs: 30_000 },
  );
  expect(faultsOf(await accountOf(control, node))).toEqual(none);
  expect(await doubledInApi(world)).toEqual([]);
}

scenario(
  'node added, drained, its object deleted and made again, removed',
  { limitMs: 300_000, needs: NEEDS },
  async (context) => {
    const { world, control, note, pods } = context;
    const [first] = await world.nodes();
    if (first === undefined) throw new Error('the cluster has no node');
    const [old] = await pods.create([{ name: 'old', node: first.name }]);
    if (old === undefined) throw new Error('no pod was made');
    const routesBefore = routesOf(await listNode(control, first.name));

    let startMs = performance.now();
    const node = await control.addNode();
    let isThere = true;
    context.cleanup(async () => {
      if (isThere) await control.removeNode(node);
    });
    await copyImage(control, await agentImage(world), first.name, node);
    await allReady(world, 90_000);
    note('added to Ready', seconds(startMs));
    const [young] = await pods.create([{ name: 'young', node }]);
    if (young === undefined) throw new Error('no pod was made');
    await expectTalk(old, young);

    startMs = performance.now();
    await world.kubectl(['drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=60s'], {
      timeoutMs: 65_000,
    });
    note('drained', seconds(startMs));
    await eventually(
      'the drained node to hold no pod address',
      async () => (await accountOf(control, node)).reserved.size === 0,
      { withinMs: 20_000 },
    );
    const links = [...(await listNode(control, node))].filter((line) => line.startsWith('link cnl'));
    expect(links).toEqual([]);

    const cidrsBefore = (await world.nodes()).find(({ name }) => name === node)?.podCidrs;
    startMs = performance.now();
    await world.kubectl(['delete', 'node', node]);
    await control.restart(node, 'kubelet');
    await eventually('the node to be registered again and Ready', async () => (await readyByNode(world)).get(node), {
      withinMs: 60_000,
    });
    await allReady(world);
    note('object made again', seconds(startMs));
    const cidrs = (await world.nodes()).find(({ name }) => name === node)?.podCidrs;
    note('pod subnet before and after', `${cidrsBefore?.join(',') ?? ''} ${cidrs?.join(',') ?? ''}`);
    const [again] = await pods.create([{ name: 'again', node }]);
    if (again === undefined) throw new Error('no pod was made');
    await expectTalk(old, again);
    await expectSoundAddresses(context, node);
    await pods.delete([again]);

    await control.removeNode(node);
    isThere = false;
    await eventually(
      'the routes to the removed node to go',
      async () => {
        const left = [...routesOf(await listNode(control, first.name))].filter((line) => !routesBefore.has(line));
        if (left.length > 0) throw new Error(left.join('\n'));
        return true;
      },
      { withinMs: 20_000 },
    );
  },
);

function routesOf(listing: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...listing].filter((line) => /^(?:route|neighbour|nexthop) /u.test(line)));
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}

scenario(
  'node rebooted: its pods return, no address leaks or is given twice',
  { limitMs: 240_000, needs: NEEDS },
  async (context) => {
    const { world, control, note, pods } = context;
    const [first, second] = await world.nodes();
    if (first === undefined || second === undefined) throw new Error('the scenario needs two nodes');
    const [peer, ...rebooted] = await pods.create([
      { name: 'peer', node: first.name },
      ...Array.from({ length: 5 }, (_, index) => ({ name: `pod-${index + 1}`, node: second.name })),
    ]);
    if (peer === undefined) throw new Error('no pod was made');
    const before = await accountOf(control, second.name);
    const identities = await identifyPods(control, rebooted);
    const bootId = await bootIdOf(control, second.name);

    let startMs = performance.now();
    await control.reboot(second.name);
    note('down and up', seconds(startMs));
    expect(await bootIdOf(control, second.name)).not.toBe(bootId);
    startMs = performance.now();
    await eventually(
      'the pods to run in new sandboxes',
      async () => {
        const now = await identifyPods(control, rebooted);
        return now.every(({ sandbox }, index) => sandbox !== identities[index]?.sandbox);
      },
      { withinMs: 90_000, everyMs: 1_000 },
    );
    await allReady(world, 60_000);
    const names = rebooted.map(({ name }) => `pod/${name}`);
    await world.kubectl(['wait', '-n', peer.namespace, '--for=condition=Ready', '--timeout=60s', ...names], {
      timeoutMs: 65_000,
    });
    note('pods back', seconds(startMs));

    await expectSoundAddresses(context, second.name);
    const after = await accountOf(control, second.name);
    expect([...after.used.keys()].length).toBe([...before.used.keys()].length);
    // A kubelet that has just come tells the API server of a pod's new address a little after the pod has it.
    const returned = await eventually(
      'the API server to know the addresses that the pods have now',
      async () => {
        const now = await refreshed(context, rebooted);
        return now.every(({ ips }) => ips.length > 0 && ips.every((ip) => after.used.has(ip))) && now;
      },
      { withinMs: 30_000 },
    );
    for (const pod of returned) await expectTalk(peer, pod);
  },
);

async function bootIdOf(control: NodeControl, node: string): Promise<string> {
  return (await control.exec(node, ['cat', '/proc/sys/kernel/random/boot_id'])).stdout.trim();
}

/** The same pods with the addresses that they have now. */
async function refreshed({ world }: ScenarioContext, pods: readonly Pod[]): Promise<readonly Pod[]> {
  return await Promise.all(
    pods.map(async (pod) => {
      const { stdout } = await world.kubectl([
        'get',
        'pod',
        '-n',
        pod.namespace,
        pod.name,
        '-o',
        'jsonpath={.status.podIPs[*].ip}',
      ]);
      const ips = stdout.split(' ').filter((ip) => ip !== '');
      return { ...pod, ips, ip: () => ips[0] ?? '' };
    }),
  );
}

scenario('kubelet and containerd restarted under traffic', { limitMs: 180_000, needs: NEEDS }, async (context) => {
  const { world, control, note } = context;
  const streams = await podOnEachNode(context);
  const before = await identifyPods(control, streams);
  const [node] = await world.nodes();
  if (node === undefined) throw new Error('the cluster has no node');
  await using traffic = await startTraffic(await trafficEndpoints(control, streams));
  for (const component of ['kubelet', 'containerd'] as const) {
    const startMs = performance.now();
    await control.restart(node.name, component);
    await allReady(world);
    note(`${component} restarted`, seconds(startMs));
    await Bun.sleep(2_000);
  }
  await expectNoLoss(context, traffic);
  expect(await identifyPods(control, streams)).toEqual(before);
  const [late] = await context.pods.create([{ name: 'late', node: node.name }]);
  if (late === undefined || streams[1] === undefined) throw new Error('no pod was made');
  await expectTalk(late, streams[1]);
});
