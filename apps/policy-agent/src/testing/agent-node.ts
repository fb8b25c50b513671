/** The real program on a node that is a namespace, with pods as the CNI plugin would leave them, and a real API server. */
/* eslint-disable @nx/enforce-module-boundaries -- of tests alone */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AgentAnswer, AgentRequest, EndpointMessage } from '@canal/agent-protocol';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { NETLINK_NETFILTER } from '@canal/linux-ffi';
import { createAttachmentStore, readBootId } from '@canal/node-state';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { NODES, PODS, type Store } from '@canal/store-port';
import { createSystemClock } from '@canal/telemetry';
import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { parseInterfaceAddress, parseInterfaceName, parseMac, unwrap } from 'net-types';
import { createNetlinkConnection, getNftGeneration } from 'netlink-ts';
import { followSocket } from './test-cluster.ts';

const MAIN = resolve(import.meta.dirname, '../../../canal/src/main.ts');
export const NODE_NAME = 'node-a';
/** Of the web server in `web`. */
export const WEB_PORT = 8080;

export interface Pod {
  readonly name: string;
  readonly netns: TestNetns;
  readonly address: string;
  readonly uid: string;
  readonly request: AgentRequest & { readonly op: 'add-endpoint' };
}

export interface AgentNode {
  readonly netns: TestNetns;
  readonly store: Store;
  readonly web: Pod;
  readonly client: Pod;
  /** Where the program listens, and where it looks for the plugin's records. */
  readonly socket: string;
  readonly stateDir: string;
  /** Of the running program. */
  readonly pid: number;
  /** Starts the program. */
  spawn(): void;
  /** Starts the program and waits until it is ready. */
  start(limitMs?: number): Promise<void>;
  kill(): Promise<void>;
  createPod(number: number, name: string, labels: Readonly<Record<string, string>>): Promise<Pod>;
  /** As the plugin does it: the record, then the announcement. */
  add(pod: Pod): Promise<AgentAnswer>;
  /** The record alone: of a pod that was added while another agent ran. */
  record(endpoint: EndpointMessage): void;
  ask(request: AgentRequest): Promise<AgentAnswer>;
  generation(): number;
  probe(path: string): { readonly status: string; readonly body: string };
  log(): string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `program`: the command line of canal; from source when absent. */
export async function createAgentNode(program: readonly string[] = [process.execPath, MAIN]): Promise<AgentNode> {
  const directory = mkdtempSync(join(tmpdir(), 'canal-policy-agent-'));
  const server = createEmbeddedServer({ tokens: [{ token: 'test', user: 'agent' }] });
  const netns = createTestNetns('node');
  netns.run(['sysctl', '-qw', 'net.ipv4.conf.all.forwarding=1']);
  netns.run(['ip', 'address', 'add', '192.168.77.1/32', 'dev', 'lo']);
  const { url } = netns.within(() => server.listen({ hostname: '127.0.0.1', port: 0 }));
  const outer = server.listen({ hostname: '127.0.0.1', port: 0 });
  const connection = { baseUrl: outer.url, credentials: fixedCredentials({ token: new Secret('test') }) };
  const store = createKubeStore({ connection, clock: createSystemClock() });
  await store.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE_NAME } });
  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText(url));
  const socket = join(directory, 'run', 'policy.sock');
  const logFile = join(directory, 'log');
  const web = await createPod(netns, store, 1, 'web', { app: 'web' });
  const client = await createPod(netns, store, 2, 'client', {});
  const serving = web.netns.within(() => Bun.serve({ hostname: web.address, port: WEB_PORT, fetch: respond }));
  const others: Pod[] = [];
  let running: ReturnType<typeof Bun.spawn> | undefined;
  const node: AgentNode = {
    netns,
    store,
    web,
    client,
    socket,
    stateDir: `${directory}/state`,
    get pid() {
      return running?.pid ?? 0;
    },
    spawn() {
      const flags = [`--kubeconfig-file=${kubeconfig}`, `--socket=${socket}`, `--cni-state-dir=${directory}/state`];
      const command = [...program, 'policy-agent', ...flags, '--net-config-path=/nowhere/net-conf.json'];
      const env = { NODE_NAME, PATH: process.env['PATH'] ?? '' };
      running = netns.within(() =>
        Bun.spawn(command, { env, stdin: 'ignore', stdout: 'ignore', stderr: Bun.file(logFile) }),
      );
    },
    async start(limitMs = 20_000) {
      node.spawn();
      await waitFor('readiness', () => node.probe('/readyz').status === '200', limitMs);
    },
    async kill() {
      running?.kill('SIGKILL');
      await running?.exited;
      running = undefined;
    },
    async createPod(number, name, labels) {
      const pod = await createPod(netns, store, number, name, labels);
      others.push(pod);
      return pod;
    },
    record(endpoint) {
      recordEndpoint(`${directory}/state`, endpoint);
    },
    async add({ request }) {
      node.record(request.endpoint);
      return await node.ask(request);
    },
    async ask(request) {
      const [answer] = await followSocket(socket, request, 1);
      if (answer === undefined) throw new Error('no answer');
      return answer;
    },
    generation() {
      using netfilter = createNetlinkConnection(() => netns.openSocket({ protocol: NETLINK_NETFILTER }));
      return getNftGeneration(netfilter);
    },
    probe(path) {
      const { stdout } = netns.exec(['curl', '-s', '-m', '2', '-w', '\n%{http_code}', `http://127.0.0.1:9097${path}`]);
      const end = stdout.lastIndexOf('\n');
      return { status: stdout.slice(end + 1), body: stdout.slice(0, end) };
    },
    log: () => readFileSync(logFile, 'utf8'),
    async [Symbol.asyncDispose]() {
      await node.kill();
      await serving.stop(true);
      for (const pod of [web, client, ...others]) pod.netns[Symbol.dispose]();
      netns[Symbol.dispose]();
      await server.close();
      rmSync(directory, { recursive: true });
    },
  };
  return node;
}

