/** Real flanneld processes in namespaces as nodes, over a real API server; judged by iproute2 and packets. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import type { Attachment } from '@canal/model';
import { createAttachmentStore, readBootId } from '@canal/node-state';
import { createEmbeddedServer, type EmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { EVENTS, type KubeObject, NODES, type Store } from '@canal/store-port';
import { createSystemClock } from '@canal/telemetry';
import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { parseInterfaceAddress, parseInterfaceName, parseMac, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
const PREFIX = 'flannel.alpha.coreos.com/';
const VXLAN = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}';
const HOST_GW = '{"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}';

interface TestNode {
  readonly name: string;
  readonly netns: TestNetns;
  readonly directory: string;
  readonly kubeconfig: string;
  process: ReturnType<typeof Bun.spawn> | undefined;
}

let directory: string;
let server: EmbeddedServer;
let store: Store;
let nodes: TestNode[];
let sinks: TestNetns[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-flanneld-'));
  server = createEmbeddedServer({ tokens: [{ token: 'test', user: 'agent' }] });
  const { url } = server.listen({ hostname: '127.0.0.1', port: 0 });
  const connection = { baseUrl: url, credentials: fixedCredentials({ token: new Secret('test') }) };
  store = createKubeStore({ connection, clock: createSystemClock() });
  nodes = [];
  sinks = [];
});

afterEach(async () => {
  for (const node of nodes) await kill(node, 'SIGKILL');
  for (const netns of [...nodes.map((node) => node.netns), ...sinks]) netns[Symbol.dispose]();
  await server.close();
  rmSync(directory, { recursive: true });
});

/** Two nodes on one wire; each finds the API server on its own loopback. */
async function createNodes(netConf = VXLAN): Promise<readonly [TestNode, TestNode]> {
  const a = createNode('a', netConf);
  const b = createNode('b', netConf);
  connectNetns(
    { netns: a.netns, name: 'eth0', addresses: ['192.168.50.1/24'] },
    { netns: b.netns, name: 'eth0', addresses: ['192.168.50.2/24'] },
  );
  for (const { netns } of [a, b]) netns.run(['ip', 'route', 'add', 'default', 'dev', 'eth0']);
  await store.create(NODES, nodeObject('a', '10.244.1.0/24'));
  await store.create(NODES, nodeObject('b', '10.244.2.0/24'));
  return [a, b];
}

function createNode(name: string, netConf: string): TestNode {
  const netns = createTestNetns(`flanneld-${name}`);
  const listener = netns.within(() => server.listen({ hostname: '127.0.0.1', port: 0 }));
  const kubeconfig = join(directory, `${name}.kubeconfig`);
  writeFileSync(kubeconfig, kubeconfigText(listener.url));
  writeFileSync(join(directory, `${name}.net-conf.json`), netConf);
  const node: TestNode = { name, netns, directory: join(directory, name), kubeconfig, process: undefined };
  nodes.push(node);
  return node;
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

function nodeObject(name: string, podCIDR: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { podCIDR, podCIDRs: [podCIDR] } };
}

function flags(node: TestNode): string[] {
  return [
    '--kube-subnet-mgr',
    '--ip-masq',
    `--kubeconfig-file=${node.kubeconfig}`,
    `--net-config-path=${netConfPath(node)}`,
    `--subnet-file=${subnetFile(node)}`,
    `--cni-state-dir=${node.directory}/state`,
    `--cni-data-dir=${node.directory}/networks`,
    `--cni-cache-dir=${node.directory}/cache`,
    '--healthz-port=8081',
  ];
}

const netConfPath = (node: TestNode): string => join(directory, `${node.name}.net-conf.json`);
const subnetFile = (node: TestNode): string => `${node.directory}/run/subnet.env`;

function spawn(node: TestNode, ...argv: string[]): ReturnType<typeof Bun.spawn> {
  const log = Bun.file(join(directory, `${node.name}.log`));
  return node.netns.within(() =>
    Bun.spawn([process.execPath, join(ROOT, 'apps/canal/src/main.ts'), 'flanneld', ...argv], {
      env: { NODE_NAME: node.name, PATH: process.env['PATH'] ?? '' },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: log,
    }),
  );
}

function start(node: TestNode): void {
  node.process = spawn(node, ...flags(node));
}

