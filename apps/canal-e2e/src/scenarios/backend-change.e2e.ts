/**
 * Another backend on a running cluster, by editing the ConfigMap: with the agents restarted, and followed live. Nodes
 * change at different moments, so packets may be lost in between; how many, and for how long, is measured and printed.
 */
import { expect } from 'vitest';
import { AGENT_DAEMON_SET, AGENT_NAMESPACE, allReady } from '../agents.ts';
import { eventually } from '../eventually.ts';
import { editNetConf } from '../manifest.ts';
import { identifyPods, trafficEndpoints } from '../pod-identity.ts';
import type { Pod } from '../pods.ts';
import { scenario, type ScenarioContext, world } from '../scenario.ts';
import { expectNoLoss, podOnEachNode } from '../stream-scenario.ts';
import { startTraffic, type TrafficReport } from '../traffic-stream.ts';
import type { WorldSettings } from '../world.ts';

type Backend = WorldSettings['backend'];

const CONFIG_MAP = 'canal-config';
const HOST_GW: Backend = { Type: 'host-gw' };
/** What a user would put up with while all nodes change. */
const LONGEST_GAP_MS = 15_000;
/** A kubelet looks for changes of ConfigMaps about once a minute. */
const FOLLOWED_WITHIN_MS = 150_000;

async function editBackend(backend: Backend): Promise<void> {
  const object = ['configmap', CONFIG_MAP, '-n', AGENT_NAMESPACE];
  const { stdout } = await world.kubectl(['get', ...object, '-o', 'json']);
  const { data } = JSON.parse(stdout) as { readonly data: Readonly<Record<string, string>> };
  const netConf = JSON.parse(data['net-conf.json'] ?? '') as Record<string, unknown>;
  const edited = { data: { 'net-conf.json': JSON.stringify(editNetConf(netConf, backend, [])) } };
  await world.kubectl(['patch', ...object, '--type=merge', '-p', JSON.stringify(edited)]);
}

/** What each node says of itself to the others. */
async function announcedTypes(): Promise<readonly string[]> {
  const key = String.raw`{.metadata.annotations.flannel\.alpha\.coreos\.com/backend-type}`;
  const { stdout } = await world.kubectl(['get', 'nodes', '-o', `jsonpath={range .items[*]}${key}{"\\n"}{end}`]);
  return stdout.trim().split('\n');
}

async function restartAgents(): Promise<void> {
  const daemonSet = ['-n', AGENT_NAMESPACE, `daemonset/${AGENT_DAEMON_SET}`];
  await world.kubectl(['rollout', 'restart', ...daemonSet]);
  await world.kubectl(['rollout', 'status', ...daemonSet, '--timeout=120s'], { timeoutMs: 125_000 });
}

function waitAnnounced(backend: Backend, withinMs: number): Promise<unknown> {
  return eventually(
    `all nodes to announce ${String(backend['Type'])}`,
    async () => (await announcedTypes()).every((type) => type === backend['Type']),
    { withinMs },
  );
}

function describeLoss({ streams }: TrafficReport): string {
  const sent = streams.reduce((sum, stream) => sum + stream.sent, 0);
  const lost = streams.reduce((sum, stream) => sum + stream.lost, 0);
  return `${lost} of ${sent} packets lost, traffic stopped for ${longestGapMs(streams).toFixed(0)} ms at most`;
}

function longestGapMs(streams: TrafficReport['streams']): number {
  return Math.max(...streams.map(({ longestLossMs }) => longestLossMs));
}

/** Changes to the backend under traffic, then sees that all is well on the new one. */
async function change(
  context: ScenarioContext,
  streams: readonly Pod[],
  backend: Backend,
  apply: () => Promise<void>,
): Promise<void> {
  const { control, note } = context;
  const before = await identifyPods(control, streams);
  const endpoints = await trafficEndpoints(control, streams);
  const name = `${(await announcedTypes())[0] ?? ''} to ${String(backend['Type'])}`;
  {
    await using traffic = await startTraffic(endpoints);
    await apply();
    await allReady(world, 60_000);
    await Bun.sleep(1_000);
    const report = await traffic.stop();
    note(name, describeLoss(report));
    expect(longestGapMs(report.streams)).toBeLessThan(LONGEST_GAP_MS);
  }
  await using after = await startTraffic(endpoints);
  await Bun.sleep(2_000);
  await expectNoLoss(context, after);
  expect(await identifyPods(control, streams)).toEqual(before);
}

scenario(
  'backend changed in the ConfigMap, agents restarted',
  { limitMs: 240_000, needs: ['node-control'] },
  async (context) => {
    const own = world.settings.backend;
    const streams = await podOnEachNode(context);
    context.cleanup(async () => {
      await editBackend(own);
      await restartAgents();
      await waitAnnounced(own, 30_000);
    });
    await change(context, streams, HOST_GW, async () => {
      await editBackend(HOST_GW);
      await restartAgents();
      await waitAnnounced(HOST_GW, 30_000);
    });
    const [first] = await world.nodes();
    const { stdout } = await context.control.exec(first?.name ?? '', ['ip', 'route']);
    expect(stdout, 'routes to other nodes are direct').toMatch(/^10\.244\.\d+\.0\/24 .*dev eth0/m);
    await change(context, streams, own, async () => {
      await editBackend(own);
      await restartAgents();
      await waitAnnounced(own, 30_000);
    });
  },
);

scenario(
  'backend changed in the ConfigMap, followed live',
  { limitMs: 480_000, needs: ['node-control'], long: true },
  async (context) => {
    const own = world.settings.backend;
    const streams = await podOnEachNode(context);
    context.cleanup(async () => {
      await editBackend(own);
      await waitAnnounced(own, FOLLOWED_WITHIN_MS);
    });
    await change(context, streams, HOST_GW, async () => {
      await editBackend(HOST_GW);
      await waitAnnounced(HOST_GW, FOLLOWED_WITHIN_MS);
    });
  },
);
