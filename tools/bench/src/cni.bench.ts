/**
 * CNI ADD and DEL: canal's plugin (routed and bridge mode) against Debian's bridge + host-local with the configuration
 * that flannel's plugin would give them. Each is executed as libcni does: one process a call, configuration on stdin,
 * inside a namespace that plays the node. Pod namespaces are made beforehand: they are the runtime's cost, not ours.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createNetns, removeNetns, withNetns } from '@canal/linux-ffi';
import { compare, type Contender, type Figures } from './comparison.ts';
import { type BenchPolicyAgent, startBenchPolicyAgent } from './bench-policy-agent.ts';
import { quantile } from './statistics.ts';

const CANAL = fileURLToPath(new URL('../../../dist/canal', import.meta.url));
const PEER_DIR = '/usr/lib/cni';
const SERIAL_PODS = 200;
const PARALLEL = 20;
const BURST_PODS = 250;
const ROUNDS = 5;

interface Plugin {
  readonly name: string;
  readonly executable: string;
  readonly policy: 'required' | 'off';
  config(folder: string): Record<string, unknown>;
}

const canal = (mode: 'routed' | 'bridge', policy: 'required' | 'off' = 'off'): Plugin => ({
  name: policy === 'required' ? `canal ${mode}, policy agent` : `canal ${mode}`,
  policy,
  executable: CANAL,
  config: (folder) => ({
    cniVersion: '1.0.0',
    name: 'bench',
    type: 'canal',
    mode,
    isDefaultGateway: true,
    hairpinMode: true,
    subnetFile: `${folder}/subnet.env`,
    dataDir: `${folder}/networks`,
    stateDir: `${folder}/state`,
    policy,
    policySocket: `${folder}/run/policy.sock`,
  }),
});

const peer: Plugin = {
  name: 'bridge + host-local',
  policy: 'off',
  executable: `${PEER_DIR}/bridge`,
  config: (folder) => ({
    cniVersion: '1.0.0',
    name: 'bench',
    type: 'bridge',
    bridge: 'cni0',
    isDefaultGateway: true,
    hairpinMode: true,
    mtu: 1450,
    ipam: {
      type: 'host-local',
      dataDir: `${folder}/networks`,
      ranges: [[{ subnet: '10.244.2.0/23' }]],
      routes: [{ dst: '10.244.0.0/16' }],
    },
  }),
};

/** A node for one round: a namespace, folders, and pod namespaces ready for use. */
class BenchNode implements AsyncDisposable {
  readonly folder = mkdtempSync(`${tmpdir()}/canal-bench-`);
  readonly netns = `/run/netns/bench-${process.pid}-node`;
  readonly pods: readonly string[];
  readonly #plugin: Plugin;
  readonly #config: Uint8Array;
  #policyAgent: BenchPolicyAgent | undefined;

  constructor(plugin: Plugin, pods: number) {
    this.#plugin = plugin;
    this.#config = new TextEncoder().encode(JSON.stringify(plugin.config(this.folder)));
    mkdirSync('/run/netns', { recursive: true });
    createNetns(this.netns);
    this.pods = Array.from({ length: pods }, (_, index) => `/run/netns/bench-${process.pid}-${index}`);
    for (const pod of this.pods) createNetns(pod);
    writeFileSync(
      `${this.folder}/subnet.env`,
      'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.2.1/23\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
    );
  }

  /** Starts what else a node has for this plugin. */
  async ready(): Promise<void> {
    if (this.#plugin.policy === 'off') return;
    withNetns(this.netns, () => Bun.spawnSync(['ip', 'link', 'set', 'lo', 'up']));
    this.#policyAgent = await startBenchPolicyAgent({
      binary: CANAL,
      netns: this.netns,
      folder: this.folder,
      socket: `${this.folder}/run/policy.sock`,
      podNames: this.pods.map(nameOf),
    });
  }

  /** Milliseconds from exec to exit; throws what the plugin said when it failed. */
  async call(command: 'ADD' | 'DEL', pod: string): Promise<number> {
    const env = {
      PATH: process.env['PATH'] ?? '',
      CNI_COMMAND: command,
      CNI_CONTAINERID: nameOf(pod),
      CNI_NETNS: pod,
      CNI_IFNAME: 'eth0',
      CNI_PATH: PEER_DIR,
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${nameOf(pod)};K8S_POD_UID=${this.#policyAgent?.uids.get(nameOf(pod)) ?? 'none'}`,
    };
    const started = performance.now();
    const child = withNetns(this.netns, () =>
      Bun.spawn([this.#plugin.executable], { env, stdin: this.#config, stdout: 'pipe', stderr: 'pipe' }),
    );
    const [output, exitCode] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    const elapsed = performance.now() - started;
    if (exitCode !== 0) throw new Error(`${this.#plugin.name} ${command}: ${output}`);
    return elapsed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#policyAgent?.[Symbol.asyncDispose]();
    for (const pod of this.pods) removeNetns(pod);
    removeNetns(this.netns);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function nameOf(pod: string): string {
  return pod.slice('/run/netns/'.length);
}

async function serial(node: BenchNode, command: 'ADD' | 'DEL', pods: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (const pod of pods) times.push(await node.call(command, pod));
  return times;
}

/** Keeps `width` calls under way until all pods are done. */
async function parallel(
  node: BenchNode,
  command: 'ADD' | 'DEL',
  pods: readonly string[],
  width: number,
): Promise<number[]> {
  const waiting = [...pods];
  const times: number[] = [];
  const worker = async (): Promise<void> => {
    for (let pod = waiting.pop(); pod !== undefined; pod = waiting.pop()) times.push(await node.call(command, pod));
  };
  await Promise.all(Array.from({ length: width }, worker));
  return times;
}

async function round(plugin: Plugin): Promise<Figures> {
  await using node = new BenchNode(plugin, BURST_PODS);
  await node.ready();
  // The first call pays for a cold page cache and the bridge; it is no sample.
  await node.call('ADD', node.pods[0] ?? '');
  await node.call('DEL', node.pods[0] ?? '');
  const few = node.pods.slice(0, SERIAL_PODS);
  const add = await serial(node, 'ADD', few);
  const del = await serial(node, 'DEL', few);
  const add20 = await timed(() => parallel(node, 'ADD', few, PARALLEL));
  const del20 = await timed(() => parallel(node, 'DEL', few, PARALLEL));
  const burst = await timed(() => parallel(node, 'ADD', node.pods, PARALLEL));
  await parallel(node, 'DEL', node.pods, PARALLEL);
  return {
    'ADD serial p50 ms': quantile(add, 0.5),
    'ADD serial p99 ms': quantile(add, 0.99),
    'DEL serial p50 ms': quantile(del, 0.5),
    'DEL serial p99 ms': quantile(del, 0.99),
    [`ADD ${PARALLEL} in parallel p50 ms`]: quantile(add20.value, 0.5),
    [`ADD ${PARALLEL} in parallel p99 ms`]: quantile(add20.value, 0.99),
    [`DEL ${PARALLEL} in parallel p50 ms`]: quantile(del20.value, 0.5),
    [`${BURST_PODS} pods, ${PARALLEL} wide, ms to the last ADD`]: burst.elapsedMs,
  };
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; elapsedMs: number }> {
  const started = performance.now();
  const value = await work();
  return { value, elapsedMs: performance.now() - started };
}

const contender = (plugin: Plugin): Contender => ({ name: plugin.name, round: () => round(plugin) });

await compare({
  title: 'CNI ADD and DEL',
  contenders: [canal('routed'), canal('routed', 'required'), canal('bridge'), peer].map(contender),
  rounds: ROUNDS,
});
