import type { NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule } from '@canal/model';
import { Random, randomCluster } from '@canal/policy-oracle/testing';
import type { Direction } from '@canal/rules-ast';
import { cidrOf, type Ipv4 } from 'net-types';
import { describe, expect, test } from 'vitest';
import { compileAllowList } from './allow-list.ts';
import { CHAIN_LIMITS, chainCost, writtenCost } from './chain-limits.ts';
import { compileRules } from './compile-rules.ts';
import { createPolicyEngine } from './create-policy-engine.ts';
import type { PolicyEngine } from './policy-engine.ts';
import { blockOf, endpointOf, labelled, podOf, podsWith, policyOf } from './testing/objects.ts';
import { rulesText, viewText } from './testing/view-text.ts';

const SUBJECT = podOf('a/subject', '10.0.0.1', { labels: { app: 'subject' } });
const OTHER = podOf('a/other', '10.0.0.2', { labels: { app: 'other' } });

/** One comparison for each family. */
const MOST_PORTS = CHAIN_LIMITS.comparisons / 2;

/** Ports that do not touch. */
const portsOf = (count: number, from = 1): PolicyPort[] =>
  Array.from({ length: count }, (_, index) => {
    const port = from + 2 * index;
    return { protocol: 'TCP', port: { first: port, last: port } };
  });
const rule = (peers: PolicyRule['peers'], ports: PolicyRule['ports'] = 'any'): PolicyRule => ({
  index: 0,
  peers,
  ports,
});
const addresses = (count: number): PolicyPeer[] =>
  Array.from({ length: count }, (_, index) => ({
    type: 'block',
    cidr: cidrOf((0xac10_0000 + 2 * index) as Ipv4, 32),
    except: [],
  }));

const selectors = (count: number): PolicyPeer[] =>
  Array.from({ length: count }, (_, index) => podsWith({ app: `app-${index}` }));

const ofSubject = (name: string, ingress: readonly PolicyRule[]): NetworkPolicy =>
  policyOf(name, { podSelector: labelled({ app: 'subject' }), ingress, egress: [rule('any')] });

function engineWith(...policies: readonly NetworkPolicy[]): PolicyEngine {
  const engine = createPolicyEngine();
  engine.putNamespace({ name: 'a', labels: {} });
  for (const pod of [SUBJECT, OTHER]) {
    engine.putPod(pod);
    engine.putEndpoint(endpointOf(pod));
  }
  for (const policy of policies) engine.putPolicy(policy);
  engine.flush();
  return engine;
}

/** Rules of ingress of the subject. */
function rulesOf({ view }: PolicyEngine): readonly string[] | undefined {
  const endpoint = [...view.endpoints()].find(({ key }) => key === 'c-a-subject/eth0');
  return rulesText(view, endpoint?.ingress);
}

const WIDE: readonly (readonly [string, readonly NetworkPolicy[], RegExp])[] = [
  [
    'a list of ports',
    [ofSubject('a/p', [rule([blockOf('10.0.0.0/8')], portsOf(MOST_PORTS + 1))])],
    /16386 comparisons/,
  ],
  [
    'policies with a port each',
    Array.from({ length: MOST_PORTS + 1 }, (_, index) =>
      ofSubject(`a/p${index}`, [rule([blockOf('10.0.0.0/8')], portsOf(1, 1 + 2 * index))]),
    ),
    /16386 comparisons/,
  ],
  [
    'blocks with a port each',
    [
      ofSubject(
        'a/p',
        addresses(CHAIN_LIMITS.sets + 1).map((block, index) => rule([block], portsOf(1, 1 + 2 * index))),
      ),
    ],
    /1025 lists of ports, each for addresses of its own/,
  ],
  ['selectors', [ofSubject('a/p', [rule(selectors(CHAIN_LIMITS.selectors + 1))])], /16385 selectors of pods/],
  ['blocks', [ofSubject('a/p', [rule(addresses(CHAIN_LIMITS.ranges + 1))])], /32769 ranges/],
];

