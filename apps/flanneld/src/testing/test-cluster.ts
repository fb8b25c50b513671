/** An agent in a world of its own: kernel in memory, a real API server in memory, files in a temporary directory. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NODE_API_AUDIENCE } from '@canal/agent-protocol';
import { annotationKeys, DEFAULT_ANNOTATION_PREFIX } from '@canal/api-schema';
import { type FlanneldConfig, parseFlanneldCommand } from '@canal/config';
import { FakeKernel } from '@canal/kernel-fake';
import type { ForwardDrop, InterfaceFacts, TrafficKernel } from '@canal/kernel-port';
import type { TrafficTable } from '@canal/model';
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, reviewToken, Secret } from '@canal/store-kube';
import { type KubeObject, NODES, type Store } from '@canal/store-port';
import { createPrometheusMetrics, createSystemClock } from '@canal/telemetry';
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import { type CapturedLogger, createCapturedLogger, waitFor } from '@canal/testing';
import { cidrOf, parseInterfaceAddress, parseInterfaceName, unwrap } from 'net-types';
import { type AgentWorld, type RunningAgent, startAgent } from '../run-agent.ts';

/** The agent's own, and those of who may ask it and who may not. */
const TOKENS = [
  { token: 'test', user: 'agent' },
  { token: 'of-admin-api', user: 'admin-api', audiences: [NODE_API_AUDIENCE] },
  { token: 'of-somebody', user: 'somebody', audiences: [NODE_API_AUDIENCE] },
  { token: 'for-others', user: 'admin-api', audiences: ['vault'] },
];

export const KEYS = unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX));
export const NET_CONF = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}';

export const FLANNEL_B = {
  [KEYS.subnetManager]: 'true',
  [KEYS.backendType]: 'vxlan',
  [KEYS.backendData]: '{"VNI":1,"VtepMAC":"3a:fd:04:5e:b2:1c"}',
  [KEYS.publicIp]: '10.0.0.2',
};

export function nodeObject(
  name: string,
  podCIDR: string | undefined,
  annotations: Record<string, string> = {},
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, annotations },
    spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
  };
}

export async function addNodes(store: Store): Promise<void> {
  await store.create(NODES, nodeObject('a', '10.244.1.0/24'));
  await store.create(NODES, nodeObject('b', '10.244.2.0/24', FLANNEL_B));
}

export async function startReady(cluster: TestCluster): Promise<AgentUnderTest> {
  const running = cluster.start();
  await waitFor('readiness', () => running.agent.readyz().ok);
  return running;
}