async function kill(node: TestNode, signal: NodeJS.Signals): Promise<number | undefined> {
  node.process?.kill(signal);
  const code = await node.process?.exited;
  node.process = undefined;
  return code;
}

function probe(node: TestNode, path: string): { status: string; body: string } {
  const { stdout } = node.netns.exec(['curl', '-s', '-w', '\n%{http_code}', `http://127.0.0.1:8081${path}`]);
  const end = stdout.lastIndexOf('\n');
  return { status: stdout.slice(end + 1), body: stdout.slice(0, end) };
}

async function ready(...wanted: readonly TestNode[]): Promise<void> {
  for (const node of wanted) {
    await waitFor(`readiness of ${node.name}`, () => probe(node, '/readyz').status === '200', 20_000);
  }
}

/** Both know each other: a ping between their tunnel addresses passes. */
async function connected(a: TestNode, b: TestNode): Promise<void> {
  await waitFor(`the way from ${a.name} to ${b.name}`, () => routesOf(a).includes('10.244.2.0/24'), 10_000);
  await waitFor(`the way from ${b.name} to ${a.name}`, () => routesOf(b).includes('10.244.1.0/24'), 10_000);
}

function routesOf({ netns }: TestNode): string[] {
  const routes = netns.json(['ip', '-j', 'route', 'show', 'proto', '203']) as { dst: string }[];
  return routes.map(({ dst }) => dst).sort();
}

/** Everything that the agent may have a hand in, as iproute2 tells it. */
function kernelState(node: TestNode): Readonly<Record<string, string>> {
  const { netns } = node;
  return {
    links: netns.run(['ip', '-o', 'link']).replaceAll(/qlen \d+/g, ''),
    addresses: netns.run(['ip', '-o', 'addr']).replaceAll(/valid_lft.*| tentative/g, ''),
    routes: netns.run(['ip', 'route', 'show', 'table', 'all']),
    routes6: netns.run(['ip', '-6', 'route', 'show', 'table', 'all']),
    nexthops: netns.run(['ip', 'nexthop']),
    neighbours: netns.run(['ip', 'neigh', 'show', 'nud', 'permanent']),
    fdb: netns.run(['bridge', 'fdb']),
    files: existsSync(subnetFile(node)) ? readFileSync(subnetFile(node), 'utf8') : '',
    rules: netns.run(['nft', '--stateless', 'list', 'ruleset']),
  };
}

async function annotationsOf(name: string): Promise<Readonly<Record<string, string>>> {
  return (await store.get(NODES, name))?.metadata.annotations ?? {};
}

test('two nodes find each other, and packets pass between their pod networks', async () => {
  const [a, b] = await createNodes();
  start(a);
  start(b);
  await ready(a, b);
  await connected(a, b);
  a.netns.run(['ping', '-c', '1', '-W', '2', '10.244.2.0']);
  const annotations = await annotationsOf('a');
  const [device] = a.netns.json(['ip', '-j', 'link', 'show', 'flannel.1']) as [{ address: string; mtu: number }];
  expect(annotations).toMatchObject({
    [`${PREFIX}backend-data`]: `{"VNI":1,"VtepMAC":"${device.address}"}`,
    [`${PREFIX}backend-type`]: 'vxlan',
    [`${PREFIX}public-ip`]: '192.168.50.1',
    [`${PREFIX}kube-subnet-manager`]: 'true',
  });
  expect(readFileSync(subnetFile(a), 'utf8')).toMatch(
    /^FLANNEL_NETWORK=10\.244\.0\.0\/16\nFLANNEL_SUBNET=10\.244\.1\.1\/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n/,
  );
  expect(statSync(subnetFile(a)).mode & 0o777).toBe(0o644);
  expect(device.mtu).toBe(1450);
  expect(a.netns.run(['sysctl', '-n', 'net.ipv4.ip_forward']).trim()).toBe('1');
  expect(probe(a, '/healthz').status).toBe('200');
  expect(probe(a, '/metrics').body).toContain('canal_peers{state="programmed"} 1');
});

