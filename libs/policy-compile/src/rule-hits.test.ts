import type { NetworkPolicy, PolicyRule } from '@canal/model';
import type { CounterId, CounterReading } from '@canal/rules-ast';
import { describe, expect, test } from 'vitest';
import { createPolicyEngine } from './create-policy-engine.ts';
import type { PolicyEngine } from './policy-engine.ts';
import { blockOf, endpointOf, podOf, podsWith, policyOf } from './testing/objects.ts';

const POD = podOf('a/subject', '10.0.0.1');

function engineWith(...policies: readonly NetworkPolicy[]): PolicyEngine {
  const engine = createPolicyEngine();
  engine.putNamespace({ name: 'a', labels: {} });
  engine.putPod(POD);
  engine.putEndpoint(endpointOf(POD));
  for (const policy of policies) engine.putPolicy(policy);
  engine.flush();
  return engine;
}

/** Rules that allow these peers the port, in that order. */
function ingress(port: number, ...peers: readonly NonNullable<PolicyRule['peers']>[]): readonly PolicyRule[] {
  return peers.map((each, index) => ({
    index,
    peers: each,
    ports: [{ protocol: 'TCP', port: { first: port, last: port } }],
  }));
}

const web = [podsWith({ app: 'web' })];
const db = [podsWith({ app: 'db' })];

function ruleCounters({ view }: PolicyEngine): readonly CounterId[] {
  return [...view.chains()].flatMap(({ rules }) => rules.flatMap(({ counters = [] }) => counters)).sort();
}

function deniedCounters({ view }: PolicyEngine): readonly CounterId[] {
  return [...view.chains()].flatMap(({ denied = [] }) => denied).sort();
}

const reading = (id: CounterId, packets: number, sinceMs?: number): CounterReading => ({
  id,
  packets,
  bytes: packets * 60,
  ...(sinceMs !== undefined && { sinceMs }),
});