export interface AgentUnderTest {
  readonly agent: RunningAgent;
  readonly log: CapturedLogger;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

interface FakeTrafficKernel extends TrafficKernel {
  drops: readonly ForwardDrop[];
  readonly applied: TrafficTable[];
  /** How often the next writes are refused. */
  refusals: number;
}

export interface TestCluster extends AsyncDisposable {
  readonly kernel: FakeKernel;
  readonly store: Store;
  readonly config: FlanneldConfig;
  readonly trafficKernel: FakeTrafficKernel;
  writeNetConf(text: string): void;
  subnetEnv(): string | undefined;
  start(): AgentUnderTest;
  node(name: string): Promise<KubeObject>;
}

export function createTestCluster(argv: readonly string[] = []): TestCluster {
  const directory = mkdtempSync(join(tmpdir(), 'canal-agent-'));
  const server = createEmbeddedServer({ tokens: TOKENS });
  const listener = server.listen({ hostname: '127.0.0.1', port: 0 });
  const clock = createSystemClock();
  const connection = { baseUrl: listener.url, credentials: fixedCredentials({ token: new Secret('test') }) };
  const store = createKubeStore({ connection, clock });
  const tokenUser: AgentWorld['tokenUser'] = (token, signal) =>
    reviewToken(connection, new Secret(token), NODE_API_AUDIENCE, signal);
  const kernel = new FakeKernel();
  kernel.addInterface(externalInterface('eth0', '10.0.0.1/24'));
  kernel.defaultRoutes = [{ family: 4, link: unwrap(parseInterfaceName('eth0')), metric: 0 }];
  const config = configFor(directory, argv);
  const trafficKernel = fakeTrafficKernel();
  const running = new Set<AgentUnderTest>();
  writeFileSync(config.netConfPath, NET_CONF);
  return {
    kernel,
    store,
    config,
    trafficKernel,
    writeNetConf: (text) => writeFileSync(config.netConfPath, text),
    subnetEnv: () => (existsSync(config.subnetFile) ? readFileSync(config.subnetFile, 'utf8') : undefined),
    start() {
      const started = startUnderTest({ kernel, trafficKernel, store, config, tokenUser });
      running.add(started);
      return started;
    },
    async node(name) {
      const node = await store.get(NODES, name);
      if (node === undefined) throw new Error(`no node ${name}`);
      return node;
    },
    async [Symbol.asyncDispose]() {
      for (const agent of running) await agent.stop();
      await server.close();
      rmSync(directory, { recursive: true });
    },
  };
}

function startUnderTest(
  parts: Pick<TestCluster, 'kernel' | 'trafficKernel' | 'store' | 'config'> & Pick<AgentWorld, 'tokenUser'>,
): AgentUnderTest {
  const log = createCapturedLogger();
  const metrics = createPrometheusMetrics();
  const controller = new AbortController();
  const world = {
    ...parts,
    log,
    metrics,
    clock: createSystemClock(),
    timeMs: () => Date.now(),
    readFile: (path: string) => readFileSync(path, 'utf8'),
    ping: () => Promise.resolve({ ok: true, rttMs: 1, from: undefined } as const),
    peerUid: () => 0,
    lingerMs: 0,
    bootId: 'boot',
    version: 'test',
  };
  const agent = startAgent(world, parts.config, 'a', KEYS, controller.signal);
  return {
    agent,
    log,
    metrics: () => metrics.render(),
    async stop() {
      controller.abort();
      await agent.done;
    },
  };
}

function configFor(directory: string, argv: readonly string[]): FlanneldConfig {
  const own = [
    '--kube-subnet-mgr',
    `--net-config-path=${directory}/net-conf.json`,
    `--subnet-file=${directory}/run/subnet.env`,
    `--cni-state-dir=${directory}/state`,
    `--cni-data-dir=${directory}/networks`,
    `--cni-cache-dir=${directory}/cache`,
  ];
  const command = parseFlanneldCommand([...own, ...argv], { NODE_NAME: 'a' });
  if (command.type !== 'run') throw new Error(JSON.stringify(command));
  return command.config;
}

/** A kernel whose table is always right, and that drops what the test says. */
function fakeTrafficKernel(): FakeTrafficKernel {
  return {
    drops: [],
    applied: [],
    refusals: 0,
    compare: () => Promise.resolve({ generation: '', differences: [] }),
    apply(table) {
      if (this.refusals-- > 0) return Promise.reject(new Error('busy'));
      this.applied.push(table);
      return Promise.resolve({ generation: '', differences: [] });
    },
    remove: () => Promise.resolve(false),
    async *monitor(_name, signal) {
      yield { type: 'resync' };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
    findForwardDrops() {
      return Promise.resolve(this.drops);
    },
    close: () => undefined,
  };
}

export function externalInterface(name: string, ...addresses: string[]): InterfaceFacts {
  const flags = { linkScope: false, permanent: true, temporary: false, deprecated: false, tentative: false };
  return {
    name: unwrap(parseInterfaceName(name)),
    up: true,
    carrier: true,
    loopback: false,
    pointToPoint: false,
    mtuBytes: 1500,
    addresses: addresses.map((text) => ({ address: unwrap(parseInterfaceAddress(text)), ...flags })),
    onLinkNetworks: addresses.map((text) => {
      const { ip, prefixLen } = unwrap(parseInterfaceAddress(text));
      return cidrOf(ip, prefixLen);
    }),
  };
}
