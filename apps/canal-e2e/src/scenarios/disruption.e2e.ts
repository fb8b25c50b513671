/**
 * What may go away while pods talk: the agent (killed, replaced, deleted) and the API server. Packets numbered between
 * pods of all nodes, a thousand a second and direction, are counted on both sides: none may be lost, and pods must be
 * the ones they were.
 */
import { type Ip, parseIp, unwrap } from 'net-types';
import { ping, withNetns } from '@canal/linux-ffi';
import { expect } from 'vitest';
import { AGENT_DAEMON_SET, AGENT_NAMESPACE, agentContainer, allReady, inSync, listAgents } from '../agents.ts';
import { eventually } from '../eventually.ts';
import { listContainers, sandboxOf } from '../node-containers.ts';
import { identifyPods, netnsOf, trafficEndpoints } from '../pod-identity.ts';
import type { Pod } from '../pods.ts';
import { compareListings, describeResidue, listNode } from '../residue.ts';
import { scenario, type ScenarioContext } from '../scenario.ts';
import { expectNoLoss, podOnEachNode } from '../stream-scenario.ts';
import { describeTraffic, lostPackets, startTraffic } from '../traffic-stream.ts';

const NEEDS = ['node-control'] as const;
const KILL_EVERY_MS = 5_000;

scenario('the meter sees a loss of 200 ms', { limitMs: 60_000, needs: NEEDS }, async (context) => {
  const { control, note } = context;
  const streams = await podOnEachNode(context);
  const [first] = streams;
  await using traffic = await startTraffic(await trafficEndpoints(control, streams));
  const table = 'table inet canal_e2e_meter';
  context.cleanup(async () => {
    await control.exec(first?.node ?? '', ['nft', `delete ${table}`], { allowFailure: true });
  });
  const chain = `chain inet canal_e2e_meter in { type filter hook prerouting priority -300; }`;
  const rule = `rule inet canal_e2e_meter in udp dport ${traffic.port} drop`;
  await control.exec(first?.node ?? '', [
    'sh',
    '-c',
    'nft "$1"; sleep 0.2; nft "$2"',
    'drop',
    `add ${table}; add ${chain}; add ${rule}`,
    `delete ${table}`,
  ]);
  await Bun.sleep(200);
  const report = await traffic.stop();
  note(
    'packets lost',
    `${lostPackets(report)}, longest gap ${Math.max(...report.streams.map(({ longestLossMs }) => longestLossMs)).toFixed(0)} ms`,
  );
  // Each stream touches the first node, as it sends or as it receives.
  const ofFirst = `stream-1 on ${first?.node ?? ''}`;
  const hit = report.streams.filter(({ from, to }) => from.startsWith(ofFirst) || to === ofFirst);
  expect(hit.length, describeTraffic(report)).toBeGreaterThanOrEqual(2);
  for (const { longestLossMs, lost } of hit) {
    expect(lost, describeTraffic(report)).toBeGreaterThan(100);
    expect(longestLossMs, describeTraffic(report)).toBeGreaterThan(180);
    expect(longestLossMs, describeTraffic(report)).toBeLessThan(1_500);
  }
});

async function killAgents(context: ScenarioContext, forMs: number): Promise<void> {
  const { world, control, note, signal } = context;
  const nodes = await world.nodes();
  const streams = await podOnEachNode(context);
  const before = await identifyPods(control, streams);
  await using traffic = await startTraffic(await trafficEndpoints(control, streams));
  let kills = 0;
  const startMs = performance.now();
  // A busy machine takes longer to start an agent again; there are as many kills all the same.
  const fewest = (nodes.length * forMs) / KILL_EVERY_MS / 2;
  while ((performance.now() < startMs + forMs || kills <= fewest) && !signal.aborted) {
    const nextMs = performance.now() + KILL_EVERY_MS;
    const killed = await Promise.all(nodes.map(({ name }) => killAgent(context, name)));
    kills += killed.filter(Boolean).length;
    await Bun.sleep(Math.max(0, nextMs - performance.now()));
  }
  const seconds = (performance.now() - startMs) / 1000;
  await allReady(world, 90_000);
  await expectNoLoss(context, traffic);
  note('agents killed', `${kills} times on ${nodes.length} nodes in ${seconds.toFixed(0)} s`);
  expect(kills).toBeGreaterThan(fewest);
  expect(await identifyPods(control, streams)).toEqual(before);
}

