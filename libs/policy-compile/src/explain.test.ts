import type { NetworkPolicy, PolicyPort, PolicyRule } from '@canal/model';
import { describe, expect, test } from 'vitest';
import { createPolicyEngine } from './create-policy-engine.ts';
import type { Explanation, FlowQuestion, QuestionProblem } from './explanation.ts';
import type { PolicyEngine } from './policy-engine.ts';
import { blockOf, endpointOf, ip, labelled, podOf, podsWith, policyOf } from './testing/objects.ts';

const tcp = (port: number): PolicyPort => ({ protocol: 'TCP', port: { first: port, last: port } });
const rule = (index: number, peers: PolicyRule['peers'], ports: PolicyRule['ports'] = 'any'): PolicyRule => ({
  index,
  peers,
  ports,
});

const DB = podOf('shop/db', ['10.0.0.1', 'fd00::1'], {
  labels: { app: 'db' },
  ports: [{ name: 'sql', protocol: 'TCP', port: 5432 }],
});
const API = podOf('shop/api', ['10.0.0.2', 'fd00::2'], { labels: { app: 'api' } });
const FAR = podOf('shop/far', '10.0.1.1', {
  node: 'n2',
  labels: { app: 'far' },
  ports: [
    { name: 'web', protocol: 'TCP', port: 80 },
    { name: 'web', protocol: 'TCP', port: 8080 },
  ],
});
const PODS = [
  DB,
  API,
  FAR,
  podOf('other/v6', 'fd00::9', { node: 'n2' }),
  podOf('other/starts', []),
  podOf('other/job', '10.0.1.7', { completed: true }),
  podOf('other/agent', '192.168.0.2', { hostNetwork: true, node: 'n2' }),
];
const DENY_ALL = policyOf('shop/deny-all', { ingress: [] });
const DB_POLICY = policyOf('shop/db', {
  podSelector: labelled({ app: 'db' }),
  ingress: [
    rule(0, [podsWith({ app: 'api' })], [tcp(5432)]),
    rule(
      1,
      [blockOf('10.0.0.0/8', '10.0.0.0/24'), podsWith({}, { team: 'ops' })],
      [tcp(9100), { protocol: 'UDP', port: 'all' }],
    ),
  ],
});

function engineWith(...policies: readonly NetworkPolicy[]): PolicyEngine {
  const engine = createPolicyEngine();
  engine.setNodeAddresses([ip('192.168.0.1')], [ip('192.168.0.2'), ip('192.168.0.3')]);
  for (const name of ['shop', 'other']) engine.putNamespace({ name, labels: {} });
  for (const pod of PODS) engine.putPod(pod);
  engine.putEndpoint(endpointOf(DB));
  engine.putEndpoint(endpointOf(API));
  for (const policy of policies) engine.putPolicy(policy);
  engine.flush();
  return engine;
}

const question = (source: string, destination: string, more: Partial<FlowQuestion> = {}): FlowQuestion => ({
  source,
  destination,
  protocol: 'TCP',
  port: 5432,
  ...more,
});