function recordEndpoint(stateDirectory: string, endpoint: EndpointMessage): void {
  const { containerId, pod } = endpoint;
  const network = unwrap(parseNetworkName('canal'));
  const containerInterface = unwrap(parseInterfaceName(endpoint.containerInterface));
  const mac = unwrap(parseMac(endpoint.mac));
  createAttachmentStore(stateDirectory).write(
    network,
    { containerId: unwrap(parseContainerId(containerId)), containerInterface },
    {
      network,
      containerId,
      containerInterface,
      netns: '/run/netns/nobody-asks',
      mode: endpoint.mode,
      hostInterface: unwrap(parseInterfaceName(endpoint.hostInterface)),
      hostMac: mac,
      containerMac: mac,
      addresses: endpoint.addresses.map((text) => unwrap(parseInterfaceAddress(`${text}/32`))),
      gateways: [],
      mtuBytes: 1500,
      bootId: readBootId(),
      ...(pod && { pod }),
    },
  );
}

async function createPod(
  node: TestNetns,
  store: Store,
  number: number,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<Pod> {
  const netns = createTestNetns(name);
  const address = `10.244.1.${number + 9}`;
  const hostInterface = `cnl0000000000${number}`;
  connectNetns({ netns: node, name: hostInterface }, { netns, name: 'eth0', addresses: [`${address}/32`] });
  node.run(['ip', 'route', 'add', `${address}/32`, 'dev', hostInterface]);
  // As routed pods have it: the first hop is link-local, and known without asking.
  netns.run([
    'ip',
    'neigh',
    'add',
    '169.254.1.1',
    'lladdr',
    macOf(node, hostInterface),
    'dev',
    'eth0',
    'nud',
    'permanent',
  ]);
  netns.run(['ip', 'route', 'add', 'default', 'via', '169.254.1.1', 'dev', 'eth0', 'onlink']);
  const created = await store.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { nodeName: NODE_NAME, containers: [{ name: 'c', image: 'i' }] },
  });
  const status = { podIP: address, podIPs: [{ ip: address }], phase: 'Running' };
  await store.mergePatch(PODS, name, { status }, { namespace: 'default', subresource: 'status' });
  const uid = created.metadata.uid ?? '';
  const endpoint = {
    containerId: `container-${number}`,
    containerInterface: 'eth0',
    hostInterface,
    mode: 'routed',
    addresses: [address],
    mac: macOf(netns, 'eth0'),
    pod: { namespace: 'default', name, uid },
  } as const;
  return { name, netns, address, uid, request: { op: 'add-endpoint', endpoint } };
}

function macOf(netns: TestNetns, link: string): string {
  const [found] = netns.json(['ip', '-j', 'link', 'show', link]) as { address: string }[];
  if (found === undefined) throw new Error(`no device ${link}`);
  return found.address;
}

/** `/stream` sends a piece every 20 ms without end, anything else a word. */
function respond(request: Request): Response {
  if (new URL(request.url).pathname !== '/stream') return new Response('hello');
  const stream = new ReadableStream({
    async pull(controller) {
      await Bun.sleep(20);
      controller.enqueue(new Uint8Array([0x2e]));
    },
  });
  return new Response(stream);
}

function kubeconfigText(url: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'u', user: { token: 'test' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}