/** False when there was none to kill: kubelet waits longer after each crash, so its pod is replaced, which starts anew. */
async function killAgent({ world, control }: ScenarioContext, node: string): Promise<boolean> {
  const agent = await agentContainer(control, node);
  if (agent !== undefined) {
    await control.exec(node, ['kill', '-9', String(agent.pid)], { allowFailure: true });
    return true;
  }
  const pods = (await listAgents(world)).filter((each) => each.node === node && each.restarts > 0);
  const names = pods.map(({ name }) => name);
  if (names.length > 0) {
    await world.kubectl([
      'delete',
      'pod',
      '-n',
      AGENT_NAMESPACE,
      '--grace-period=0',
      '--force',
      '--wait=false',
      ...names,
    ]);
  }
  return false;
}

scenario('agents killed every 5 s for 20 s under traffic', { limitMs: 150_000, needs: NEEDS }, (context) =>
  killAgents(context, 20_000),
);

scenario(
  'agents killed every 5 s for 2 minutes under traffic',
  { limitMs: 300_000, needs: NEEDS, long: true },
  (context) => killAgents(context, 120_000),
);

scenario('rolling update of the agents under traffic', { limitMs: 180_000, needs: NEEDS }, async (context) => {
  const { world, control, note } = context;
  const streams = await podOnEachNode(context);
  const before = await identifyPods(control, streams);
  const agentsBefore = await listAgents(world);
  await using traffic = await startTraffic(await trafficEndpoints(control, streams));
  const startMs = performance.now();
  await world.kubectl(['rollout', 'restart', '-n', AGENT_NAMESPACE, `ds/${AGENT_DAEMON_SET}`]);
  await world.kubectl(['rollout', 'status', '-n', AGENT_NAMESPACE, `ds/${AGENT_DAEMON_SET}`, '--timeout=120s'], {
    timeoutMs: 125_000,
  });
  note('rolling update', `${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  await allReady(world);
  await Bun.sleep(1_000);
  await expectNoLoss(context, traffic);
  const uids = new Set(agentsBefore.map(({ uid }) => uid));
  expect((await listAgents(world)).filter(({ uid }) => uids.has(uid))).toEqual([]);
  expect(await identifyPods(control, streams)).toEqual(before);
});

scenario(
  'kubectl delete -f leaves the traffic of running pods alone',
  { limitMs: 240_000, needs: NEEDS },
  async (context) => {
    const { world, control, note } = context;
    const streams = await podOnEachNode(context);
    const before = await identifyPods(control, streams);
    const { manifest } = world.settings;
    await using traffic = await startTraffic(await trafficEndpoints(control, streams));
    const install = async (): Promise<void> => {
      await world.kubectl(['apply', '-f', manifest], { timeoutMs: 60_000 });
      await allReady(world, 90_000);
    };
    let isInstalled = false;
    context.cleanup(async () => {
      if (!isInstalled) await install();
    });
    await world.kubectl(['delete', '-f', manifest, '--wait', '--timeout=90s'], { timeoutMs: 95_000 });
    for (const { name } of await world.nodes()) expect(await agentContainer(control, name)).toBeUndefined();
    await Bun.sleep(5_000);
    const startMs = performance.now();
    await install();
    isInstalled = true;
    note('applied again', `all Ready after ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
    await Bun.sleep(1_000);
    await expectNoLoss(context, traffic);
    expect(await identifyPods(control, streams)).toEqual(before);
  },
);

async function withoutApiServer(context: ScenarioContext, forMs: number): Promise<void> {
  const { world, control, note, pods } = context;
  const [first, second] = await world.nodes();
  if (first === undefined || second === undefined) throw new Error('the scenario needs two nodes');
  const streams = await podOnEachNode(context);
  const [scheduled] = await pods.create([{ name: 'scheduled', node: second.name }]);
  if (scheduled === undefined) throw new Error('no pod was made');
  const sandbox = await sandboxOf(control, scheduled);
  const agent = await agentContainer(control, first.name);
  const kernel = await listNode(control, first.name);
  await using traffic = await startTraffic(await trafficEndpoints(control, streams));

  context.cleanup(() => control.startApiServer());
  await control.stopApiServer();
  const startMs = performance.now();
  const sinceStart = (): string => `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
  await control.exec(second.name, ['kill', '-9', String(sandbox.pid)]);
  await control.exec(first.name, ['kill', '-9', String(agent?.pid)]);
  await eventually(
    'the kubelet to start the agent again, without the API server',
    async () => {
      const now = await agentContainer(control, first.name);
      return now !== undefined && now.id !== agent?.id;
    },
    { withinMs: 60_000 },
  );
  note('agent runs again', sinceStart());
  const ip = await eventually(
    'the scheduled pod to run in a new sandbox, without the API server',
    () => restartedIp(context, scheduled, sandbox.id),
    { withinMs: 60_000 },
  );
  note('scheduled pod runs again', sinceStart());
  const peer = await sandboxOf(control, streams[0] ?? scheduled);
  await eventually(
    'an echo of the scheduled pod from the other node',
    async () => (await ping({ to: ip, netns: netnsOf(peer.pid) })).ok,
    { withinMs: 10_000 },
  );
  await Bun.sleep(Math.max(0, forMs - (performance.now() - startMs)));
  const change = compareListings(kernel, await listNode(control, first.name));
  expect(change, `the restarted agent changed the node:\n${describeResidue(change)}`).toEqual({
    added: [],
    removed: [],
  });
  await control.startApiServer();
  note('API server away', sinceStart());
  const backMs = performance.now();
  await Promise.all([first, second].map(({ name }) => inSync(control, name, 60_000)));
  note('agents in sync after', `${((performance.now() - backMs) / 1000).toFixed(1)} s`);
  await expectNoLoss(context, traffic);
  const reported = await eventually(
    'the API server to know the new address of the scheduled pod',
    async () => {
      const { stdout } = await world.kubectl([
        'get',
        'pod',
        '-n',
        scheduled.namespace,
        scheduled.name,
        '-o',
        'jsonpath={.status.podIPs[*].ip}',
      ]);
      return stdout
        .split(' ')
        .map((text) => unwrap(parseIp(text)))
        .includes(ip);
    },
    { withinMs: 30_000 },
  );
  expect(reported).toBe(true);
}

/** The address of a pod whose sandbox was killed, once its container runs in a new one. */
async function restartedIp(
  { control }: ScenarioContext,
  { node, namespace, name }: Pod,
  before: string,
): Promise<Ip | undefined> {
  const containers = (await listContainers(control, node, { namespace })).filter(({ pod }) => pod === name);
  const sandbox = containers.find(({ kind, id, pid }) => kind === 'sandbox' && id !== before && pid !== undefined);
  const isRunning = containers.some(({ kind, pid }) => kind === 'container' && pid !== undefined);
  if (sandbox?.pid === undefined || !isRunning) return undefined;
  const { stdout } = withNetns(netnsOf(sandbox.pid), () => Bun.spawnSync(['ip', '-j', 'addr', 'show', 'dev', 'eth0']));
  const links = JSON.parse(stdout.toString()) as { addr_info: { local: string; scope: string }[] }[];
  const address = links.flatMap(({ addr_info }) => addr_info).find(({ scope }) => scope === 'global');
  return address === undefined ? undefined : unwrap(parseIp(address.local));
}

scenario('API server away for 20 s', { limitMs: 180_000, needs: NEEDS }, (context) =>
  withoutApiServer(context, 20_000),
);

scenario('API server away for 5 minutes', { limitMs: 480_000, needs: NEEDS, long: true }, (context) =>
  withoutApiServer(context, 300_000),
);