const TAMPERING: { what: string; command: string[] }[] = [
  { what: 'a route', command: ['ip', 'route', 'del', '10.244.2.0/24'] },
  { what: 'the blackhole', command: ['ip', 'route', 'del', 'blackhole', '10.244.1.0/24', 'metric', '4294967295'] },
  { what: 'a neighbour', command: ['ip', 'neigh', 'del', '10.244.2.0', 'dev', 'flannel.1'] },
  {
    what: 'a forwarding entry',
    command: ['sh', '-c', 'bridge fdb del $(bridge fdb show dev flannel.1 | cut -d" " -f1) dev flannel.1'],
  },
  { what: "the device's address", command: ['ip', 'addr', 'del', '10.244.1.0/32', 'dev', 'flannel.1'] },
  { what: 'the nexthop objects', command: ['ip', 'nexthop', 'flush'] },
  { what: 'the device', command: ['ip', 'link', 'del', 'flannel.1'] },
  { what: "the device's state", command: ['ip', 'link', 'set', 'flannel.1', 'down'] },
  { what: "the device's MTU", command: ['ip', 'link', 'set', 'flannel.1', 'mtu', '1400'] },
  { what: 'forwarding', command: ['sysctl', '-qw', 'net.ipv4.conf.flannel/1.forwarding=0'] },
  { what: 'the whole ruleset', command: ['nft', 'flush', 'ruleset'] },
  { what: 'a rule', command: ['nft', 'flush', 'chain', 'inet', 'canal-network', 'postrouting'] },
  { what: 'subnet.env', command: ['rm', 'SUBNET_FILE'] },
];

test('whatever others remove is back within a second, also when nothing else happens', async () => {
  const [a, b] = await createNodes();
  start(a);
  start(b);
  await ready(a, b);
  await connected(a, b);
  await waitFor('both announcements', async () => (await annotationsOf('b'))[`${PREFIX}public-ip`]);
  const times: string[] = [];
  for (const { what, command } of TAMPERING) {
    const before = comparable(kernelState(a));
    const repairs = repairsOf(a);
    a.netns.run(command.map((word) => word.replace('SUBNET_FILE', subnetFile(a))));
    const startMs = performance.now();
    await waitFor(`the repair of ${what}`, () => {
      expect(repairsOf(a)).toBeGreaterThan(repairs);
      expect(comparable(kernelState(a))).toEqual(before);
      return true;
    });
    const tookMs = performance.now() - startMs;
    times.push(`${what} ${tookMs.toFixed(0)} ms`);
    expect(tookMs, what).toBeLessThan(1_000);
  }
  writeSync(1, `repaired (with the time that looking takes): ${times.join(', ')}\n`);
  a.netns.run(['ping', '-c', '1', '-W', '2', '10.244.2.0']);
  expect(probe(a, '/metrics').body).toMatch(/canal_dataplane_drift_repairs_total\{kind="route"\} [1-9]/);
});

test('a forward policy of drop that others set is found and told with its cure, and keeps nobody from being ready', async () => {
  const [a] = await createNodes();
  start(a);
  await ready(a);
  a.netns.run([
    'nft',
    'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }',
  ]);
  await waitFor('the metric', () => probe(a, '/metrics').body.includes('canal_foreign_forward_drops 1'));
  expect(logOf(a)).toContain('FORWARD');
  expect(probe(a, '/readyz').status).toBe('200');
  await waitFor('the event', async () => {
    const events = await store.list(EVENTS);
    return events.some(({ reason }) => reason === 'ForeignForwardDrop');
  });
  a.netns.run(['nft', 'delete table ip filter']);
  await waitFor('its end', () => probe(a, '/metrics').body.includes('canal_foreign_forward_drops 0'));
});

test('a kill and a start over the same kernel writes nothing; nodes that went meanwhile go', async () => {
  const [a, b] = await createNodes();
  start(a);
  start(b);
  await ready(a, b);
  await connected(a, b);
  await kill(a, 'SIGKILL');
  // The end of duplicate address detection is an event of the kernel's own.
  await waitFor('no tentative address', () => a.netns.run(['ip', '-6', 'addr', 'show', 'tentative']) === '');
  const before = comparable(kernelState(a));
  const monitor = a.netns.within(() => Bun.spawn(['ip', 'monitor', 'all'], { stdout: 'pipe', stderr: 'ignore' }));
  start(a);
  await ready(a);
  monitor.kill();
  const heard = await new Response(monitor.stdout).text();
  expect(heard.split('\n').filter((line) => /flannel\.1|proto 203|nhid|blackhole/.test(line))).toEqual([]);
  expect(comparable(kernelState(a))).toEqual(before);

  await kill(a, 'SIGKILL');
  await store.delete(NODES, 'b');
  start(a);
  await waitFor('the end of the routes to b', () => !routesOf(a).includes('10.244.2.0/24'), 10_000);
  await waitFor('the end of the rest', () => !JSON.stringify(kernelState(a)).includes('10.244.2.'));
  expect(a.netns.run(['bridge', 'fdb', 'show', 'dev', 'flannel.1']).trim()).toBe('');
  expect(a.netns.run(['ip', 'nexthop']).trim()).toBe('');
});

