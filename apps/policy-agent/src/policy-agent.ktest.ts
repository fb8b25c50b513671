/** The real program on a node that is a namespace, with pods as the CNI plugin would leave them, and a real API server. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AgentAnswer, AgentRequest, AgentStatusMessage, EndpointMessage } from '@canal/agent-protocol';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { NETLINK_NETFILTER } from '@canal/linux-ffi';
import { createAttachmentStore, readBootId } from '@canal/node-state';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { NETWORK_POLICIES, NODES, PODS, type Store } from '@canal/store-port';
import { createSystemClock } from '@canal/telemetry';
import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { parseInterfaceAddress, parseInterfaceName, parseMac, unwrap } from 'net-types';
import { createNetlinkConnection, getNftGeneration } from 'netlink-ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { followSocket, ingressPolicy } from './testing/test-cluster.ts';

const MAIN = resolve(import.meta.dirname, '../../canal/src/main.ts');
const NODE = 'node-a';
const PORT = 8080;

interface Pod {
  readonly name: string;
  readonly netns: TestNetns;
  readonly address: string;
  readonly uid: string;
  readonly request: AgentRequest & { readonly op: 'add-endpoint' };
}

interface World {
  readonly netns: TestNetns;
  readonly store: Store;
  readonly web: Pod;
  readonly client: Pod;
  start(argv?: readonly string[]): Promise<void>;
  kill(): Promise<void>;
  /** As the plugin does it: the record, then the announcement. */
  add(pod: Pod): Promise<AgentAnswer>;
  ask(request: AgentRequest): Promise<AgentAnswer>;
  generation(): number;
  probe(path: string): { readonly status: string; readonly body: string };
  log(): string;
  [Symbol.asyncDispose](): Promise<void>;
}

async function createWorld(): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'canal-policy-agent-'));
  const server = createEmbeddedServer({ tokens: [{ token: 'test', user: 'agent' }] });
  const netns = createTestNetns('node');
  netns.run(['sysctl', '-qw', 'net.ipv4.conf.all.forwarding=1']);
  netns.run(['ip', 'address', 'add', '192.168.77.1/32', 'dev', 'lo']);
  const { url } = netns.within(() => server.listen({ hostname: '127.0.0.1', port: 0 }));
  const outer = server.listen({ hostname: '127.0.0.1', port: 0 });
  const connection = { baseUrl: outer.url, credentials: fixedCredentials({ token: new Secret('test') }) };
  const store = createKubeStore({ connection, clock: createSystemClock() });
  await store.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText(url));
  const socket = join(directory, 'run', 'policy.sock');
  const logFile = join(directory, 'log');
  const web = await createPod(netns, store, 1, 'web', { app: 'web' });
  const client = await createPod(netns, store, 2, 'client', {});
  const serving = web.netns.within(() => Bun.serve({ hostname: web.address, port: PORT, fetch: respond }));
  let running: ReturnType<typeof Bun.spawn> | undefined;
  const world: World = {
    netns,
    store,
    web,
    client,
    async start(argv = []) {
      const flags = [`--kubeconfig-file=${kubeconfig}`, `--socket=${socket}`, `--cni-state-dir=${directory}/state`];
      const command = [
        process.execPath,
        MAIN,
        'policy-agent',
        ...flags,
        '--net-config-path=/nowhere/net-conf.json',
        ...argv,
      ];
      const env = { NODE_NAME: NODE, PATH: process.env['PATH'] ?? '' };
      running = netns.within(() =>
        Bun.spawn(command, { env, stdin: 'ignore', stdout: 'ignore', stderr: Bun.file(logFile) }),
      );
      await waitFor('readiness', () => world.probe('/readyz').status === '200', 20_000);
    },
    async kill() {
      running?.kill('SIGKILL');
      await running?.exited;
      running = undefined;
    },
    async add({ request }) {
      recordEndpoint(`${directory}/state`, request.endpoint);
      return await world.ask(request);
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
      await world.kill();
      await serving.stop(true);
      for (const one of [netns, web.netns, client.netns]) one[Symbol.dispose]();
      await server.close();
      rmSync(directory, { recursive: true });
    },
  };
  return world;
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
    spec: { nodeName: NODE, containers: [{ name: 'c', image: 'i' }] },
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

