/** The agent with the real engine and API server, a kernel in memory, and a store that goes away when told to. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AgentAnswer,
  type AgentRequest,
  decodeAnswer,
  encodeRequest,
  LineBuffer,
  NODE_API_AUDIENCE,
} from '@canal/agent-protocol';
import { annotationKeys, DEFAULT_ANNOTATION_PREFIX } from '@canal/api-schema';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { parsePolicyAgentCommand, type PolicyAgentConfig } from '@canal/config';
import type { Attachment } from '@canal/model';
import { createAttachmentStore } from '@canal/node-state';
import { createPolicyEngine } from '@canal/policy-compile';
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, reviewToken, Secret } from '@canal/store-kube';
import { type KubeObject, NODES, PODS, type ResourceType, type Store, StoreError } from '@canal/store-port';
import { createPrometheusMetrics, createSystemClock } from '@canal/telemetry';
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import { type CapturedLogger, createCapturedLogger, waitFor } from '@canal/testing';
import { type Ip, parseInterfaceAddress, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import type { LinkEvent } from '../link-watch.ts';
import { type RunningAgent, startAgent } from '../run-agent.ts';
import { FakePolicyKernel } from './fake-policy-kernel.ts';

export const NODE = 'node-a';
const BOOT_ID = 'boot';
const NETWORK = unwrap(parseNetworkName('canal'));

export interface AgentUnderTest {
  readonly agent: RunningAgent;
  readonly log: CapturedLogger;
  metrics(): Promise<string>;
  stop(): Promise<void>;
  /** Why the agent ended by itself. */
  crash(): Promise<unknown>;
}

export interface TestCluster extends AsyncDisposable {
  readonly store: Store;
  readonly kernel: FakePolicyKernel;
  readonly config: PolicyAgentConfig;
  /** The API server cannot be reached by requests. */
  down: boolean;
  /** Content of /proc/self/mountinfo. */
  mountinfo: string;
  /** Events of these kinds wait. */
  readonly held: Set<string>;
  release(): void;
  /** What the API server gives instead of an object that it would refuse. */
  distort: (object: KubeObject) => KubeObject;
  start(): AgentUnderTest;
  startReady(): Promise<AgentUnderTest>;
  ask(request: AgentRequest): Promise<AgentAnswer>;
  /** Answers as they come, until the server closes or `count` are there. */
  follow(request: AgentRequest, count: number): Promise<readonly AgentAnswer[]>;
  record(endpoint: TestEndpoint): void;
  removeRecord(containerId: string): void;
  linkEvent(event: LinkEvent): void;
  createPod(name: string, options?: PodOptions): Promise<string>;
  events(reason: string): Promise<readonly KubeObject[]>;
}

export interface PodOptions {
  readonly address?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string;
}

export interface TestEndpoint {
  readonly containerId: string;
  readonly address: string;
  readonly pod?: { readonly name: string; readonly uid: string };
  /** Of a record; by default this boot. */
  readonly bootId?: string;
  /** Of an announcement; by default `routed`. */
  readonly mode?: 'routed' | 'bridge';
}

