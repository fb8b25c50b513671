/**
 * The agent as it ships (dist/canal, or CANAL_BINARY) in clusters of several sizes: time to readiness, memory, CPU when
 * idle, from a pod's new label to the kernel, and the round trip of 110 endpoints. Prints one row a size. Needs root.
 */
import { readFileSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import type { EndpointMessage } from '@canal/agent-protocol';
import { NETLINK_NETFILTER } from '@canal/linux-ffi';
import { NETWORK_POLICIES, PODS, type Store } from '@canal/store-port';
import { createNetlinkConnection, getNftGeneration } from 'netlink-ts';
import { type AgentNode, createAgentNode, NODE_NAME } from './testing/agent-node.ts';
import { ingressPolicy } from './testing/test-cluster.ts';

const CANAL = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../dist/canal');
/** Objects of the cluster. */
interface Size {
  readonly pods: number;
  readonly policies: number;
}

const SIZES: readonly Size[] = [
  { pods: 100, policies: 10 },
  { pods: 1_000, policies: 100 },
  { pods: 10_000, policies: 1_000 },
  { pods: 100_000, policies: 1_000 },
  { pods: 150_000, policies: 10_000 },
];
/** As many as a node has by default. */
const LOCAL_PODS = 110;
const ROUNDS = 20;
const START_LIMIT_MS = 300_000;
const SETTLED_MS = 250;
const IDLE_MS = 10_000;
const CREATED_AT_ONCE = 50;
/** A Pod of a real cluster is 5 to 15 KB; most of it is of no use to the agent. */
const PADDING = 'x'.repeat(5_000);

async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  for (let first = 0; first < count; first += CREATED_AT_ONCE) {
    const indexes = Array.from({ length: Math.min(CREATED_AT_ONCE, count - first) }, (_, offset) => first + offset);
    await Promise.all(indexes.map(work));
  }
}