test('killed in the middle of programming many peers, the next start brings what an undisturbed one would', async () => {
  const a = createNode('a', VXLAN);
  connectNetns({ netns: a.netns, name: 'eth0', addresses: ['192.168.50.1/16'] }, { netns: createSink(), name: 'eth0' });
  a.netns.run(['ip', 'route', 'add', 'default', 'dev', 'eth0']);
  writeFileSync(netConfPath(a), '{"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan"}}');
  await store.create(NODES, nodeObject('a', '10.200.1.0/24'));
  const peers = Array.from({ length: MANY_PEERS }, (_, n) => n);
  await Promise.all(peers.map((n) => store.create(NODES, announcedPeer(n))));
  const entries = (): number => a.netns.run(['ip', 'nexthop']).split('\n').length - 1;
  const peerRoutes = (): number => routesOf(a).length - 1;
  start(a);
  await waitFor('the first entries', () => entries() > 0, 20_000);
  await kill(a, 'SIGKILL');
  const cut = [entries(), routesOf(a).length];
  writeSync(1, `killed with nexthop objects and routes ${cut.join(', ')} of ${MANY_PEERS}\n`);
  expect(peerRoutes()).toBeLessThan(MANY_PEERS);
  expect(existsSync(subnetFile(a))).toBe(false);

  const whole = async (): Promise<unknown> => {
    start(a);
    await ready(a);
    await waitFor('all peers', () => peerRoutes() === MANY_PEERS, 20_000);
    await kill(a, 'SIGKILL');
    return comparable(kernelState(a));
  };
  const repaired = await whole();
  a.netns.run(['ip', 'link', 'del', 'flannel.1']);
  a.netns.run(['ip', 'route', 'flush', 'proto', '203']);
  expect(await whole()).toEqual(repaired);
}, 60_000);

const MANY_PEERS = 2_000;

/** A peer with an announcement, n below 65536. */
function announcedPeer(n: number): KubeObject {
  const [high, low] = [n >> 8, n & 255];
  const hex = [high, low].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  const node = nodeObject(`peer-${n}`, `10.${high}.${low}.0/24`);
  const annotations = {
    [`${PREFIX}kube-subnet-manager`]: 'true',
    [`${PREFIX}backend-type`]: 'vxlan',
    [`${PREFIX}backend-data`]: `{"VNI":1,"VtepMAC":"02:00:00:00:${hex}"}`,
    [`${PREFIX}public-ip`]: `192.168.${100 + high}.${low}`,
  };
  return { ...node, metadata: { ...node.metadata, annotations } };
}

/** The other end of a wire: nobody answers there. */
function createSink(): TestNetns {
  const sink = createTestNetns('flanneld-sink');
  sinks.push(sink);
  return sink;
}

test('bridge mode: the network of cni0 beats the blackhole, whichever of them comes first', async () => {
  const [a, b] = await createNodes();
  const bridge = ({ netns }: TestNode, address: string): void => {
    netns.run(['ip', 'link', 'add', 'cni0', 'type', 'bridge']);
    netns.run(['ip', 'addr', 'add', address, 'dev', 'cni0']);
    netns.run(['ip', 'link', 'set', 'cni0', 'up']);
  };
  const wayTo = ({ netns }: TestNode, pod: string): string => {
    const { stdout, stderr } = netns.exec(['ip', 'route', 'get', pod]);
    return /dev (\S+)/.exec(stdout)?.[1] ?? stderr.trim();
  };
  const blackhole = ({ netns }: TestNode): string => netns.run(['ip', 'route', 'show', 'type', 'blackhole']);
  bridge(b, '10.244.2.1/24');
  start(a);
  start(b);
  await ready(a, b);
  await waitFor('both blackholes', () => blackhole(a) !== '' && blackhole(b) !== '');
  expect(wayTo(b, '10.244.2.5')).toBe('cni0');
  // Without it the answer would be eth0, by the default route.
  expect(wayTo(a, '10.244.1.5')).toMatch(/^RTNETLINK answers/);
  bridge(a, '10.244.1.1/24');
  expect(wayTo(a, '10.244.1.5')).toBe('cni0');
  a.netns.run(['ip', 'link', 'set', 'cni0', 'down']);
  expect(wayTo(a, '10.244.1.5')).toMatch(/^RTNETLINK answers/);
  expect(blackhole(a)).toContain('10.244.1.0/24');
});

