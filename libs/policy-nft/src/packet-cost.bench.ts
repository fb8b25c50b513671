/**
 * What the first packets of flows cost, by the number of policies on the sender: ours, chains shaped as Calico's
 * (iptables: two rules a policy in the pod's chain, a chain with two rules for each), and one rule with an ipset for each
 * policy. Each in a node of its own, in turns. A packet is sent, forwarded and received within one system call of its
 * sender, so that its time is that of the whole path; the least of all rounds is given, because the machine may be busy.
 * Then what flows that are known cost: round trips of one byte, and connections of one byte.
 */
import { loadavg } from 'node:os';
import type { NetworkPolicy } from '@canal/model';
import { createPolicyEngine } from '@canal/policy-compile';
import { createPolicyWorld, type PolicyWorld, REMOTE_POD, type WorldPod } from '@canal/testing';
import { type Ip, type Mac, parseInterfaceName, unwrap } from 'net-types';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { ip } from './testing/rules.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 9);
const SIZES = (process.env['SIZES'] ?? '100,1000,10000').split(',').map(Number);
const PORT = 5000;

/** Sends for a while and prints the nanoseconds of a packet: UDP to somebody who never answers. */
const SENDER = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("${REMOTE_POD.ip4}", int(sys.argv[1])))
data = b"x" * 18
best = 1e18
end = time.perf_counter() + 0.5
while time.perf_counter() < end:
  begin = time.perf_counter_ns()
  for _ in range(100): s.send(data)
  best = min(best, (time.perf_counter_ns() - begin) / 100)
print(best)
`;

const SERVER = `
import socket, sys, threading
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
u.bind(("${REMOTE_POD.ip4}", int(sys.argv[1])))
t = socket.socket()
t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
t.bind(("${REMOTE_POD.ip4}", int(sys.argv[1])))
t.listen(128)
print("ready", flush=True)
while True:
  c, _ = t.accept()
  try:
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while c.send(c.recv(1)): pass
  except ConnectionError: pass
  c.close()
`;

/** Medians in microseconds: a byte there and back on a known connection; a new connection with one byte. */
const CLIENT = `
import socket, sys, time, struct
def connect():
  s = socket.socket()
  s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
  s.connect(("${REMOTE_POD.ip4}", int(sys.argv[1])))
  s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
  return s
