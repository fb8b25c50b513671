/**
 * Explanations against the words of the API: the ends on this node, and those on others as their own nodes would judge
 * them. CANAL_SEED repeats a run, CANAL_CLUSTERS makes it longer.
 */
import { judgeByTheWords, type PolicyCluster } from '@canal/policy-oracle';
import { packetPlaces, Random, randomCluster, randomPacket, shrinkCluster } from '@canal/policy-oracle/testing';
import type { RulePacket } from '@canal/rules-ast';
import type { PolicyEndpoint } from '@canal/model';
import { formatIp, type InterfaceName, type Mac } from 'net-types';
import { expect, test } from 'vitest';
import { createPolicyEngine } from './create-policy-engine.ts';
import type { EndVerdict, Explanation, FlowQuestion } from './explanation.ts';
import type { PolicyEngine } from './policy-engine.ts';

const SEED = Number(process.env['CANAL_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const CLUSTERS = Number(process.env['CANAL_CLUSTERS'] ?? 1000);
const PACKETS = 25;

interface World {
  readonly name: string;
  /** What the engine is told. */
  readonly told: (cluster: PolicyCluster) => PolicyCluster;
  /** Whom the words are asked about. */
  readonly judged: (cluster: PolicyCluster) => PolicyCluster;
  readonly reasons: readonly EndVerdict['reason'][];
}

const same = (cluster: PolicyCluster): PolicyCluster => cluster;
const OF_ALL_PODS = ['not-isolated', 'allowed-by-rule', 'no-rule-allows', 'same-pod'] as const;
const WORLDS: readonly World[] = [
  {
    name: 'ends on this node',
    told: same,
    judged: same,
    reasons: [...OF_ALL_PODS, 'own-node', 'unknown-pod', 'address-taken'],
  },
  {
    name: 'ends on other nodes',
    told: (cluster) => ({ ...cluster, endpoints: [], ownNodeAddresses: [] }),
    judged: (cluster) => ({ ...cluster, endpoints: endpointsOfAll(cluster), ownNodeAddresses: [] }),
    reasons: OF_ALL_PODS,
  },
];

test.each(WORLDS)('$name: explain agrees with the words of the API', { timeout: 600_000 }, (world) => {
  const random = new Random(SEED);
  const seen = new Map<EndVerdict['reason'], number>();
  let cases = 0;
  for (let index = 0; index < CLUSTERS; index++) {
    const cluster = randomCluster(random);
    const places = packetPlaces(cluster);
    const engine = engineWith(world.told(cluster));
    for (let count = 0; count < PACKETS; count++) {
      const packet = randomPacket(random, places);
      const { difference, reasons } = compare(world, cluster, engine, packet);
      if (difference !== undefined) throw new Error(describeDifference(world, cluster, packet, difference));
      for (const reason of reasons) seen.set(reason, (seen.get(reason) ?? 0) + 1);
      cases++;
    }
  }
  process.stdout.write(`${world.name}: ${cases} cases, seed ${SEED}: ${JSON.stringify(Object.fromEntries(seen))}\n`);
  // Of each reason so many that one misread would show.
  for (const reason of world.reasons) expect(seen.get(reason) ?? 0, reason).toBeGreaterThan(cases / 200);
});

interface Comparison {
  readonly difference?: string;
  /** Of the ends that were compared: those that have endpoints for the words. The others are explained all the same. */
  readonly reasons: readonly EndVerdict['reason'][];
}

function compare(world: World, cluster: PolicyCluster, engine: PolicyEngine, packet: RulePacket): Comparison {
  const words = judgeByTheWords(world.judged(cluster), packet);
  const { verdict, egress, ingress } = explained(engine, packet);
  const reasons: EndVerdict['reason'][] = [];
  for (const [name, end, wanted] of [
    ['egress', egress, words.egress],
    ['ingress', ingress, words.ingress],
  ] as const) {
    if (wanted === undefined) continue;
    if (end?.verdict !== wanted) {
      return { difference: `${name}: words ${wanted}, explained ${end?.verdict} (${end?.reason})`, reasons };
    }
    reasons.push(end.reason);
  }
  const denied = [egress?.verdict, ingress?.verdict].includes('deny');
  return denied === (verdict === 'deny')
    ? { reasons }
    : { difference: `${verdict} although denied: ${denied}`, reasons };
}

function explained(engine: PolicyEngine, packet: RulePacket): Explanation {
  const result = engine.explain(questionOf(packet));
  if (!result.ok) throw new Error(`${result.error.field}: ${result.error.message}`);
  return result.value;
}

function questionOf({ source, destination, protocol, destinationPort }: RulePacket): FlowQuestion {
  return {
    source: formatIp(source),
    destination: formatIp(destination),
    protocol: String(protocol),
    ...(destinationPort !== undefined && { port: destinationPort }),
  };
}

test('a pod by its name is explained as by its address', () => {
  const random = new Random(SEED);
  let named = 0;
  for (let index = 0; index < CLUSTERS; index++) {
    const cluster = randomCluster(random);
    const places = packetPlaces(cluster);
    const engine = engineWith(cluster);
    // Of a pod that was made again under its name the name means the new one, the address the old one's endpoint.
    const isOne = ({ namespace, name }: { namespace: string; name: string }): boolean =>
      cluster.endpoints.every(
        ({ pod }) =>
          pod?.namespace !== namespace || pod.name !== name || cluster.pods.some(({ uid }) => uid === pod.uid),
      );
    for (let count = 0; count < PACKETS; count++) {
      const packet = randomPacket(random, places);
      const wanted = explained(engine, packet);
      const names = [wanted.source, wanted.destination].map(({ pod, address }) =>
        pod !== undefined && isOne(pod) ? `${pod.namespace}/${pod.name}` : address,
      );
      const [source = '', destination = ''] = names;
      const found = engine.explain({ ...questionOf(packet), source, destination });
      if (!found.ok) throw new Error(`seed ${SEED}: ${found.error.message}`);
      const isSame = (['source', 'destination'] as const).every(
        (end) => found.value[end].address === wanted[end].address,
      );
      if (!isSame) continue;
      expect(found.value).toEqual(wanted);
      named += names.filter((name) => name.includes('/')).length;
    }
  }
  expect(named).toBeGreaterThan(CLUSTERS * 10);
});

/** Of every pod that has its addresses to itself: as its own node would have it. */
function endpointsOfAll(cluster: PolicyCluster): readonly PolicyEndpoint[] {
  const live = cluster.pods.filter(({ hostNetwork, completed }) => !hostNetwork && !completed);
  return live
    .filter(({ addresses }) => addresses.length > 0)
    .filter((pod) => pod.addresses.every((ip) => live.every((other) => other === pod || !other.addresses.includes(ip))))
    .map(({ namespace, name, uid, addresses }, index) => ({
      key: `other${index}/eth0`,
      pod: { namespace, name, uid },
      hostInterface: `cnlo${index}` as InterfaceName,
      mode: 'routed',
      addresses,
      mac: '02:00:00:00:00:01' as Mac,
    }));
}

function engineWith(cluster: PolicyCluster): PolicyEngine {
  const engine = createPolicyEngine();
  engine.setNodeAddresses(cluster.ownNodeAddresses, cluster.otherNodeAddresses);
  for (const namespace of cluster.namespaces) engine.putNamespace(namespace);
  for (const pod of cluster.pods) engine.putPod(pod);
  for (const policy of cluster.policies) engine.putPolicy(policy);
  for (const endpoint of cluster.endpoints) engine.putEndpoint(endpoint);
  engine.flush();
  return engine;
}

function describeDifference(world: World, cluster: PolicyCluster, packet: RulePacket, difference: string): string {
  const differs = (of: PolicyCluster): boolean =>
    compare(world, of, engineWith(world.told(of)), packet).difference !== undefined;
  const smallest = shrinkCluster(cluster, differs);
  return [
    `seed ${SEED}: ${difference}`,
    JSON.stringify(smallest, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value), 1),
    ...explained(engineWith(world.told(smallest)), packet).words,
  ].join('\n');
}