test('SIGTERM ends at once with 0 and leaves the network; cleanup leaves nothing', async () => {
  const [a, b] = await createNodes();
  const untouched = kernelState(a);
  const foreign = ['ip', 'route', 'add', '10.99.0.0/24', 'dev', 'eth0', 'proto', 'static'];
  start(a);
  start(b);
  await ready(a, b);
  await connected(a, b);
  a.netns.run(foreign);
  const startMs = performance.now();
  expect(await kill(a, 'SIGTERM')).toBe(0);
  expect(performance.now() - startMs).toBeLessThan(1_000);
  a.netns.run(['ping', '-c', '1', '-W', '2', '10.244.2.0']);
  const left = kernelState(a);

  const dry = spawn(a, 'cleanup', '--dry-run', '--remove-annotations', ...flags(a));
  const dryText = await new Response(dry.stdout as ReadableStream).text();
  expect(await dry.exited).toBe(0);
  expect(dryText).toContain('would remove: link delete flannel.1');
  expect(dryText).toContain(`would remove: ${subnetFile(a)}`);
  expect(dryText).toContain(`would remove: annotation ${PREFIX}public-ip of node a`);
  expect(comparable(kernelState(a))).toEqual(comparable(left));

  const wet = spawn(a, 'cleanup', '--remove-annotations', ...flags(a));
  const text = await new Response(wet.stdout as ReadableStream).text();
  expect(await wet.exited, text).toBe(0);
  expect(existsSync(subnetFile(a))).toBe(false);
  expect(Object.keys(await annotationsOf('a'))).toEqual([]);
  a.netns.run(['ip', 'route', 'del', '10.99.0.0/24']);
  expect(comparable(kernelState(a))).toEqual(comparable(untouched));
  await waitFor('the end of the routes to a', () => !routesOf(b).includes('10.244.1.0/24'));
});

test('a stripped announcement is made again, a new address is announced, a new backend is followed live', async () => {
  const [a, b] = await createNodes();
  start(a);
  start(b);
  await ready(a, b);
  await connected(a, b);
  const announced = await annotationsOf('a');
  const gone = Object.fromEntries(Object.keys(announced).map((key) => [key, null]));
  await store.mergePatch(NODES, 'a', { metadata: { annotations: gone } });
  await waitFor('the announcement', async () => Bun.deepEquals(await annotationsOf('a'), announced), 2_000);

  a.netns.run(['ip', 'addr', 'del', '192.168.50.1/24', 'dev', 'eth0']);
  a.netns.run(['ip', 'addr', 'add', '192.168.50.11/24', 'dev', 'eth0']);
  a.netns.run(['ip', 'route', 'replace', 'default', 'dev', 'eth0']);
  await waitFor('the new address', () => b.netns.run(['bridge', 'fdb']).includes('dst 192.168.50.11 '), 3_000);
  await waitFor('packets', () => a.netns.exec(['ping', '-c', '1', '-W', '1', '10.244.2.0']).exitCode === 0);

  for (const node of [a, b]) writeFileSync(netConfPath(node), HOST_GW);
  for (const [node, route] of [
    [a, '10.244.2.0/24'],
    [b, '10.244.1.0/24'],
  ] as const) {
    await waitFor(`the direct route of ${node.name}`, () => {
      const [found] = node.netns.json(['ip', '-j', 'route', 'show', route]) as { dev?: string }[];
      return found?.dev === 'eth0';
    });
  }
  await waitFor('the new MTU', () => readFileSync(subnetFile(a), 'utf8').includes('FLANNEL_MTU=1500\n'));

  writeFileSync(netConfPath(a), '{"Network": "10.244.0.0/16", "Backend": {"Type": "wireguard"}}');
  await waitFor('the complaint', () => logOf(a).includes('wireguard is not supported yet'));
  expect(probe(a, '/readyz').status).toBe('200');
  expect(routesOf(a)).toContain('10.244.2.0/24');
});

