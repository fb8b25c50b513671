/**
 * The engine's rules, judged by a model of the kernel, against the words of the API: random clusters, random packets.
 * CANAL_SEED repeats a run, CANAL_CASES makes it longer.
 */
import { judgeByTheWords, type PolicyCluster } from '@canal/policy-oracle';
import {
  changeCluster,
  packetPlaces,
  peersBy,
  podsBy,
  portsBy,
  Random,
  randomCluster,
  randomPacket,
  rulesBy,
  shrinkCluster,
  type Spoil,
} from '@canal/policy-oracle/testing';
import { PacketJudge, type PacketVerdict, type RulePacket } from '@canal/rules-ast';
import { formatCidr, formatIp, type Ip } from 'net-types';
import { expect, test } from 'vitest';
import { createPolicyEngine } from './create-policy-engine.ts';
import type { PolicyEngine } from './policy-engine.ts';

const SEED = Number(process.env['CANAL_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const CASES = Number(process.env['CANAL_CASES'] ?? 125_000);
const PACKETS = 50;
const FLATTENINGS = [0, undefined, Infinity];
const TIMEOUT = { timeout: 3_600_000 };

test(`the engine agrees with the words of the API (CANAL_SEED=${SEED})`, TIMEOUT, () => {
  const random = new Random(SEED);
  const seen: Record<PacketVerdict, number> = { allowed: 0, 'egress-denied': 0, 'ingress-denied': 0 };
  let cases = 0;
  while (cases < CASES) {
    const cluster = randomCluster(random);
    const places = packetPlaces(cluster);
    const judges = FLATTENINGS.map((flattenAbove) => judgeOf(cluster, flattenAbove));
    for (let count = 0; count < PACKETS; count++, cases++) {
      const packet = randomPacket(random, places);
      const wanted = verdictOfWords(cluster, packet);
      seen[wanted]++;
      for (const [at, judge] of judges.entries()) {
        if (judge.judge(packet) !== wanted) throw new Error(describeDifference(cluster, packet, FLATTENINGS[at]));
      }
    }
  }
  process.stdout.write(`seed ${SEED}: ${cases} cases, 0 differences, ${JSON.stringify(seen)}\n`);
  // Of each verdict so many that a rule misread would show.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(cases / 20);
});

test(`step by step, with flushes between, it agrees too (CANAL_SEED=${SEED})`, TIMEOUT, () => {
  const random = new Random(SEED);
  let cases = 0;
  while (cases < CASES / 2) {
    const engine = createPolicyEngine({ flattenAbove: random.pick([0, 2, 8]) });
    const judge = new PacketJudge(engine.view, randomCluster(random).ownNodeAddresses);
    const flush = (): void => {
      const delta = engine.flush();
      if (delta !== undefined) judge.update(delta);
    };
    let cluster: PolicyCluster | undefined;
    for (let step = 0; step < 12; step++) {
      const next: PolicyCluster = cluster === undefined ? randomCluster(random) : changeCluster(random, cluster, step);
      const flushesBetween = random.chance(70);
      for (const change of random.shuffled(changesOf(engine, cluster, next))) {
        change();
        if (flushesBetween && random.chance(15)) flush();
      }
      if (!flushesBetween && cluster !== undefined) expectUnflushed(random, engine, cluster);
      flush();
      cluster = next;
      const places = packetPlaces(cluster);
      for (let count = 0; count < PACKETS / 2; count++, cases++) {
        const packet = randomPacket(random, places);
        const [words, rules] = [verdictOfWords(cluster, packet), judge.judge(packet)];
        if (words !== rules) {
          const fresh = judgeOf(cluster, undefined).judge(packet);
          const verdicts = `words: ${words}, engine: ${rules}, engine made anew: ${fresh}`;
          throw new Error([`step ${step}: ${describe(packet)}`, verdicts, readable(cluster)].join('\n'));
        }
      }
    }
  }
  process.stdout.write(`seed ${SEED}: ${cases} cases step by step, 0 differences\n`);
});

/** What was put or deleted shows in a flush alone, so a view that is read late is still that of the last flush. */
function expectUnflushed(random: Random, engine: PolicyEngine, before: PolicyCluster): void {
  const judge = new PacketJudge(engine.view, before.ownNodeAddresses);
  const places = packetPlaces(before);
  for (let count = 0; count < PACKETS / 2; count++) {
    const packet = randomPacket(random, places);
    expect([describe(packet), judge.judge(packet)]).toEqual([describe(packet), verdictOfWords(before, packet)]);
  }
}

/** Egress rules whose ports are all named, without the blocks among their peers. */
const withoutNamedBlocks: Spoil = (cluster) => ({
  ...cluster,
  policies: cluster.policies.map((policy) => ({
    ...policy,
    ...(policy.egress && {
      egress: policy.egress.map(({ index, peers, ports }) => {
        const named = ports !== 'any' && ports.every(({ port }) => typeof port === 'object' && 'name' in port);
        return { index, ports, peers: named && peers !== 'any' ? peers.filter(({ type }) => type !== 'block') : peers };
      }),
    }),
  })),
});

/** What an engine would do that misreads one thing: it is asked about a cluster that lacks it. */
test.each<[string, (cluster: PolicyCluster) => PolicyCluster]>([
  ['exceptions', peersBy((peer) => ('except' in peer ? { ...peer, except: [] } : peer))],
  ['namespace selectors', peersBy((peer) => ('pods' in peer ? { ...peer, namespaces: [] } : peer))],
  ['pod selectors of peers', peersBy((peer) => ('pods' in peer ? { ...peer, pods: [] } : peer))],
  [
    'an absent namespace selector',
    peersBy((peer) => ('pods' in peer && peer.namespaces === 'own' ? { ...peer, namespaces: [] } : peer)),
  ],
  ['lists of nobody', rulesBy((rule) => ({ ...rule, peers: rule.peers.length === 0 ? 'any' : rule.peers }))],
  ['lists of no port', rulesBy((rule) => ({ ...rule, ports: rule.ports.length === 0 ? 'any' : rule.ports }))],
  ['SCTP', portsBy((port) => (port.protocol === 'SCTP' ? { ...port, protocol: 'TCP' } : port))],
  [
    'names of ports',
    portsBy((port) => (typeof port.port === 'object' && 'name' in port.port ? { ...port, port: 'all' } : port)),
  ],
  ['named ports at blocks', withoutNamedBlocks],
  [
    'endPort',
    portsBy((port) =>
      typeof port.port === 'object' && 'first' in port.port
        ? { ...port, port: { first: port.port.first, last: port.port.first } }
        : port,
    ),
  ],
  [
    'the protocol of a named port',
    podsBy((pod) => ({ ...pod, ports: pod.ports.map((port) => ({ ...port, protocol: 'TCP' })) })),
  ],
  [
    'a second number of one name',
    podsBy((pod) => ({
      ...pod,
      ports: pod.ports.filter(
        ({ name, protocol }, at) =>
          at === pod.ports.findIndex((port) => port.name === name && port.protocol === protocol),
      ),
    })),
  ],
  ['that a pod is over', podsBy((pod) => ({ ...pod, completed: false }))],
  ['that a pod is on the host’s network', podsBy((pod) => ({ ...pod, hostNetwork: false }))],
  ['that a pod is being deleted', podsBy(({ deleting: _, ...pod }) => pod)],
  ['which pod is younger', podsBy((pod) => ({ ...pod, createdMs: -pod.createdMs }))],
  ['IPv6', podsBy((pod) => ({ ...pod, addresses: pod.addresses.filter((ip) => typeof ip === 'number') }))],
  [
    'what is no rule',
    (cluster) => ({
      ...cluster,
      policies: cluster.policies.filter(({ ingress, egress }) => (ingress?.length ?? 0) + (egress?.length ?? 0) > 0),
    }),
  ],
  ['egress', (cluster) => ({ ...cluster, policies: cluster.policies.map(({ egress: _, ...policy }) => policy) })],
  [
    'that endpoints are of unknown pods',
    (cluster) => ({
      ...cluster,
      endpoints: cluster.endpoints.filter(({ pod }) => cluster.pods.some(({ uid }) => uid === pod?.uid)),
    }),
  ],
  ['that the node reaches its pods', (cluster) => ({ ...cluster, ownNodeAddresses: [] })],
])('an engine that misses %s is found out', (_, spoil) => {
  const random = new Random(SEED);
  for (let count = 0; count < 3000; count++) {
    const cluster = randomCluster(random);
    const places = packetPlaces(cluster);
    const judge = judgeOf(spoil(cluster), undefined);
    for (let at = 0; at < PACKETS; at++) {
      const packet = randomPacket(random, places);
      if (judge.judge(packet) !== verdictOfWords(cluster, packet)) return;
    }
  }
  expect.fail('no packet of 3000 clusters tells');
});

function verdictOfWords(cluster: PolicyCluster, packet: RulePacket): PacketVerdict {
  const { egress, ingress } = judgeByTheWords(cluster, packet);
  if (egress === 'deny') return 'egress-denied';
  return ingress === 'deny' ? 'ingress-denied' : 'allowed';
}

function judgeOf(cluster: PolicyCluster, flattenAbove: number | undefined): PacketJudge {
  return new PacketJudge(engineWith(cluster, flattenAbove).view, cluster.ownNodeAddresses);
}

function engineWith(cluster: PolicyCluster, flattenAbove: number | undefined): PolicyEngine {
  const engine = createPolicyEngine(flattenAbove === undefined ? {} : { flattenAbove });
  for (const change of changesOf(engine, undefined, cluster)) change();
  engine.flush();
  return engine;
}

/** What an engine is told to get from one cluster to the next; no order of them matters. */
function changesOf(engine: PolicyEngine, before: PolicyCluster | undefined, after: PolicyCluster): (() => void)[] {
  return [
    ...changesOfKind(before?.namespaces, after.namespaces, ({ name }) => name, {
      put: (namespace) => engine.putNamespace(namespace),
      delete: ({ name }) => engine.deleteNamespace(name),
    }),
    ...changesOfKind(before?.pods, after.pods, pathOf, {
      put: (pod) => engine.putPod(pod),
      delete: ({ namespace, name }) => engine.deletePod(namespace, name),
    }),
    ...changesOfKind(before?.policies, after.policies, pathOf, {
      put: (policy) => engine.putPolicy(policy),
      delete: ({ namespace, name }) => engine.deletePolicy(namespace, name),
    }),
    ...changesOfKind(before?.endpoints, after.endpoints, ({ key }) => key, {
      put: (endpoint) => engine.putEndpoint(endpoint),
      delete: ({ key }) => engine.deleteEndpoint(key),
    }),
    () => engine.setNodeAddresses(after.ownNodeAddresses, after.otherNodeAddresses),
  ];
}

function changesOfKind<T>(
  before: readonly T[] = [],
  after: readonly T[],
  keyOf: (item: T) => string,
  tell: { put: (item: T) => void; delete: (item: T) => void },
): (() => void)[] {
  const kept = new Set(after.map(keyOf));
  return [
    ...before.filter((item) => !kept.has(keyOf(item))).map((item) => () => tell.delete(item)),
    ...after.filter((item) => !before.includes(item)).map((item) => () => tell.put(item)),
  ];
}

function pathOf({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

function describeDifference(cluster: PolicyCluster, packet: RulePacket, flattenAbove: number | undefined): string {
  const engineSays = (of: PolicyCluster): PacketVerdict => judgeOf(of, flattenAbove).judge(packet);
  const smallest = shrinkCluster(cluster, (smaller) => engineSays(smaller) !== verdictOfWords(smaller, packet));
  return [
    `seed ${SEED}, flattenAbove ${flattenAbove}: ${describe(packet)}`,
    `words: ${verdictOfWords(smallest, packet)}, engine: ${engineSays(smallest)}`,
    readable(smallest),
    readable({ chains: [...engineWith(smallest, flattenAbove).view.chains()] }),
  ].join('\n');
}

function describe({ source, destination, protocol, destinationPort }: RulePacket): string {
  return `${formatIp(source)} -> ${formatIp(destination)} protocol ${protocol} port ${destinationPort}`;
}

/** JSON with addresses and blocks as text. */
function readable(value: unknown): string {
  return JSON.stringify(
    value,
    (key, part: unknown) => {
      if (typeof part === 'object' && part !== null && 'prefixLen' in part) return formatCidr(part as never);
      if (/^(?:own|other)NodeAddresses$|^addresses$/.test(key)) return (part as Ip[]).map(formatIp);
      return part;
    },
    1,
  );
}
