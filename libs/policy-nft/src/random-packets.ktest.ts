/**
 * Random clusters: their rules in the kernel, their packets sent, and what arrived held against the words of the API.
 * CANAL_SEED repeats a run, CANAL_PACKETS makes it longer.
 */
import type { PolicyRule } from '@canal/model';
import { createPolicyEngine } from '@canal/policy-compile';
import { judgeByTheWords, type PolicyCluster } from '@canal/policy-oracle';
import { packetPlaces, Random, randomCluster, randomPacket } from '@canal/policy-oracle/testing';
import type { RulePacket, RuleView } from '@canal/rules-ast';
import {
  createPolicyWorld,
  createProber,
  type Injection,
  OTHER_NODE,
  type PolicyWorld,
  type Prober,
  type SeenPacket,
  type TestNetns,
  type WorldPod,
} from '@canal/testing';
import { formatIp, type Ip, ipFamily, parseInterfaceName, parseMac, unwrap } from 'net-types';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';

const SEED = Number(process.env['CANAL_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const PACKETS = Number(process.env['CANAL_PACKETS'] ?? 2500);
const PACKETS_OF_CLUSTER = 80;
/** More than any cluster has endpoints. */
const PODS = 11;
const WAIT_MS = 100;

let world: PolicyWorld;
let prober: Prober;

beforeAll(() => {
  world = createPolicyWorld(PODS);
  prober = createProber();
  const { node, far } = world;
  for (const name of ['all', 'default', 'eth0', ...world.pods.map(({ hostInterface }) => hostInterface)]) {
    node.run(['sysctl', '-qw', `net.ipv4.conf.${name}.rp_filter=0`]);
  }
  // Whatever is no pod of this node is beyond the other one, and what is said there has no answer.
  for (const via of [OTHER_NODE.ip4, OTHER_NODE.ip6]) node.run(['ip', 'route', 'add', 'default', 'via', via]);
  for (const via of ['192.0.2.1', '2001:db8::1']) far.run(['ip', 'route', 'add', 'default', 'via', via]);
  // What the node lets in is counted behind the judge: a capture there would see it before.
  node.run(['nft', '-f', '-'], { stdin: RECEIVED });
});

afterAll(async () => {
  await prober[Symbol.asyncDispose]();
  world[Symbol.dispose]();
});

const RECEIVED = `table inet received {
  set at4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags dynamic; size 65535;
  }
  set at6 { type ipv6_addr . ipv6_addr . inet_proto . inet_service; flags dynamic; size 65535;
  }
  set of4 { type ipv4_addr . ipv4_addr . inet_proto; flags dynamic; size 65535;
  }
  set of6 { type ipv6_addr . ipv6_addr . inet_proto; flags dynamic; size 65535;
  }
  chain input {
    type filter hook input priority 300;
    meta l4proto { tcp, udp, sctp } add @at4 { ip saddr . ip daddr . meta l4proto . th sport }
    meta l4proto { tcp, udp, sctp } add @at6 { ip6 saddr . ip6 daddr . meta l4proto . th sport }
    add @of4 { ip saddr . ip daddr . meta l4proto }
    add @of6 { ip6 saddr . ip6 daddr . meta l4proto }
  }
}
`;

interface Case {
  readonly packet: RulePacket;
  readonly from: TestNetns;
  /** Undefined: this node. */
  readonly to: TestNetns | undefined;
  readonly sourcePort: number;
}

interface Tally {
  readonly allowed: number;
  readonly denied: number;
  readonly differences: readonly string[];
}

/** Each endpoint of the cluster on a pod of the world; of an address that two have, the first keeps it. */
function onPods(cluster: PolicyCluster): PolicyCluster {
  const taken = new Set<Ip>();
  const endpoints = cluster.endpoints
    .flatMap((endpoint) => {
      const addresses = endpoint.addresses.filter((address) => !taken.has(address));
      for (const address of addresses) taken.add(address);
      return addresses.length === endpoint.addresses.length ? [endpoint] : [];
    })
    .slice(0, PODS)
    .map((endpoint, index) => {
      const { hostInterface, mac } = podAt(index);
      return { ...endpoint, hostInterface: unwrap(parseInterfaceName(hostInterface)), mac: unwrap(parseMac(mac)) };
    });
  return { ...cluster, endpoints };
}

function podAt(index: number): WorldPod {
  const pod = world.pods[index];
  if (pod === undefined) throw new RangeError(`more than ${PODS} endpoints`);
  return pod;
}

/** The node's ways to its pods, as the plugin makes them; its own addresses. */
function wire(cluster: PolicyCluster): () => void {
  const lines = cluster.endpoints.flatMap(({ addresses }, index) =>
    addresses.map((address) => ({ address: formatIp(address), pod: podAt(index) })),
  );
  const batch = (commands: readonly string[]): void => {
    world.node.run(['ip', '-batch', '-'], { stdin: `${commands.join('\n')}\n` });
  };
  const own = cluster.ownNodeAddresses.map((address) => `${formatIp(address)}/${ipFamily(address) === 4 ? 32 : 128}`);
  batch([
    ...own.map((address) => `address replace ${address} dev lo`),
    ...lines.flatMap(({ address, pod }) => [
      `route replace ${address} dev ${pod.hostInterface}`,
      `neigh replace ${address} lladdr ${pod.mac} dev ${pod.hostInterface} nud permanent`,
    ]),
  ]);
  return () => {
    batch(
      lines.flatMap(({ address, pod }) => [
        `route del ${address} dev ${pod.hostInterface}`,
        `neigh del ${address} dev ${pod.hostInterface}`,
      ]),
    );
  };
}

function viewOf(cluster: PolicyCluster): RuleView {
  const engine = createPolicyEngine();
  for (const namespace of cluster.namespaces) engine.putNamespace(namespace);
  for (const pod of cluster.pods) engine.putPod(pod);
  for (const policy of cluster.policies) engine.putPolicy(policy);
  for (const endpoint of cluster.endpoints) engine.putEndpoint(endpoint);
  engine.setNodeAddresses(cluster.ownNodeAddresses, cluster.otherNodeAddresses);
  engine.flush();
  return engine.view;
}

/** Packets that the node passes on, one end at least a pod of it; flows that are none of each other's answers. */
function* casesOf(random: Random, cluster: PolicyCluster): Generator<Case> {
  const places = packetPlaces(cluster);
  const known = new Set<string>();
  let sourcePort = 20_000;
  for (let tries = 0; tries < 6 * PACKETS_OF_CLUSTER && sourcePort < 20_000 + PACKETS_OF_CLUSTER; tries++) {
    const packet = randomPacket(random, places);
    const { source, destination, protocol, destinationPort } = packet;
    const [from, to] = [netnsOf(cluster, source), netnsOf(cluster, destination)];
    const isOfPod = [from, to].some((netns) => netns !== world.node && netns !== world.far);
    if (!isOfPod || source === destination || !isUnicast(source) || !isUnicast(destination)) continue;
    // No policy lets a pod send an encapsulation (the guard's rules, in other tests).
    if (protocol === 47 && from !== world.far && from !== world.node) continue;
    if (destinationPort === undefined) {
      const pair = [formatIp(source), formatIp(destination)].sort().join(' ');
      if (known.has(`${pair} ${protocol}`)) continue;
      known.add(`${pair} ${protocol}`);
    }
    yield { packet, from, to: to === world.node ? undefined : to, sourcePort: sourcePort++ };
  }
}

function netnsOf(cluster: PolicyCluster, address: Ip): TestNetns {
  const index = cluster.endpoints.findIndex(({ addresses }) => addresses.includes(address));
  if (index >= 0) return podAt(index).netns;
  return cluster.ownNodeAddresses.includes(address) ? world.node : world.far;
}

/** What can be forwarded at all. */
function isUnicast(address: Ip): boolean {
  const text = formatIp(address);
  if (typeof address === 'number') {
    const first = address >>> 24;
    return first !== 0 && first !== 127 && first < 224;
  }
  // The last are the world's own link.
  return !/^(?:::|f[ef]|2001:db8::)/.test(text);
}

function injectionOf({
  packet: { source, destination, protocol, destinationPort },
  from,
  sourcePort,
}: Case): Injection {
  const ends = { source: formatIp(source), destination: formatIp(destination) };
  if (destinationPort !== undefined) {
    const name = ({ 6: 'tcp', 17: 'udp', 132: 'sctp' } as const)[protocol];
    if (name === undefined) throw new RangeError(`protocol ${protocol} has no ports`);
    return { from, packet: { ...ends, protocol: name, sourcePort, port: destinationPort } };
  }
  if (protocol === 1 || protocol === 58) {
    const body = sourcePort.toString(16).padStart(4, '0') + '0001';
    return { from, packet: { ...ends, protocol: 'icmp', type: protocol === 1 ? 8 : 128, body } };
  }
  return { from, packet: { ...ends, protocol, body: '0000080000000000' } };
}

type Arrivals = (one: Case) => boolean;

/** Sends all of them; tells which came to their destinations. */
async function send(cases: readonly Case[]): Promise<Arrivals> {
  for (const set of ['at4', 'at6', 'of4', 'of6']) world.node.run(['nft', 'flush', 'set', 'inet', 'received', set]);
  const places = [world.far, ...world.pods.map(({ netns }) => netns)];
  const seen = await prober.inject(cases.map(injectionOf), places, WAIT_MS);
  const atNode = receivedByNode();
  const keys = new Map(places.map((netns, index) => [netns, new Set((seen[index] ?? []).map(keyOfSeen))]));
  return (one) => {
    const { source, destination, protocol, destinationPort } = one.packet;
    const ends = `${formatIp(source)} ${formatIp(destination)} ${protocol}`;
    if (one.to === undefined) return atNode.has(destinationPort === undefined ? ends : `${ends} ${one.sourcePort}`);
    const detail = protocol === 1 ? 8 : protocol === 58 ? 128 : destinationPort === undefined ? '' : one.sourcePort;
    return keys.get(one.to)?.has(`${ends} ${detail}`) ?? false;
  };
}

function keyOfSeen({ source, destination, protocol, sourcePort, type }: SeenPacket): string {
  return `${source ?? ''} ${destination ?? ''} ${protocol ?? ''} ${sourcePort ?? type ?? ''}`;
}

const PROTOCOL_NAMES: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  gre: 47,
  'ipv6-icmp': 58,
  icmpv6: 58,
  sctp: 132,
};

/** From nft's listing: `source destination protocol [source port]`. */
function receivedByNode(): Set<string> {
  const { nftables } = world.node.json(['nft', '-j', 'list', 'table', 'inet', 'received']) as {
    nftables: { set?: { elem?: { concat: (string | number)[] }[] } }[];
  };
  const elements = nftables.flatMap(({ set }) => set?.elem ?? []);
  return new Set(
    elements.map(({ concat: [source, destination, protocol, port] }) => {
      const number = typeof protocol === 'number' ? protocol : PROTOCOL_NAMES[protocol ?? ''];
      if (number === undefined) throw new Error(`protocol ${protocol ?? ''} has no number here`);
      return [source, destination, number, ...(port === undefined ? [] : [port])].join(' ');
    }),
  );
}

/** `spoil`: what the kernel gets is made of another cluster. */
async function run(seed: number, packets: number, spoil: (cluster: PolicyCluster) => PolicyCluster): Promise<Tally> {
  const random = new Random(seed);
  const tally = { allowed: 0, denied: 0, differences: [] as string[] };
  const kernel = createPolicyKernel({ netns: world.node.path });
  for (let clusters = 0; tally.allowed + tally.denied < packets; clusters++) {
    const cluster = onPods(randomCluster(random));
    const unwire = wire(cluster);
    const nodeAddresses = [...cluster.ownNodeAddresses, ...cluster.otherNodeAddresses];
    await kernel.resync(viewOf(spoil(cluster)), { nodeAddresses, tunnelPorts: [], allowSample: 0 });
    world.node.run(['conntrack', '-F']);
    const cases = [...casesOf(random, cluster)];
    const arrived = await send(cases);
    for (const one of cases) {
      const { verdict } = judgeByTheWords(cluster, one.packet);
      tally[verdict === 'allow' ? 'allowed' : 'denied']++;
      const observed = arrived(one) ? 'allow' : 'deny';
      if (observed !== verdict)
        tally.differences.push(`cluster ${clusters}: ${describe(one)}: ${observed}, not ${verdict}`);
    }
    unwire();
  }
  kernel.close();
  return tally;
}

function describe({ packet: { source, destination, protocol, destinationPort } }: Case): string {
  return `${formatIp(source)} -> ${formatIp(destination)} protocol ${protocol} port ${destinationPort ?? 'none'}`;
}

test(
  `the kernel does to packets what the words of the API say (CANAL_SEED=${SEED})`,
  { timeout: 600_000 },
  async () => {
    const started = performance.now();
    const { allowed, denied, differences } = await run(SEED, PACKETS, (cluster) => cluster);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(
      `seed ${SEED}: ${allowed + denied} packets in ${seconds} s, ${allowed} allowed, ${denied} denied, ${differences.length} differences\n`,
    );
    expect(differences.slice(0, 20)).toEqual([]);
    expect(allowed).toBeGreaterThan(PACKETS / 10);
    expect(denied).toBeGreaterThan(PACKETS / 10);
  },
);

const withoutExceptions = (rule: PolicyRule): PolicyRule => ({
  ...rule,
  peers: rule.peers === 'any' ? 'any' : rule.peers.map((peer) => ('except' in peer ? { ...peer, except: [] } : peer)),
});

/** Clusters in which each of these shows. */
const SPOILT_SEED = 1;

/** What would be found if the rules said something else. */
test.each<[string, (cluster: PolicyCluster) => PolicyCluster]>([
  ['policies', (cluster) => ({ ...cluster, policies: [] })],
  ['egress', (cluster) => ({ ...cluster, policies: cluster.policies.map(({ egress: _, ...rest }) => rest) })],
  [
    'exceptions',
    (cluster) => ({
      ...cluster,
      policies: cluster.policies.map((policy) => ({
        ...policy,
        ...(policy.ingress && { ingress: policy.ingress.map(withoutExceptions) }),
        ...(policy.egress && { egress: policy.egress.map(withoutExceptions) }),
      })),
    }),
  ],
  ['a pod', (cluster) => ({ ...cluster, pods: cluster.pods.slice(1) })],
])('rules that lack %s are found out', { timeout: 300_000 }, async (name, spoil) => {
  const { differences } = await run(SPOILT_SEED, 1000, spoil);
  process.stdout.write(`without ${name}: ${differences.length} differences\n`);
  expect(differences.length).toBeGreaterThan(0);
});