/** Until nothing is told any more: the log lies beside net-conf.json, so each line makes the agent look there once more. */
async function quiet(node: TestNode): Promise<void> {
  for (let seen = ''; seen !== logOf(node);) {
    seen = logOf(node);
    await Bun.sleep(400);
  }
}

test('a route to a peer outside the connected network that comes or goes decides at once whether it is adjacent', async () => {
  const [a] = await createNodes(HOST_GW);
  const far = nodeObject('far', '10.244.7.0/24');
  const annotations = {
    [`${PREFIX}kube-subnet-manager`]: 'true',
    [`${PREFIX}backend-type`]: 'host-gw',
    [`${PREFIX}backend-data`]: 'null',
    [`${PREFIX}public-ip`]: '198.51.100.7',
  };
  await store.create(NODES, { ...far, metadata: { ...far.metadata, annotations } });
  start(a);
  await ready(a);
  const isAdjacent = (): boolean => routesOf(a).includes('10.244.7.0/24');
  await waitFor('the route over the default route, which is onlink', isAdjacent, 5_000);
  for (const change of ['add', 'del'] as const) {
    await quiet(a);
    a.netns.run(['ip', 'route', change, '198.51.100.7/32', 'via', '192.168.50.2']);
    await waitFor(`the answer to ${change}`, () => isAdjacent() === (change === 'del'), 1_000);
  }
});

test("a pod's route and neighbour that vanish are put back from what ADD recorded", async () => {
  const [a] = await createNodes();
  const pod = createTestNetns('flanneld-pod');
  try {
    connectNetns({ netns: a.netns, name: 'cnl0123456789a' }, { netns: pod, name: 'eth0' });
    const [link] = a.netns.json(['ip', '-j', 'link', 'show', 'cnl0123456789a']) as [{ address: string }];
    const [inside] = pod.json(['ip', '-j', 'link', 'show', 'eth0']) as [{ address: string }];
    const attachment: Attachment = {
      network: 'canal',
      containerId: 'c1',
      containerInterface: unwrap(parseInterfaceName('eth0')),
      netns: pod.path,
      mode: 'routed',
      hostInterface: unwrap(parseInterfaceName('cnl0123456789a')),
      hostMac: unwrap(parseMac(link.address)),
      containerMac: unwrap(parseMac(inside.address)),
      addresses: [unwrap(parseInterfaceAddress('10.244.1.5/32'))],
      gateways: [],
      mtuBytes: 1450,
      bootId: readBootId(),
    };
    const id = { containerId: unwrap(parseContainerId('c1')), containerInterface: attachment.containerInterface };
    createAttachmentStore(`${a.directory}/state`).write(unwrap(parseNetworkName('canal')), id, attachment);
    start(a);
    const podRoute = (): string => a.netns.run(['ip', 'route', 'show', '10.244.1.5']).trim();
    const neighbour = (): string =>
      a.netns.run(['ip', 'neigh', 'show', 'dev', 'cnl0123456789a', 'nud', 'permanent']).trim();
    await waitFor('the route', () => podRoute() !== '', 10_000);
    expect(podRoute()).toContain('10.244.1.5 dev cnl0123456789a proto 204');
    expect(neighbour()).toContain(`10.244.1.5 lladdr ${inside.address}`);
    await ready(a);
    a.netns.run(['ip', 'route', 'del', '10.244.1.5']);
    a.netns.run(['ip', 'neigh', 'flush', 'dev', 'cnl0123456789a', 'nud', 'permanent']);
    await waitFor('the repair', () => podRoute() !== '' && neighbour() !== '', 1_000);
  } finally {
    pod[Symbol.dispose]();
  }
});