/** Whether a request from there to the web pod is answered within half a second. */
async function reaches(from: TestNetns, { web }: World): Promise<boolean> {
  const url = `http://${web.address}:${PORT}/`;
  const curl = from.within(() =>
    Bun.spawn(['curl', '-s', '-m', '0.5', url], { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' }),
  );
  return (await new Response(curl.stdout).text()) === 'hello';
}

let world: World;

beforeEach(async () => {
  world = await createWorld();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function addBoth(): Promise<void> {
  for (const pod of [world.web, world.client]) {
    expect(await world.add(pod)).toEqual({ ok: true, value: { state: 'policed' } });
  }
}

describe('a running agent', () => {
  test('policies come, change and go; the node’s own traffic passes; an open stream is cut and mended', async () => {
    await world.start();
    expect(await reaches(world.client.netns, world)).toBe(false);
    await addBoth();
    expect(await reaches(world.client.netns, world)).toBe(true);
    const stream = world.client.netns.within(() =>
      Bun.spawn(['curl', '-sN', `http://${world.web.address}:${PORT}/stream`], {
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'ignore',
      }),
    );
    let received = 0;
    const reading = (async () => {
      for await (const piece of stream.stdout) received += piece.length;
    })();
    await waitFor('the stream', () => received > 10);
    await world.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await waitFor('isolation', async () => !(await reaches(world.client.netns, world)));
    expect(await reaches(world.netns, world)).toBe(true);
    await Bun.sleep(1_000);
    const atCut = received;
    await Bun.sleep(500);
    expect(received).toBe(atCut);
    const labels = { metadata: { labels: { may: 'web' } } };
    await world.store.mergePatch(PODS, 'client', labels, { namespace: 'default' });
    await waitFor('the way in', () => reaches(world.client.netns, world));
    await waitFor('the stream to go on', () => received > atCut, 10_000);
    stream.kill();
    await reading;
    expect(world.log()).not.toMatch(/"level":"error"/);
  }, 60_000);

  test('killed and started again: rules stay, and over an equal kernel nothing is written', async () => {
    await world.start();
    await addBoth();
    await world.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await waitFor('isolation', async () => !(await reaches(world.client.netns, world)));
    await world.kill();
    expect(await reaches(world.client.netns, world)).toBe(false);
    expect(await reaches(world.netns, world)).toBe(true);
    const generation = world.generation();
    await world.start();
    await Bun.sleep(300);
    expect(world.generation()).toBe(generation);
    expect(await reaches(world.client.netns, world)).toBe(false);
    // The number does count what is written.
    const late = {
      ...world.client.request.endpoint,
      containerId: 'late',
      hostInterface: 'cnllate',
      addresses: ['10.244.1.99'],
    };
    await world.ask({ op: 'add-endpoint', endpoint: late });
    expect(world.generation()).toBeGreaterThan(generation);
  }, 60_000);

  test('flushed by others: back within a second, with an Event; the kernel’s verdicts are told with their policies', async () => {
    await world.start();
    await addBoth();
    await world.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await waitFor('isolation', async () => !(await reaches(world.client.netns, world)));
    const record = await waitFor('a record', async () => {
      const [answer] = await followOnce();
      return answer?.ok === true && answer.value;
    });
    expect(record).toMatchObject({
      verdict: 'deny',
      direction: 'ingress',
      source: { pod: { name: 'client' } },
      destination: { pod: { name: 'web' }, port: PORT },
      protocol: 'TCP',
      isolatedBy: ['default/web'],
    });
    const chains = (): number => world.netns.run(['nft', 'list', 'ruleset']).split('chain ').length - 1;
    const before = chains();
    expect(before).toBeGreaterThan(5);
    world.netns.run(['nft', 'flush', 'ruleset']);
    const startedMs = performance.now();
    await waitFor('the repair', () => chains() === before, 1_000);
    process.stderr.write(`repaired after ${Math.round(performance.now() - startedMs)} ms\n`);
    expect(await reaches(world.client.netns, world)).toBe(false);
    await waitFor('the metric', () =>
      /canal_dataplane_drift_repairs_total\{kind="policy-rule"\} [1-9]/.test(world.probe('/metrics').body),
    );

    function followOnce() {
      return world.ask({ op: 'flows', follow: false, last: 1, denied: true }).then(
        (answer) => [answer],
        () => [],
      );
    }
  }, 60_000);

  test('a burst of 110 pods: p99 of the round trip', async () => {
    await world.start();
    const names = Array.from({ length: 110 }, (_, index) => `burst-${index}`);
    const uids = await Promise.all(
      names.map(async (name) => {
        const created = await world.store.create(PODS, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name, namespace: 'default', labels: { app: index(name) % 2 === 0 ? 'web' : 'other' } },
          spec: { nodeName: NODE, containers: [{ name: 'c', image: 'i' }] },
        });
        return created.metadata.uid ?? '';
      }),
    );
    for (const name of ['web', 'other']) await world.store.create(NETWORK_POLICIES, ingressPolicy(name));
    await waitFor('the pods', async () => {
      const answer = await world.ask({ op: 'status' });
      const { streams } = (answer.ok ? answer.value : { streams: [] }) as AgentStatusMessage;
      return streams.some(({ kind, objects }) => kind === 'Pod' && objects === names.length + 2);
    });
    const times: number[] = [];
    const add = async (name: string): Promise<void> => {
      const number = index(name);
      const { endpoint } = world.web.request;
      const startedMs = performance.now();
      const answer = await world.ask({
        op: 'add-endpoint',
        endpoint: {
          ...endpoint,
          containerId: name,
          hostInterface: `cnl${String(number).padStart(11, '0')}`,
          addresses: [`10.244.9.${number + 1}`],
          pod: { namespace: 'default', name, uid: uids[number] ?? '' },
        },
      });
      times.push(performance.now() - startedMs);
      expect(answer).toEqual({ ok: true, value: { state: 'policed' } });
    };
    // As fast as two processors start plugins: each takes some 9 ms.
    const adding: Promise<void>[] = [];
    for (const name of names) {
      adding.push(add(name));
      await Bun.sleep(4);
    }
    await Promise.all(adding);
    times.sort((a, b) => a - b);
    const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1);
    process.stderr.write(`110 endpoints: median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms\n`);
    expect(Number(at(0.99))).toBeLessThan(100);
    const all = await Promise.all(names.map((name) => world.ask({ op: 'delete-endpoint', key: `${name}/eth0` })));
    expect(all.every(({ ok }) => ok)).toBe(true);

    function index(name: string): number {
      return Number(name.split('-')[1]);
    }
  }, 60_000);
});