def median(work, count):
  times = []
  for _ in range(count):
    begin = time.perf_counter_ns()
    work()
    times.append(time.perf_counter_ns() - begin)
  return sorted(times)[count // 2] / 1000
s = connect()
def trip():
  s.send(b"x"); s.recv(1)
def crr():
  c = connect()
  c.send(b"x"); c.recv(1); c.close()
rtt = median(trip, 500)
s.close()
print(rtt, median(crr, 50))
`;

interface Design {
  readonly name: string;
  readonly world: PolicyWorld;
  readonly server: Bun.Subprocess<'ignore', 'pipe', 'inherit'>;
  readonly packet: number[];
  readonly roundTrip: number[];
  readonly connection: number[];
}

async function design(
  name: string,
  setUp: (world: PolicyWorld, pod: WorldPod) => void | Promise<void>,
): Promise<Design> {
  const world = createPolicyWorld(1);
  const [pod] = world.pods;
  if (pod === undefined) throw new Error('one pod');
  await setUp(world, pod);
  const server = world.far.within(() =>
    Bun.spawn(['python3', '-c', SERVER, String(PORT)], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' }),
  );
  await server.stdout.getReader().read();
  return { name, world, server, packet: [], roundTrip: [], connection: [] };
}

/** Each allows UDP and TCP to a port of its own, at three peers of its own; the last one what is measured. */
function peersOf(index: number, count: number): string[] {
  if (index === count - 1) return [REMOTE_POD.ip4];
  return [1, 2, 3].map((last) => `172.${16 + (index >> 14)}.${(index >> 6) & 255}.${((index & 63) << 2) | last}`);
}
const portOf = (index: number, count: number): number => (index === count - 1 ? PORT : 10_000 + (index % 50_000));

async function ours(world: PolicyWorld, pod: WorldPod, count: number): Promise<void> {
  const engine = createPolicyEngine();
  const labels = { app: 'a' };
  engine.putNamespace({ name: 'ns', labels: {} });
  const common = { namespace: 'ns', node: 'n', hostNetwork: false, completed: false, ports: [], createdMs: 1 };
  engine.putPod({ ...common, name: 'a', uid: 'a', labels, addresses: [pod.ip4, pod.ip6].map(ip) });
  for (let index = 0; index < count; index++) {
    for (const [at, address] of peersOf(index, count).entries()) {
      const name = `p${index}-${at}`;
      engine.putPod({ ...common, name, uid: name, labels: { peer: String(index) }, addresses: [ip(address)] });
    }
    const port = { first: portOf(index, count), last: portOf(index, count) };
    const policy: NetworkPolicy = {
      namespace: 'ns',
      name: `policy-${index}`,
      uid: String(index),
      podSelector: [{ key: 'app', operator: 'In', values: ['a'] }],
      egress: [
        {
          index: 0,
          peers: [
            { type: 'pods', namespaces: 'own', pods: [{ key: 'peer', operator: 'In', values: [String(index)] }] },
          ],
          ports: [
            { protocol: 'UDP', port },
            { protocol: 'TCP', port },
          ],
        },
      ],
      problems: [],
    };
    engine.putPolicy(policy);
  }
  engine.putEndpoint({
    key: 'a/eth0',
    pod: { namespace: 'ns', name: 'a', uid: 'a' },
    hostInterface: unwrap(parseInterfaceName(pod.hostInterface)),
    mode: 'routed',
    addresses: [pod.ip4, pod.ip6].map((text): Ip => ip(text)),
    mac: 0 as unknown as Mac,
  });
  engine.flush();
  const kernel = createPolicyKernel({ netns: world.node.path });
  const guard = { nodeAddresses: [ip('192.0.2.1'), ip('192.0.2.2')], tunnelPorts: [8472], allowSample: 0 };
  await kernel.resync(engine.view, guard);
  kernel.close();
}

const MARK = '0x10000/0x10000';

function ipsets(world: PolicyWorld, count: number): void {
  const lines = Array.from({ length: count }, (_, index) => [
    `create s${index} hash:ip family inet`,
    ...peersOf(index, count).map((address) => `add s${index} ${address}`),
  ]);
  world.node.run(['ipset', 'restore'], { stdin: `${lines.flat().join('\n')}\n` });
}

function legacy(world: PolicyWorld, chains: readonly string[], rules: readonly string[]): void {
  const text = ['*filter', ...chains.map((chain) => `:${chain} - [0:0]`), ...rules, 'COMMIT', ''].join('\n');
  world.node.run(['iptables-legacy-restore', '--noflush'], { stdin: text });
}

const toPod = (pod: WorldPod): string[] => [
  `-A FORWARD -i ${pod.hostInterface} -j from-pod`,
  '-A from-pod -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-A from-pod -m conntrack --ctstate INVALID -j DROP',
];

function calicoShaped(world: PolicyWorld, pod: WorldPod, count: number): void {
  ipsets(world, count);
  const indices = Array.from({ length: count }, (_, index) => index);
  legacy(
    world,
    ['from-pod', ...indices.map((index) => `po-${index}`)],
    [
      ...indices.flatMap((index) =>
        ['udp', 'tcp'].map(
          (protocol) =>
            `-A po-${index} -p ${protocol} -m set --match-set s${index} dst -m ${protocol} --dport ${portOf(index, count)} -j MARK --set-xmark ${MARK}`,
        ),
      ),
      ...indices.map((index) => `-A po-${index} -m mark --mark ${MARK} -j RETURN`),
      ...toPod(pod),
      '-A from-pod -j MARK --set-xmark 0x0/0x10000',
      ...indices.flatMap((index) => [`-A from-pod -j po-${index}`, `-A from-pod -m mark --mark ${MARK} -j RETURN`]),
      '-A from-pod -j DROP',
    ],
  );
}

function ipsetChains(world: PolicyWorld, pod: WorldPod, count: number): void {
  ipsets(world, count);
  legacy(
    world,
    ['from-pod'],
    [
      ...toPod(pod),
      ...Array.from({ length: count }, (_, index) =>
        ['udp', 'tcp'].map(
          (protocol) =>
            `-A from-pod -p ${protocol} -m ${protocol} --dport ${portOf(index, count)} -m set --match-set s${index} dst -j ACCEPT`,
        ),
      ).flat(),
      '-A from-pod -j DROP',
    ],
  );
}

function conntrackAlone(world: PolicyWorld): void {
  legacy(world, [], ['-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT']);
}

const run = (place: { run: (argv: string[]) => string }, program: string): number[] =>
  place
    .run(['taskset', '-c', '1', 'python3', '-c', program, String(PORT)])
    .trim()
    .split(' ')
    .map(Number);

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const designs: Design[] = [
  await design('no rules', () => undefined),
  await design('conntrack and one rule', (world) => conntrackAlone(world)),
];
try {
  designs.push(await design('ours, no policy', (world, pod) => ours(world, pod, 0)));
  for (const size of SIZES) {
    designs.push(await design(`ours, ${size} policies`, (world, pod) => ours(world, pod, size)));
    designs.push(await design(`Calico's shape, ${size} policies`, (world, pod) => calicoShaped(world, pod, size)));
    designs.push(await design(`ipset for each, ${size} policies`, (world, pod) => ipsetChains(world, pod, size)));
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const { world, packet, roundTrip, connection } of designs) {
      const [pod] = world.pods;
      if (pod === undefined) continue;
      packet.push(...run(pod.netns, SENDER));
      const [trip = 0, connect = 0] = run(pod.netns, CLIENT);
      roundTrip.push(trip);
      connection.push(connect);
    }
  }
  const base = Math.min(...(designs[1]?.packet ?? []));
  console.log(`load ${loadavg()[0]?.toFixed(1) ?? '?'}; ${ROUNDS} rounds; least (median of rounds)`);
  console.log(
    `${''.padEnd(36)} ${'new flow'.padStart(20)} ${'over conntrack'.padStart(15)} ${'round trip'.padStart(18)} ${'connection'.padStart(18)}`,
  );
  const cell = (values: readonly number[]): string =>
    `${Math.min(...values).toFixed(1)} (${median(values).toFixed(1)}) µs`;
  for (const { name, packet, roundTrip, connection } of designs) {
    const us = packet.map((ns) => ns / 1000);
    const over = ((Math.min(...packet) - base) / 1000).toFixed(2);
    console.log(
      `${name.padEnd(36)} ${cell(us).padStart(20)} ${`${over} µs`.padStart(15)} ${cell(roundTrip).padStart(18)} ${cell(connection).padStart(18)}`,
    );
  }
} finally {
  for (const { world, server } of designs) {
    server.kill();
    world[Symbol.dispose]();
  }
}
