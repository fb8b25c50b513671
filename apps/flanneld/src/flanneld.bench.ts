/**
 * The agent as it ships (dist/canal) among synthetic nodes: time to readiness, memory, CPU when idle, and how long one
 * more node takes from the API server to the kernel. Prints one row a size. Needs root.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { annotationKeys, DEFAULT_ANNOTATION_PREFIX } from '@canal/api-schema';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { type KubeObject, NODES, type Store } from '@canal/store-port';
import { createSystemClock } from '@canal/telemetry';
import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { unwrap } from 'net-types';

const CANAL = resolve(import.meta.dirname, '../../../dist/canal');
const KEYS = unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX));
const SIZES = [2, 1_000, 5_000];
const IDLE_MS = 20_000;
const TICK_MS = 10;
/** A Node object of a real cluster is 15 to 30 KB; most of it is of no use to the agent. */
const PADDING = 'x'.repeat(15_000);

/** Node 0 is the one under test. */
function nodeObject(index: number): KubeObject {
  const [high, low] = [index >> 8, index & 255];
  const podCIDR = `10.${128 + high}.${low}.0/24`;
  const mac = `02:00:00:00:${high.toString(16).padStart(2, '0')}:${low.toString(16).padStart(2, '0')}`;
  const announced = {
    [KEYS.subnetManager]: 'true',
    [KEYS.backendType]: 'vxlan',
    [KEYS.publicIp]: `10.1.${high}.${low}`,
    [KEYS.backendData]: `{"VNI":1,"VtepMAC":"${mac}"}`,
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${index}`, annotations: { PADDING, ...(index === 0 ? {} : announced) } },
    spec: { podCIDR, podCIDRs: [podCIDR] },
  };
}

async function measure(size: number): Promise<Record<string, string>> {
  using stack = new DisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'canal-bench-'));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const server = createEmbeddedServer({ tokens: [{ token: 'bench', user: 'agent' }] });
  stack.defer(() => void server.close());
  const own = stack.use(createTestNetns('bench-node'));
  const other = stack.use(createTestNetns('bench-peer'));
  connectNetns({ netns: own, name: 'eth0', addresses: ['10.1.255.1/16'] }, { netns: other, name: 'eth0' });
  own.run(['ip', 'route', 'add', 'default', 'dev', 'eth0']);
  const store = connectTo(server.listen({ hostname: '127.0.0.1' }).url);
  for (let index = 0; index < size; index++) await store.create(NODES, nodeObject(index));
  const { url } = own.within(() => server.listen({ hostname: '127.0.0.1' }));

  const startedMs = performance.now();
  const agent = start(own, directory, url);
  stack.defer(() => agent.kill('SIGKILL'));
  await waitFor('all routes', () => routes(own) >= size, 60_000);
  const routesMs = performance.now() - startedMs;
  await waitFor('readiness', () => probe(own, '/readyz') === '200', 10_000);
  await Bun.sleep(5_000);
  const cpuMs = cpuTimeMs(agent.pid);
  await Bun.sleep(IDLE_MS);
  const idleCpu = (cpuTimeMs(agent.pid) - cpuMs) / IDLE_MS;
  const memory = memoryOf(agent.pid);
  const addedMs = performance.now();
  await store.create(NODES, nodeObject(size));
  await waitFor('one more route', () => routes(own) > size, 10_000);
  return {
    nodes: String(size),
    'all routes after ms': routesMs.toFixed(0),
    'one more after ms': (performance.now() - addedMs).toFixed(0),
    'RSS MB': memory.rssMb.toFixed(1),
    'of it anonymous MB': memory.anonymousMb.toFixed(1),
    'idle CPU %': (idleCpu * 100).toFixed(2),
  };
}

function connectTo(url: string): Store {
  const connection = { baseUrl: url, credentials: fixedCredentials({ token: new Secret('bench') }) };
  return createKubeStore({ connection, clock: createSystemClock() });
}

function start(netns: TestNetns, directory: string, url: string): ReturnType<typeof Bun.spawn> {
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'u', user: { token: 'bench' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(join(directory, 'kubeconfig'), JSON.stringify(kubeconfig));
  writeFileSync(join(directory, 'net-conf.json'), '{"Network": "10.128.0.0/9", "Backend": {"Type": "vxlan"}}');
  const flags = [
    '--kube-subnet-mgr',
    '--ip-masq',
    `--kubeconfig-file=${directory}/kubeconfig`,
    `--net-config-path=${directory}/net-conf.json`,
    `--subnet-file=${directory}/run/subnet.env`,
    `--cni-state-dir=${directory}/state`,
    `--cni-data-dir=${directory}/networks`,
    `--cni-cache-dir=${directory}/cache`,
    '--healthz-port=8081',
  ];
  return netns.within(() =>
    Bun.spawn([CANAL, 'flanneld', ...flags], {
      env: { NODE_NAME: 'node-0' },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: Bun.file(join(directory, 'log')),
    }),
  );
}

/** Routes of the agent's own protocol, the blackhole among them: as many as there are nodes. */
function routes(netns: TestNetns): number {
  return netns.run(['ip', 'route', 'show', 'proto', '203']).split('\n').length - 1;
}

function probe(netns: TestNetns, path: string): string {
  return netns.exec(['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `http://127.0.0.1:8081${path}`]).stdout;
}

/** utime and stime of proc(5), in clock ticks. */
function cpuTimeMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function memoryOf(pid: number): { readonly rssMb: number; readonly anonymousMb: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1024;
  return { rssMb: mb('Rss'), anonymousMb: mb('Anonymous') };
}

for (const size of SIZES) {
  const row = await measure(size);
  writeSync(
    1,
    `${Object.entries(row)
      .map(([name, value]) => `${name} ${value}`)
      .join('   ')}\n`,
  );
}
process.exit(0);
