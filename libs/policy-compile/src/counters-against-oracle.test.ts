/** Where rules count, against the words of the API: a rule that counts for a rule of a policy allows what that one allows. */
import type { NetworkPolicy } from '@canal/model';
import { judgeByTheWords, type PolicyCluster } from '@canal/policy-oracle';
import { packetPlaces, Random, randomCluster, randomPacket } from '@canal/policy-oracle/testing';
import {
  type AllowRule,
  type ChainId,
  type Direction,
  PacketJudge,
  type RulePacket,
  type RuleView,
} from '@canal/rules-ast';
import type { Ip } from 'net-types';
import { expect, test } from 'vitest';
import { countedRules } from './allow-list.ts';
import { createPolicyEngine } from './create-policy-engine.ts';
import { deniedCounter } from './rule-counters.ts';

const SEED = Number(process.env['CANAL_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const CLUSTERS = 150;
const PACKETS = 100;
const SHARED = '-shared';

interface Seen {
  /** Packets that a rule allowed, and those of them whose rule counts for several. */
  allowed: number;
  shared: number;
}

test.each([0, 2, 8, Infinity])(`chains flattened above %s rules (CANAL_SEED=${SEED})`, (flattenAbove) => {
  const random = new Random(SEED);
  const seen: Seen = { allowed: 0, shared: 0 };
  for (let count = 0; count < CLUSTERS; count++) {
    const cluster = randomCluster(random);
    const places = packetPlaces(cluster);
    const packets = Array.from({ length: PACKETS }, () => randomPacket(random, places));
    const { view, engine } = viewOf(cluster, flattenAbove);
    expectDenied(engine, view);
    for (const { id, direction, rules } of view.chains()) {
      for (const rule of rules) expectCounters(cluster, packets, view, { id, direction, rule }, seen);
    }
  }
  process.stdout.write(`seed ${SEED}: ${JSON.stringify(seen)}\n`);
  // Of 800 to 1,500, and of 100 to 550, which come in heaps.
  expect(seen.allowed).toBeGreaterThan(40);
  if (flattenAbove === 0) expect(seen.shared).toBeGreaterThan(0);
  if (flattenAbove === Infinity) expect(seen.shared).toBe(0);
});

function viewOf(cluster: PolicyCluster, flattenAbove: number) {
  const engine = createPolicyEngine({ flattenAbove });
  for (const namespace of cluster.namespaces) engine.putNamespace(namespace);
  for (const pod of cluster.pods) engine.putPod(pod);
  for (const policy of cluster.policies) engine.putPolicy(policy);
  for (const endpoint of cluster.endpoints) engine.putEndpoint(endpoint);
  engine.flush();
  return { engine, view: engine.view };
}

/** What is denied at a pod counts for each policy that isolates it. */
function expectDenied(engine: ReturnType<typeof viewOf>['engine'], view: RuleView): void {
  const chains = new Map([...view.chains()].map((chain) => [chain.id, chain]));
  const endpoints = new Map([...view.endpoints()].map((endpoint) => [endpoint.key, endpoint]));
  const uids = new Map([...engine.policyStatuses()].map(({ policy, uid }) => [policy, uid]));
  for (const status of engine.endpointStatuses()) {
    if (status.state !== 'policed') continue;
    for (const direction of ['ingress', 'egress'] as const) {
      const id = endpoints.get(status.endpoint.key)?.[direction];
      const wanted = status[direction].map((policy) => deniedCounter({ uid: uids.get(policy) ?? '' }, direction));
      expect(chains.get(id ?? '')?.denied ?? []).toEqual(wanted.sort());
    }
  }
}

interface RuleOfChain {
  readonly id: ChainId;
  readonly direction: Direction;
  readonly rule: AllowRule;
}

function expectCounters(
  cluster: PolicyCluster,
  packets: readonly RulePacket[],
  view: RuleView,
  { id, direction, rule }: RuleOfChain,
  seen: Seen,
): void {
  const counters = rule.counters ?? [];
  // A rule that stands for more than eight does not count.
  const written = cluster.policies.reduce((sum, policy) => sum + (policy[direction]?.length ?? 0), 0);
  if (written <= 8) expect(counters.length).toBeGreaterThan(0);
  expect(counters.length).toBeLessThanOrEqual(8);
  const rules = counters.map((counter) => ruleOf(cluster, direction, counter.replace(SHARED, '')));
  const endpoints = [...view.endpoints()].filter((endpoint) => endpoint[direction] === id);
  const ofChain = new Set<Ip>(endpoints.flatMap(({ addresses }) => addresses));
  const judge = new PacketJudge(withOneRule(view, { id, direction, rule }), []);
  for (const packet of packets) {
    const [subject, peer] =
      direction === 'egress' ? [packet.source, packet.destination] : [packet.destination, packet.source];
    // A pod to itself, and the node to its pods, are not asked about.
    const isToItself = endpoints.some(({ addresses }) => addresses.includes(subject) && addresses.includes(peer));
    if (!ofChain.has(subject) || isToItself || cluster.ownNodeAddresses.includes(packet.source)) continue;
    if (judge.judge(packet) !== 'allowed') continue;
    const allows = rules.map((policy) => judgeByTheWords({ ...cluster, policies: [policy] }, packet)[direction]);
    seen.allowed++;
    // One at least of those that it counts for allowed the packet, and each of those that count alone.
    expect(allows).toContain('allow');
    for (const [at, counter] of counters.entries()) {
      if (counter.endsWith(SHARED)) seen.shared++;
      else expect(allows[at]).toBe('allow');
    }
  }
}

/** The policy with no other rule than the one that the counter is of. */
function ruleOf(cluster: PolicyCluster, direction: Direction, counter: string): NetworkPolicy {
  for (const policy of cluster.policies) {
    const found = countedRules(policy, direction).find((each) => each.counter === counter);
    const rules = policy[direction]?.filter(({ index }) => index === found?.index);
    if (found === undefined || rules === undefined) continue;
    const { ingress: _in, egress: _out, ...rest } = policy;
    return { ...rest, [direction]: rules };
  }
  throw new Error(`no policy of the cluster has ${counter}`);
}

/** Endpoints of the chain alone, isolated in its direction alone. */
function withOneRule(view: RuleView, { id, direction, rule }: RuleOfChain): RuleView {
  const endpoints = [...view.endpoints()]
    .filter((endpoint) => endpoint[direction] === id)
    .map(({ ingress: _in, egress: _out, ...endpoint }) => ({ ...endpoint, [direction]: id }));
  return { ...view, endpoints: () => endpoints, chains: () => [{ id, direction, rules: [rule] }] };
}