function explained(engine: PolicyEngine, asked: FlowQuestion): Explanation {
  const result = engine.explain(asked);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

function problem(asked: FlowQuestion): QuestionProblem {
  const result = engineWith(DENY_ALL).explain(asked);
  if (result.ok) throw new Error(result.value.words.join('\n'));
  return result.error;
}

describe('an explanation', () => {
  test('names the policies of both ends and the first rule that allows', () => {
    expect(explained(engineWith(DENY_ALL, DB_POLICY), question('shop/api', 'shop/db', { port: 'sql' }))).toEqual({
      verdict: 'allow',
      source: { kind: 'pod', address: '10.0.0.2', pod: { namespace: 'shop', name: 'api' } },
      destination: { kind: 'pod', address: '10.0.0.1', pod: { namespace: 'shop', name: 'db' } },
      protocol: 'TCP',
      port: 5432,
      egress: { direction: 'egress', verdict: 'allow', reason: 'not-isolated', policies: [], misses: [] },
      ingress: {
        direction: 'ingress',
        verdict: 'allow',
        reason: 'allowed-by-rule',
        policies: ['shop/db', 'shop/deny-all'],
        rule: { policy: 'shop/db', index: 0 },
        misses: [],
      },
      words: [
        'shop/api (10.0.0.2) to shop/db (10.0.0.1), TCP 5432: allowed',
        'egress at shop/api: not isolated, no policy selects it for egress',
        'ingress at shop/db: isolated by shop/db and shop/deny-all; rule 0 of shop/db allows from pods app=api in this namespace to TCP 5432',
      ],
    });
  });

  test('says of each rule what of it did not match', () => {
    const { verdict, ingress, words } = explained(engineWith(DB_POLICY), question('shop/api', 'shop/db', { port: 80 }));
    expect(verdict).toBe('deny');
    expect(ingress?.misses).toEqual([
      { policy: 'shop/db', index: 0, missed: 'port' },
      { policy: 'shop/db', index: 1, missed: 'peer-and-port' },
    ]);
    expect(words.slice(2)).toEqual([
      'ingress at shop/db: isolated by shop/db; no rule allows it',
      'rule 0 of shop/db allows TCP 5432: that is another port or protocol',
      'rule 1 of shop/db allows from 10.0.0.0/8 except 10.0.0.0/24 or from all pods in namespaces team=ops to TCP 9100, every UDP port: another peer, and another port or protocol',
    ]);
  });

  test('tells a missed peer from a missed port', () => {
    expect(explained(engineWith(DB_POLICY), question('shop/far', 'shop/db')).ingress?.misses).toEqual([
      { policy: 'shop/db', index: 0, missed: 'peer' },
      { policy: 'shop/db', index: 1, missed: 'port' },
    ]);
  });

  test('asks about pods of other nodes too', () => {
    const { verdict, ingress, words } = explained(engineWith(DENY_ALL), question('shop/api', 'shop/far'));
    expect({ verdict, reason: ingress?.reason, policies: ingress?.policies }).toEqual({
      verdict: 'deny',
      reason: 'no-rule-allows',
      policies: ['shop/deny-all'],
    });
    expect(words.at(-1)).toBe(
      'ingress at shop/far: isolated by shop/deny-all; there is no ingress rule, so nothing is allowed',
    );
  });

  test.each<[string, FlowQuestion, string | undefined, string]>([
    ['a pod to itself', question('10.0.0.1', 'shop/db'), 'same-pod', 'a pod reaches itself'],
    ['its own node', question('192.168.0.1', 'shop/db'), 'own-node', '192.168.0.1 is its own node'],
    ['another node', question('192.168.0.2', 'shop/db'), 'no-rule-allows', 'no policy is asked at the source'],
    ['a hostNetwork pod of its node', question('other/agent', 'shop/far'), 'own-node', 'other/agent is its own node'],
    [
      'a node that may be its own',
      question('192.168.0.3', 'shop/far'),
      'no-rule-allows',
      'if 192.168.0.3 is the node of shop/far (n2), it is allowed',
    ],
    ['to a node', question('shop/db', '192.168.0.2'), undefined, '192.168.0.2 is a node'],
    ['to outside', question('shop/db', '203.0.113.1'), undefined, '203.0.113.1 is no pod and no node that is known'],
    [
      'ICMP',
      question('shop/api', 'shop/db', { protocol: 'icmp', port: undefined as never }),
      'no-rule-allows',
      'ICMP: denied at ingress',
    ],
  ])('%s', (_name, asked, reason, words) => {
    const { port, ...rest } = asked;
    const explanation = explained(engineWith(DENY_ALL), port === undefined ? rest : asked);
    expect(explanation.ingress?.reason).toBe(reason);
    expect(explanation.words.join('\n')).toContain(words);
  });

  test('of a pod that the API has no more: judged as it was, an address outside to its peers', () => {
    const engine = engineWith(DB_POLICY);
    engine.deletePod('shop', 'api');
    engine.flush();
    const { verdict, source, words } = explained(engine, question('shop/api', 'shop/db'));
    expect({ verdict, source }).toEqual({
      verdict: 'deny',
      source: { kind: 'pod', address: '10.0.0.2', pod: { namespace: 'shop', name: 'api' } },
    });
    expect(words).toContain(
      'to the other end shop/api (10.0.0.2) is an address outside: the API tells of no running pod that has it',
    );
  });

  test('of an endpoint whose pod nobody knows', () => {
    const engine = engineWith();
    engine.putEndpoint(endpointOf(podOf('shop/new', '10.0.0.9')));
    engine.flush();
    const { ingress, words } = explained(engine, question('shop/api', 'shop/new'));
    expect(ingress?.reason).toBe('unknown-pod');
    expect(words).toContain('ingress at shop/new: nothing passes until the API tells of its pod');
  });

  test('tells what of a policy could not be read', () => {
    const broken = policyOf('shop/broken', {
      ingress: [],
      problems: [{ code: 'InvalidPeer', field: 'spec.ingress[0].from[0]', message: 'the rule allows nothing' }],
    });
    expect(explained(engineWith(broken), question('shop/api', 'shop/db')).words).toContain(
      'shop/broken was not read whole: spec.ingress[0].from[0]: the rule allows nothing',
    );
  });

  test('counts rules and items beyond what people read', () => {
    const rules = Array.from({ length: 30 }, (_, index) =>
      rule(
        index,
        [1, 2, 3, 4, 5, 6].map((n) => blockOf(`172.16.${n}.0/24`)),
      ),
    );
    const { words, ingress } = explained(
      engineWith(policyOf('shop/many', { ingress: rules })),
      question('shop/api', 'shop/db'),
    );
    expect(ingress?.misses).toHaveLength(30);
    expect(words).toHaveLength(3 + 20 + 1);
    expect(words[3]).toContain('172.16.4.0/24 and 2 more');
    expect(words.at(-1)).toBe('and 10 rules more do not allow it');
  });
});

describe('a question without an answer', () => {
  test.each<[string, FlowQuestion, Partial<QuestionProblem>, RegExp]>([
    [
      'an unknown pod',
      question('shop/nobody', 'shop/db'),
      { code: 'not-found', field: 'source' },
      /pod shop\/nobody: the API tells of no/,
    ],
    [
      'a name alone',
      question('shop/db', 'api'),
      { code: 'bad-request', field: 'destination' },
      /"api": expected an address, or namespace\/name/,
    ],
    ['a block', question('10.0.0.0/8', 'shop/db'), { code: 'bad-request' }, /"10.0.0.0\/8": expected an address/],
    ['a pod without address', question('other/starts', 'shop/db'), { code: 'bad-request' }, /no address yet/],
    ['a completed pod', question('other/job', 'shop/db'), { code: 'bad-request' }, /completed/],
    ['two families', question('other/v6', '10.0.0.1'), { code: 'bad-request' }, /IPv6 alone and 10.0.0.1 IPv4/],
    [
      'an unknown protocol',
      question('shop/api', 'shop/db', { protocol: 'tpc' }),
      { field: 'protocol' },
      /"tpc": expected TCP/,
    ],
    ['ICMPv6 over IPv4', question('10.0.0.1', '10.0.0.2', { protocol: 'ICMPv6' }), { field: 'protocol' }, /"ICMPv6"/],
    ['a port of ICMP', question('shop/api', 'shop/db', { protocol: 'ICMP' }), { field: 'port' }, /ICMP has no ports/],
    [
      'no port of TCP',
      { source: 'shop/api', destination: 'shop/db', protocol: 'TCP' },
      { field: 'port' },
      /a port of TCP/,
    ],
    ['port 0', question('shop/api', 'shop/db', { port: 0 }), { field: 'port' }, /0: expected a number within 1..65535/],
    [
      'an unknown port name',
      question('shop/api', 'shop/db', { port: 'web' }),
      { code: 'not-found', field: 'port' },
      /it has sql \(TCP 5432\)/,
    ],
    [
      'a name of another protocol',
      question('shop/api', 'shop/db', { protocol: 'udp', port: 'sql' }),
      { code: 'not-found' },
      /no such UDP port/,
    ],
    ['a name with two numbers', question('shop/api', 'shop/far', { port: 'web' }), { code: 'bad-request' }, /80, 8080/],
    [
      'a name at no pod',
      question('shop/api', '203.0.113.1', { port: 'web' }),
      { code: 'bad-request' },
      /is no pod that declares ports/,
    ],
  ])('%s', (_name, asked, wanted, message) => {
    const found = problem(asked);
    expect(found).toMatchObject(wanted);
    expect(found.message).toMatch(message);
  });

  test('the family that both ends have is asked about', () => {
    expect(explained(engineWith(), question('other/v6', 'shop/db')).destination.address).toBe('fd00::1');
  });
});