/** Each pod is in the set of one policy and selected by another. */
async function fill(store: Store, { pods, policies }: Size): Promise<void> {
  await inParallel(policies, (index) => store.create(NETWORK_POLICIES, ingressPolicy(`p${index}`)));
  await inParallel(pods, async (index) => {
    const name = `pod-${index}`;
    const labels = { app: `p${index % policies}`, may: `p${(index * 7) % policies}` };
    const spec = { nodeName: `node-${index % 100}`, containers: [{ name: 'c', image: 'i' }] };
    const metadata = { name, namespace: 'default', labels, annotations: { padding: PADDING } };
    await store.create(PODS, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
    const ip = `10.${200 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
    const status = { podIP: ip, podIPs: [{ ip }], phase: 'Running' };
    await store.mergePatch(PODS, name, { status }, { namespace: 'default', subresource: 'status' });
  });
}

/** Pods of this node, selected by policies and in their sets, as the plugin announces them. */
async function localPods(node: AgentNode, prefix: string, { policies }: Size): Promise<readonly EndpointMessage[]> {
  const endpoints: EndpointMessage[] = [];
  await inParallel(LOCAL_PODS, async (index) => {
    const name = `${prefix}-${index}`;
    const metadata = { name, namespace: 'default', labels: { app: `p${index % policies}` } };
    const spec = { nodeName: NODE_NAME, containers: [{ name: 'c', image: 'i' }] };
    const created = await node.store.create(PODS, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
    endpoints[index] = {
      ...node.web.request.endpoint,
      containerId: name,
      hostInterface: `cnl${prefix.slice(0, 1)}${String(index).padStart(10, '0')}`,
      addresses: [`10.244.${prefix === 'old' ? 8 : 9}.${index + 1}`],
      pod: { namespace: 'default', name, uid: created.metadata.uid ?? '' },
    };
  });
  return endpoints;
}

/** Milliseconds of each round trip. */
async function burst(node: AgentNode, endpoints: readonly EndpointMessage[]): Promise<number[]> {
  // The watch has told of them.
  await Bun.sleep(1_000);
  const times: number[] = [];
  const adding = endpoints.map(async (endpoint, index) => {
    // As fast as two processors start plugins.
    await Bun.sleep(index * 5);
    const startedMs = performance.now();
    const answer = await node.ask({ op: 'add-endpoint', endpoint });
    times.push(performance.now() - startedMs);
    if (!answer.ok) throw new Error(answer.message);
  });
  await Promise.all(adding);
  return times.sort((a, b) => a - b);
}

interface LabelTimes {
  /** From the request. */
  readonly kernel: readonly number[];
  /** To the API server's answer: it tells its watches at about that time. */
  readonly answer: readonly number[];
}

/** From a label that puts the client into a set of the web pod's policy, or takes it out, to the kernel. */
async function labelToKernel(node: AgentNode): Promise<LabelTimes> {
  const kernel: number[] = [];
  const answer: number[] = [];
  // Kept open: who closes one waits for what the kernel has still to free of the last change, some 15 ms.
  using netfilter = createNetlinkConnection(() => node.netns.openSocket({ protocol: NETLINK_NETFILTER }));
  for (let round = 0; round < ROUNDS; round++) {
    const before = getNftGeneration(netfilter);
    const startedMs = performance.now();
    const labels = { may: round % 2 === 0 ? 'web' : 'nobody' };
    const patched = node.store.mergePatch(PODS, 'client', { metadata: { labels } }, { namespace: 'default' });
    const answered = patched.then(() => answer.push(performance.now() - startedMs));
    while (getNftGeneration(netfilter) === before) await Bun.sleep(0.2);
    kernel.push(performance.now() - startedMs);
    await answered;
    // Flows are judged behind it.
    await Bun.sleep(SETTLED_MS);
  }
  return { kernel: kernel.sort((a, b) => a - b), answer: answer.sort((a, b) => a - b) };
}

const at = (times: readonly number[], share: number): string =>
  (times[Math.floor(share * (times.length - 1))] ?? Number.NaN).toFixed(1);

/** Milliseconds of an operation since the agent started, from its histogram. */
function spentMs(metrics: string, operation: string): string {
  const sum = new RegExp(`^canal_dataplane_apply_seconds_sum\\{operation="${operation}"\\} (\\S+)$`, 'm').exec(metrics);
  return (Number(sum?.[1]) * 1_000).toFixed(0);
}

async function measure(size: Size): Promise<Record<string, string>> {
  await using node = await createAgentNode([CANAL]);
  await fill(node.store, size);
  await node.store.create(NETWORK_POLICIES, ingressPolicy('web'));
  for (const endpoint of await localPods(node, 'old', size)) node.record(endpoint);
  const startedMs = performance.now();
  await node.start(START_LIMIT_MS);
  const readyMs = performance.now() - startedMs;
  const startCpu = cpuSeconds(node.pid);
  const startMetrics = node.probe('/metrics').body;
  const startRss = residentBytes(node.pid);
  for (const pod of [node.web, node.client]) await node.add(pod);
  const adds = await burst(node, await localPods(node, 'new', size));
  const labels = await labelToKernel(node);
  const before = cpuSeconds(node.pid);
  await Bun.sleep(IDLE_MS);
  const idle = (cpuSeconds(node.pid) - before) / (IDLE_MS / 1000);
  const rss = residentBytes(node.pid);
  await node.kill();
  const restartedMs = performance.now();
  await node.start(START_LIMIT_MS);
  const restartMs = performance.now() - restartedMs;
  return {
    pods: String(size.pods),
    policies: String(size.policies),
    'ready ms': readyMs.toFixed(0),
    'of it compile ms': spentMs(startMetrics, 'compile'),
    'apply ms': spentMs(startMetrics, 'resync'),
    'CPU s': startCpu.toFixed(2),
    'RSS then MiB': mebibytes(startRss),
    'RSS later MiB': mebibytes(rss),
    'idle CPU %': (idle * 100).toFixed(2),
    'ADD p50 ms': at(adds, 0.5),
    'ADD p99 ms': at(adds, 0.99),
    'label to kernel p50 ms': at(labels.kernel, 0.5),
    'p95 ms': at(labels.kernel, 0.95),
    'of it to the answer p50 ms': at(labels.answer, 0.5),
    'ready again ms': restartMs.toFixed(0),
  };
}

const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);

/** proc(5): utime and stime in ticks of a hundredth of a second, behind the name in brackets. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) * 1024;
}

for (const size of SIZES) {
  const row = await measure(size);
  const text = Object.entries(row).map(([name, value]) => `${name} ${value}`);
  writeSync(1, `${text.join(' | ')}\n`);
}
