/**
 * The engine's rules, judged by a model of the kernel, against the words of the API: random clusters, random packets.
 * CANAL_SEED repeats a run, CANAL_CLUSTERS makes it longer.
 */
import { judgeByTheWords, type PolicyCluster } from '@canal/policy-oracle';
import { packetPlaces, Random, randomCluster, randomPacket, shrinkCluster } from '@canal/policy-oracle/testing';
import { PacketJudge, type RulePacket, type RuleView } from '@canal/rules-ast';
import { formatCidr, formatIp, type Ip } from 'net-types';
import { expect, test } from 'vitest';
import { createPolicyEngine } from './create-policy-engine.ts';
import type { PolicyEngine } from './policy-engine.ts';

const SEED = Number(process.env['CANAL_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const CLUSTERS = Number(process.env['CANAL_CLUSTERS'] ?? 2500);
const PACKETS = 50;
const FLATTENINGS = [0, undefined, Infinity];

type Verdict = ReturnType<PacketJudge['judge']>;

test(`the engine agrees with the words of the API (CANAL_SEED=${SEED})`, { timeout: 600_000 }, () => {
  const random = new Random(SEED);
  const seen = { allowed: 0, 'egress-denied': 0, 'ingress-denied': 0 };
  let cases = 0;
  for (let index = 0; index < CLUSTERS; index++) {
    const cluster = randomCluster(random);
    const places = packetPlaces(cluster);
    const judges = FLATTENINGS.map((flattenAbove) => judgeOf(compiled(cluster, flattenAbove), cluster));
    for (let count = 0; count < PACKETS; count++) {
      const packet = randomPacket(random, places);
      const wanted = verdictOfWords(cluster, packet);
      for (const [at, judge] of judges.entries()) {
        if (judge.judge(packet) !== wanted) throw new Error(describeDifference(cluster, packet, FLATTENINGS[at]));
      }
      seen[wanted]++;
      cases++;
    }
  }
  console.log(`${cases} cases of ${CLUSTERS} clusters, seed ${SEED}: ${JSON.stringify(seen)}`);
  // Of each verdict so many that a rule misread would show.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(cases / 20);
});

function verdictOfWords(cluster: PolicyCluster, packet: RulePacket): Verdict {
  const { egress, ingress } = judgeByTheWords(cluster, packet);
  if (egress === 'deny') return 'egress-denied';
  return ingress === 'deny' ? 'ingress-denied' : 'allowed';
}

function judgeOf(view: RuleView, { ownNodeAddresses }: PolicyCluster): PacketJudge {
  return new PacketJudge(view, ownNodeAddresses);
}

function compiled(cluster: PolicyCluster, flattenAbove: number | undefined): RuleView {
  const engine = createPolicyEngine(flattenAbove === undefined ? {} : { flattenAbove });
  put(engine, cluster);
  engine.flush();
  return engine.view;
}

function put(engine: PolicyEngine, cluster: PolicyCluster): void {
  engine.setNodeAddresses(cluster.ownNodeAddresses, cluster.otherNodeAddresses);
  for (const namespace of cluster.namespaces) engine.putNamespace(namespace);
  for (const pod of cluster.pods) engine.putPod(pod);
  for (const policy of cluster.policies) engine.putPolicy(policy);
  for (const endpoint of cluster.endpoints) engine.putEndpoint(endpoint);
}

function describeDifference(cluster: PolicyCluster, packet: RulePacket, flattenAbove: number | undefined): string {
  const verdictOfEngine = (of: PolicyCluster): Verdict => judgeOf(compiled(of, flattenAbove), of).judge(packet);
  const smallest = shrinkCluster(cluster, (smaller) => verdictOfEngine(smaller) !== verdictOfWords(smaller, packet));
  return [
    `seed ${SEED}, flattenAbove ${flattenAbove}: ${formatIp(packet.source)} -> ${formatIp(packet.destination)}`,
    `protocol ${packet.protocol} port ${packet.destinationPort}`,
    `words: ${verdictOfWords(smallest, packet)}, engine: ${verdictOfEngine(smallest)}`,
    readable(smallest),
    readable({ chains: [...compiled(smallest, flattenAbove).chains()] }),
  ].join('\n');
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