describe.each(WIDE)('%s: one more than a chain may hold', (_, policies, message) => {
  const small = ofSubject('a/small', []);
  const ofOther = policyOf('a/other', { podSelector: labelled({ app: 'other' }), ingress: [] });
  const [first] = policies;

  test('the pod is let nothing through, and each policy that allows it something says why', () => {
    const engine = engineWith(...policies, small, ofOther);
    expect(rulesOf(engine)).toEqual([]);
    expect(engine.tooLargeEndpoints).toBe(1);
    const statuses = new Map([...engine.policyStatuses()].map((status) => [status.policy, status.problems]));
    for (const name of [`a/${first!.name}`, 'a/small']) {
      expect(statuses.get(name)).toEqual([
        { code: 'TooManyRules', field: 'spec.ingress', message: expect.stringMatching(message) as string },
      ]);
      expect(statuses.get(name)?.[0]?.message).toMatch(
        /^all policies of the same pods .+: expected .+; 1 pods of this node are isolated/,
      );
    }
    expect(statuses.get('a/other')).toEqual([]);
  });

  test.each(['this node', 'another node'])('an explanation says so of a pod of %s, of this direction alone', (node) => {
    const engine = engineWith(...policies, small);
    if (node === 'another node') engine.deleteEndpoint('c-a-subject/eth0');
    const explained = engine.explain({ source: '192.0.2.1', destination: 'a/subject', protocol: 'TCP', port: 1 });
    if (!explained.ok) throw new Error(explained.error.message);
    expect(explained.value.ingress).toMatchObject({ verdict: 'deny', reason: 'too-many-rules' });
    expect(explained.value.words.join('\n')).toMatch(message);
    const back = engine.explain({ source: 'a/subject', destination: '192.0.2.1', protocol: 'TCP', port: 1 });
    expect(back.ok && back.value.egress).toMatchObject({ verdict: 'allow', reason: 'allowed-by-rule' });
  });

  test('whichever comes last, and it opens when one goes', () => {
    const engine = engineWith(...policies.slice(1), small);
    expect(engine.tooLargeEndpoints).toBe(0);
    const open = viewText(engine.view);
    engine.putPolicy(first!);
    engine.flush();
    expect(viewText(engine.view)).toBe(viewText(engineWith(...policies, small).view));
    expect(engine.tooLargeEndpoints).toBe(1);
    engine.deletePolicy('a', first!.name);
    engine.flush();
    expect(viewText(engine.view)).toBe(open);
    expect(engine.tooLargeEndpoints).toBe(0);
    engine.putPolicy(first!);
    engine.flush();
    engine.deleteEndpoint('c-a-subject/eth0');
    engine.flush();
    expect(engine.tooLargeEndpoints).toBe(0);
    expect([...engine.policyStatuses()].flatMap(({ problems }) => problems)).toEqual([]);
  });
});

test('as much as a chain may hold is in force', () => {
  const ports = engineWith(ofSubject('a/p', [rule([blockOf('10.0.0.0/8')], portsOf(MOST_PORTS))]));
  expect([rulesOf(ports)?.length, ports.tooLargeEndpoints]).toEqual([1, 0]);
  const blocks = engineWith(ofSubject('a/p', [rule(addresses(CHAIN_LIMITS.ranges))]));
  expect([rulesOf(blocks)?.length, blocks.tooLargeEndpoints]).toEqual([1, 0]);
  const pods = engineWith(ofSubject('a/p', [rule(selectors(CHAIN_LIMITS.selectors))]));
  expect([rulesOf(pods)?.length, pods.tooLargeEndpoints]).toEqual([1, 0]);
});

test('blocks with exceptions and equal ports are one rule, however many', () => {
  const blocks = Array.from({ length: 5000 }, (_, index): PolicyPeer => {
    const at = (0xac10_0000 + 256 * index) as Ipv4;
    return { type: 'block', cidr: cidrOf(at, 24), except: [cidrOf((at + 16) as Ipv4, 30)] };
  });
  expect(rulesOf(engineWith(ofSubject('a/p', [rule(blocks, portsOf(2))])))).toHaveLength(1);
});

test('ports are not multiplied by the blocks that have them in common', () => {
  const blocks = addresses(500);
  const own = blocks.map((block, index) => rule([block], portsOf(1, 2001 + 2 * index)));
  const engine = engineWith(ofSubject('a/p', [rule(blocks, portsOf(500)), ...own]));
  expect(engine.tooLargeEndpoints).toBe(0);
  expect(rulesOf(engine)).toHaveLength(501);
});

test('rules are never more than what is written', () => {
  const random = new Random(1);
  const directions: readonly Direction[] = ['ingress', 'egress'];
  let rules = 0;
  for (let count = 0; count < 3000; count++) {
    const { policies, pods } = randomCluster(random);
    const subject = random.pick(pods);
    for (const direction of directions) {
      for (const flattenAbove of [0, 8]) {
        const compiled = compileRules(compileAllowList(direction, policies, subject.ports), flattenAbove);
        if (compiled.type !== 'rules') throw new Error('too large');
        rules += compiled.rules.length;
        const [is, most] = [chainCost(compiled.rules), writtenCost(policies, direction, subject)];
        expect(is.ranges).toBeLessThanOrEqual(most.ranges);
        expect(is.selectors).toBeLessThanOrEqual(most.selectors);
        if (flattenAbove > 0) continue;
        expect(is.comparisons).toBeLessThanOrEqual(most.comparisons);
        expect(is.sets).toBeLessThanOrEqual(most.sets);
      }
    }
  }
  expect(rules).toBeGreaterThan(10_000);
});