export function createTestCluster(argv: readonly string[] = []): TestCluster {
  const directory = mkdtempSync(join(tmpdir(), 'canal-policy-'));
  const server = createEmbeddedServer({
    tokens: [
      { token: 'test', user: 'agent' },
      { token: 'of-admin-api', user: 'admin-api', audiences: [NODE_API_AUDIENCE] },
    ],
  });
  const listener = server.listen({ hostname: '127.0.0.1', port: 0 });
  const connection = { baseUrl: listener.url, credentials: fixedCredentials({ token: new Secret('test') }) };
  const store = createKubeStore({ connection, clock: createSystemClock() });
  const kernel = new FakePolicyKernel();
  const config = configFor(directory, argv);
  const attachments = createAttachmentStore(config.cniStateDir);
  const running = new Set<AgentUnderTest>();
  const held = new Set<string>();
  let released = Promise.withResolvers<undefined>();
  const linkListeners = new Set<(event: LinkEvent) => void>();
  const cluster: TestCluster = {
    store,
    kernel,
    config,
    down: false,
    mountinfo: '',
    held,
    distort: (object) => object,
    release() {
      held.clear();
      released.resolve(undefined);
      released = Promise.withResolvers<undefined>();
    },
    start() {
      const started = startUnderTest();
      running.add(started);
      return started;
    },
    async startReady() {
      await store.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } }).catch(() => undefined);
      const started = cluster.start();
      await waitFor('readiness', () => started.agent.readyz().ok);
      return started;
    },
    async ask(request) {
      const [answer] = await cluster.follow(request, 1);
      if (answer === undefined) throw new Error('no answer');
      return answer;
    },
    follow: (request, count) => followSocket(config.socket, request, count),
    record(endpoint) {
      const key = { containerId: unwrap(parseContainerId(endpoint.containerId)), containerInterface: eth0() };
      attachments.write(NETWORK, key, attachmentOf(endpoint));
    },
    removeRecord(containerId) {
      const key = { containerId: unwrap(parseContainerId(containerId)), containerInterface: eth0() };
      attachments.remove(NETWORK, key);
    },
    linkEvent(event) {
      for (const listen of linkListeners) listen(event);
    },
    async createPod(name, { address, labels = {}, node = NODE } = {}) {
      const created = await store.create(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', labels },
        spec: { nodeName: node, containers: [{ name: 'c', image: 'i' }] },
      });
      if (address !== undefined) {
        const status = { podIP: address, podIPs: [{ ip: address }], phase: 'Running' };
        await store.mergePatch(PODS, name, { status }, { namespace: 'default', subresource: 'status' });
      }
      return created.metadata.uid ?? '';
    },
    async events(reason) {
      const events = await store.list({ group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true });
      return events.filter((event) => event['reason'] === reason);
    },
    async [Symbol.asyncDispose]() {
      cluster.release();
      for (const one of running) await one.stop();
      await server.close();
      rmSync(directory, { recursive: true });
    },
  };
  return cluster;

  function startUnderTest(): AgentUnderTest {
    const log = createCapturedLogger();
    const metrics = createPrometheusMetrics();
    const controller = new AbortController();
    const world = {
      kernel,
      engine: createPolicyEngine(),
      store: moodyStore(),
      log,
      metrics,
      clock: createSystemClock(),
      timeMs: () => Date.now(),
      random: () => 0.5,
      readFile: (path: string) =>
        path === '/proc/self/mountinfo'
          ? cluster.mountinfo
          : '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "Port": 9472}}',
      localAddresses: (): readonly Ip[] => [unwrap(parseIp('10.244.1.1'))],
      kernelRelease: '6.18.0',
      bootMs: Date.UTC(2026, 0, 1),
      links,
      peerUid: () => 0,
      tokenUser: (token: string, signal: AbortSignal) =>
        reviewToken(connection, new Secret(token), NODE_API_AUDIENCE, signal),
      bootId: BOOT_ID,
      version: 'test',
    };
    const keys = unwrap(annotationKeys(DEFAULT_ANNOTATION_PREFIX));
    const agent = startAgent(world, config, NODE, keys, controller.signal);
    const started: AgentUnderTest = {
      agent,
      log,
      metrics: () => metrics.render(),
      async stop() {
        controller.abort();
        await agent.done;
      },
      async crash() {
        running.delete(started);
        const reason: unknown = await agent.done.catch((error: unknown) => error);
        controller.abort();
        return reason;
      },
    };
    return started;
  }

  function moodyStore(): Store {
    const whenUp = <T>(work: () => Promise<T>): Promise<T> =>
      cluster.down ? Promise.reject(new StoreError('unavailable', 'connection refused')) : work();
    return {
      ...store,
      get: (type, name, namespace) => whenUp(() => store.get(type, name, namespace)),
      create: (type, object) => whenUp(() => store.create(type, object)),
      async *watch(type: ResourceType, parse, options, signal) {
        const distorted = (object: KubeObject) => parse(cluster.distort(object));
        for await (const event of store.watch(type, distorted, options, signal)) {
          while (held.has(type.kind) && !signal.aborted) await released.promise;
          yield event;
        }
      },
    };
  }

  async function* links(signal: AbortSignal): AsyncGenerator<LinkEvent, void> {
    const events: LinkEvent[] = [{ type: 'resync', links: [] }];
    let wake = (): void => undefined;
    const listen = (event: LinkEvent): void => {
      events.push(event);
      wake();
    };
    linkListeners.add(listen);
    while (!signal.aborted) {
      const event = events.shift();
      if (event !== undefined) yield event;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    }
    linkListeners.delete(listen);
  }
}