test('what is missing is told by /readyz while the agent stays up', async () => {
  const [a] = await createNodes();
  await store
    .mergePatch(NODES, 'a', { spec: { podCIDR: '10.99.1.0/24', podCIDRs: ['10.99.1.0/24'] } })
    .catch(() => undefined);
  writeFileSync(netConfPath(a), '{"Network": "10.99.0.0/24", "Backend": {"Type": "vxlan"}}');
  start(a);
  await waitFor('the reason', () => probe(a, '/readyz').body.includes('is not inside Network 10.99.0.0/24'), 10_000);
  expect(probe(a, '/readyz').status).toBe('503');
  expect(probe(a, '/healthz').status).toBe('200');
  expect(existsSync(subnetFile(a))).toBe(false);
  writeFileSync(netConfPath(a), '{"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan"}}');
  await ready(a);
});

test.each([
  { name: 'IPv6 alone', conf: { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:244::/48' }, families: [6] },
  {
    name: 'dual stack',
    conf: { Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: 'fd00:244::/48' },
    families: [4, 6],
  },
])('$name over vxlan and host-gw', async ({ conf, families }) => {
  const vxlan = JSON.stringify({ ...conf, Backend: { Type: 'vxlan' } });
  const a = createNode('a', vxlan);
  const b = createNode('b', vxlan);
  connectNetns(
    { netns: a.netns, name: 'eth0', addresses: ['192.168.50.1/24', 'fd50::1/64'] },
    { netns: b.netns, name: 'eth0', addresses: ['192.168.50.2/24', 'fd50::2/64'] },
  );
  for (const { netns } of [a, b]) {
    netns.run(['ip', 'route', 'add', 'default', 'dev', 'eth0']);
    netns.run(['ip', '-6', 'route', 'add', 'default', 'dev', 'eth0']);
  }
  for (const [name, podCIDRs] of [
    ['a', ['10.244.1.0/24', 'fd00:244:0:1::/64']],
    ['b', ['10.244.2.0/24', 'fd00:244:0:2::/64']],
  ] as const) {
    await store.create(NODES, { ...nodeObject(name, podCIDRs[0]), spec: { podCIDR: podCIDRs[0], podCIDRs } });
  }
  start(a);
  start(b);
  await ready(a, b);
  const targets = families.map((family) => (family === 4 ? '10.244.2.0' : 'fd00:244:0:2::'));
  for (const target of targets) {
    await waitFor(
      `packets to ${target}`,
      () => a.netns.exec(['ping', '-c', '1', '-W', '1', target]).exitCode === 0,
      10_000,
    );
  }
  expect(readFileSync(subnetFile(a), 'utf8')).toContain('FLANNEL_IPV6_SUBNET=fd00:244:0:1::1/64\n');
  expect(readFileSync(subnetFile(a), 'utf8')).toContain('FLANNEL_MTU=1430\n');
  expect(a.netns.run(['sysctl', '-n', 'net.ipv6.conf.all.forwarding']).trim()).toBe('1');
  expect(Object.keys(await annotationsOf('a')).includes(`${PREFIX}public-ip`)).toBe(families.includes(4));
  expect((await annotationsOf('a'))[`${PREFIX}public-ipv6`]).toBe('fd50::1');

  const hostGw = JSON.stringify({ ...conf, Backend: { Type: 'host-gw' } });
  for (const node of [a, b]) writeFileSync(netConfPath(node), hostGw);
  await waitFor('the direct route', () =>
    a.netns.run(['ip', '-6', 'route']).includes('fd00:244:0:2::/64 via fd50::2 dev eth0'),
  );
});

function logOf(node: TestNode): string {
  return readFileSync(join(directory, `${node.name}.log`), 'utf8');
}

/** What the agent counts as changes of others undone. */
function repairsOf(node: TestNode): number {
  const lines = probe(node, '/metrics').body.matchAll(/^canal_dataplane_drift_repairs_total\{.*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

/**
 * A device that was made again has another index, tables list their entries in the order of their making, and the
 * kernel's own IPv6 link-local addresses come a second after their device.
 */
function comparable(state: Readonly<Record<string, string>>): unknown {
  const lines = (text: string): string[] =>
    text
      .replaceAll(/^\d+: /gm, '')
      .split('\n')
      .filter((line) => !/fe80::|ff00::/.test(line))
      .sort();
  return Object.fromEntries(Object.entries(state).map(([name, text]) => [name, lines(text)]));
}