describe('a rule of a policy', () => {
  test('has what its counter counted, and a policy what was denied', () => {
    const engine = engineWith(
      policyOf('a/p', { ingress: ingress(80, web, db), egress: [] }),
      policyOf('a/q', { podSelector: [], ingress: ingress(81, web) }),
    );
    const others = engineWith(policyOf('a/p', { ingress: ingress(80, web), egress: [] }));
    const [first = ''] = ruleCounters(others);
    const [, second = ''] = ruleCounters(engine)
      .filter((id) => id.startsWith(first.slice(0, 15)))
      .sort((id) => (id === first ? -1 : 1));
    const denied = deniedCounters(others).map((id) => reading(id, id.startsWith('in-') ? 3 : 4, 7));
    const readings = [reading(first, 1, 5), reading(second, 2), ...denied, reading('in-000000000000-denied', 9)];
    const of = { policy: 'a/p', uid: 'uid-a-p', sharedPackets: 0 };
    expect([...engine.hits(readings)]).toEqual([
      { ...of, direction: 'ingress', rule: 0, packets: 1, bytes: 60, sinceMs: 5 },
      { ...of, direction: 'ingress', rule: 1, packets: 2, bytes: 120 },
      { ...of, direction: 'ingress', packets: 3, bytes: 180, sinceMs: 7 },
      { ...of, direction: 'egress', packets: 4, bytes: 240, sinceMs: 7 },
    ]);
  });

  test('keeps its counter wherever it stands, and loses it when it says something else', () => {
    const before = engineWith(policyOf('a/p', { ingress: ingress(80, web) }));
    const readings = ruleCounters(before).map((id) => reading(id, 5));
    const ruleOf = (...peers: readonly NonNullable<PolicyRule['peers']>[]) =>
      [...engineWith(policyOf('a/p', { ingress: ingress(80, ...peers) })).hits(readings)].map(({ rule }) => rule);
    expect(ruleOf(db, web)).toEqual([1]);
    expect(ruleOf(web, web)).toEqual([0]);
    expect(ruleOf(db)).toEqual([]);
    const anew = engineWith({ ...policyOf('a/p', { ingress: ingress(80, web) }), uid: 'another' });
    expect([...anew.hits(readings)]).toEqual([]);
  });

  test('of another policy that says the same counts, too; equal rules of other namespaces have their own', () => {
    const engine = engineWith(
      policyOf('a/p', { ingress: ingress(80, web) }),
      policyOf('a/q', { ingress: ingress(80, web) }),
      policyOf('b/p', { ingress: ingress(80, 'any') }),
      policyOf('c/p', { ingress: ingress(80, 'any') }),
    );
    for (const namespace of ['b', 'c']) {
      const pod = podOf(`${namespace}/pod`, namespace === 'b' ? '10.0.0.2' : '10.0.0.3');
      engine.putPod(pod);
      engine.putEndpoint(endpointOf(pod));
    }
    engine.flush();
    expect([...engine.view.chains()].map(({ rules }) => rules.map(({ counters }) => counters?.length))).toEqual([
      [2],
      [1],
      [1],
    ]);
    const hits = [...engine.hits(ruleCounters(engine).map((id) => reading(id, 1)))];
    expect(hits.map(({ policy, packets, sharedPackets }) => [policy, packets, sharedPackets])).toEqual(
      ['a/p', 'a/q', 'b/p', 'c/p'].map((policy) => [policy, 1, 0]),
    );
  });

  test('counts alone with many peers, as long as the pod has eight rules or fewer', () => {
    const peers = (from: number) =>
      Array.from({ length: 5 }, (_, at) => [
        podsWith({ app: `${from + at}` }),
        blockOf(`10.${from + at}.0.0/16`),
      ]).flat();
    const engine = engineWith(policyOf('a/p', { ingress: ingress(80, peers(0), peers(10), peers(20)) }));
    const counters = ruleCounters(engine);
    expect(new Set(counters).size).toBe(3);
    // One of pods and one of blocks.
    expect(counters).toHaveLength(6);
    expect(counters.filter((id) => id.endsWith('-shared'))).toEqual([]);
  });

  test('that is put together with others has what they counted together as such', () => {
    const blocks = Array.from({ length: 6 }, (_, at) => [blockOf(`10.${2 * at}.0.0/16`)]);
    const rules = [...ingress(80, ...blocks), ...ingress(81, ...blocks)].map((rule, index) => ({ ...rule, index }));
    const engine = engineWith(policyOf('a/p', { ingress: rules }));
    const counters = ruleCounters(engine);
    expect(counters).toHaveLength(12);
    expect(counters.every((id) => id.endsWith('-shared'))).toBe(true);
    const [first = ''] = counters;
    const alone = reading(first.replace('-shared', ''), 2, 10);
    const [hits] = engine.hits([reading(first, 3, 20), alone]);
    expect(hits).toMatchObject({ packets: 5, bytes: 300, sharedPackets: 3, sinceMs: 10 });
  });

  test('is not counted where the kernel has one rule for more than 8, and what is denied is not for more than 16', () => {
    const blocks = Array.from({ length: 17 }, (_, at) => [blockOf(`10.${2 * at}.0.0/16`)]);
    const policies = blocks.map((block, at) => policyOf(`a/p${at}`, { ingress: ingress(80, block) }));
    const engine = engineWith(...policies);
    const counted = () => [ruleCounters(engine).length, deniedCounters(engine).length];
    expect(counted()).toEqual([0, 0]);
    for (const [left, wanted] of [
      [16, [0, 16]],
      [9, [0, 9]],
      [8, [8, 8]],
    ] as const) {
      for (let at = left; at < 17; at++) engine.deletePolicy('a', `p${at}`);
      engine.flush();
      expect(counted()).toEqual(wanted);
    }
  });
});

describe('a counter that no chain has', () => {
  const policy = policyOf('a/p', { ingress: ingress(80, web, db) });

  test('is kept while its rule is there, whether it selects a pod of this node or none', () => {
    const engine = engineWith(policy);
    const counters = [...ruleCounters(engine), ...deniedCounters(engine), `${ruleCounters(engine)[0]}-shared`];
    const foreign = 'in-000000000000-000000000000';
    const kept = () => [...engine.view.keptCounters([...counters, foreign])].sort();
    engine.deleteEndpoint(endpointOf(POD).key);
    engine.flush();
    expect([...engine.view.chains()]).toEqual([]);
    expect(kept()).toEqual([...counters].sort());
    engine.putPolicy(policyOf('a/p', { ingress: ingress(80, db) }));
    expect(kept()).toHaveLength(2);
    engine.deletePolicy('a', 'p');
    expect(kept()).toEqual([]);
  });
});