function configFor(directory: string, argv: readonly string[]): PolicyAgentConfig {
  const own = [
    `--net-config-path=${directory}/net-conf.json`,
    `--cni-state-dir=${directory}/state`,
    `--socket=${directory}/run/policy.sock`,
    '--healthz-port=0',
  ];
  const command = parsePolicyAgentCommand([...own, ...argv], { NODE_NAME: NODE });
  if (command.type !== 'run') throw new Error(JSON.stringify(command));
  return command.config;
}

export function followSocket(path: string, request: AgentRequest, count: number): Promise<readonly AgentAnswer[]> {
  return new Promise((resolve, reject) => {
    const answers: AgentAnswer[] = [];
    const lines = new LineBuffer(1024 * 1024);
    const socket = createConnection(path, () => socket.write(encodeRequest(request)));
    socket.on('data', (bytes) => {
      answers.push(...lines.push(bytes).map((line) => unwrapAnswer(line)));
      if (answers.length >= count) {
        socket.destroy();
        resolve(answers);
      }
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answers));
  });
}

function unwrapAnswer(line: string): AgentAnswer {
  const answer = decodeAnswer(line);
  if (!answer.ok) throw new Error(answer.error);
  return answer.value;
}

export function addRequest(endpoint: TestEndpoint): AgentRequest {
  const { containerId, address, pod, mode = 'routed' } = endpoint;
  const message = {
    containerId,
    containerInterface: 'eth0',
    hostInterface: hostInterfaceOf(containerId),
    mode,
    addresses: [address],
    mac: '0a:00:00:00:00:01',
    ...(pod && { pod: { namespace: 'default', ...pod } }),
  } as const;
  return { op: 'add-endpoint', endpoint: message };
}

export function hostInterfaceOf(containerId: string): string {
  return `cnl${containerId}`;
}

function eth0(): Attachment['containerInterface'] {
  return unwrap(parseInterfaceName('eth0'));
}

function attachmentOf({ containerId, address, pod, bootId = BOOT_ID }: TestEndpoint): Attachment {
  return {
    network: NETWORK,
    containerId,
    containerInterface: eth0(),
    netns: '/run/netns/x',
    mode: 'routed',
    hostInterface: unwrap(parseInterfaceName(hostInterfaceOf(containerId))),
    hostMac: unwrap(parseMac('0a:00:00:00:00:02')),
    containerMac: unwrap(parseMac('0a:00:00:00:00:01')),
    addresses: [unwrap(parseInterfaceAddress(`${address}/32`))],
    gateways: [],
    mtuBytes: 1450,
    bootId,
    ...(pod && { pod: { namespace: 'default', ...pod } }),
  };
}

/** Isolates pods with the label `app: NAME` for ingress; pods with `may: NAME` may come in. */
export function ingressPolicy(name: string): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'default' },
    spec: {
      podSelector: { matchLabels: { app: name } },
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ podSelector: { matchLabels: { may: name } } }] }],
    },
  };
}
