/**
 * Rows of the checklist of NetworkPolicy v1 semantics that the engine decides. Each case states the rules that the
 * endpoint of `a/subject` gets, with the members of sets in place of their ids.
 */
import type { LabelSelector, NetworkPolicy, PolicyPod, PolicyPort, PolicyRule } from '@canal/model';
import { describe, expect, test } from 'vitest';
import { createPolicyEngine } from './create-policy-engine.ts';
import type { PolicyEngine } from './policy-engine.ts';
import { blockOf, endpointOf, labelled, podOf, podsWith, policyOf } from './testing/objects.ts';
import { rulesText } from './testing/view-text.ts';

const http = (port: number): PolicyPod['ports'][number] => ({ name: 'http', protocol: 'TCP', port });

const SUBJECT = podOf('a/subject', ['10.0.0.1', 'fd00::1'], { labels: { app: 'subject' }, ports: [http(8000)] });
const WEB = podOf('a/web', '10.0.0.2', { labels: { app: 'web' }, ports: [http(8080)] });
const PODS: readonly PolicyPod[] = [
  SUBJECT,
  WEB,
  podOf('b/web', ['10.0.1.2', 'fd00::12'], { labels: { app: 'web' }, ports: [http(8081)] }),
  podOf('b/db', '10.0.1.3', { labels: { app: 'db' }, ports: [{ name: 'http', protocol: 'UDP', port: 53 }] }),
];

interface Outcome {
  readonly ingress?: readonly string[];
  readonly egress?: readonly string[];
}

interface Row {
  readonly row: string;
  readonly policies: readonly NetworkPolicy[];
  readonly pods?: readonly PolicyPod[];
  readonly outcome: Outcome;
}

function engineWith(policies: readonly NetworkPolicy[], pods: readonly PolicyPod[] = PODS): PolicyEngine {
  const engine = createPolicyEngine();
  engine.putNamespace({ name: 'a', labels: { team: 'red', 'kubernetes.io/metadata.name': 'a' } });
  engine.putNamespace({ name: 'b', labels: { team: 'blue', 'kubernetes.io/metadata.name': 'b' } });
  for (const pod of pods) engine.putPod(pod);
  engine.putEndpoint(endpointOf(SUBJECT));
  for (const policy of policies) engine.putPolicy(policy);
  engine.flush();
  return engine;
}

function outcomeOf({ view }: PolicyEngine, key = 'c-a-subject/eth0'): Outcome {
  const endpoint = [...view.endpoints()].find((candidate) => candidate.key === key);
  const ingress = rulesText(view, endpoint?.ingress);
  const egress = rulesText(view, endpoint?.egress);
  return { ...(ingress && { ingress }), ...(egress && { egress }) };
}

function rule(peers: PolicyRule['peers'], ports: PolicyRule['ports'] = 'any'): PolicyRule {
  return { index: 0, peers, ports };
}

const tcp = (first: number, last = first): PolicyPort => ({ protocol: 'TCP', port: { first, last } });
const udp = (first: number, last = first): PolicyPort => ({ protocol: 'UDP', port: { first, last } });
const named = (name: string, protocol: PolicyPort['protocol'] = 'TCP'): PolicyPort => ({ protocol, port: { name } });
const allPods = (namespaces: 'own' | LabelSelector): PolicyRule['peers'][number] & object => ({
  type: 'pods',
  namespaces,
  pods: [],
});
const EVERY_POD = '{10.0.0.1 10.0.0.2 10.0.1.2 10.0.1.3 fd00::1 fd00::12}';
const WEB_EVERYWHERE = podsWith({ app: 'web' }, {});

const ROWS: readonly Row[] = [
  { row: '1: no policy isolates nothing', policies: [], outcome: {} },
  {
    row: '1: a direction that is not told is not isolated',
    policies: [policyOf('a/p', { egress: [] })],
    outcome: { egress: [] },
  },
  { row: '2: an empty list isolates', policies: [policyOf('a/p', { ingress: [] })], outcome: { ingress: [] } },
  {
    row: '2: an empty rule allows all',
    policies: [policyOf('a/p', { ingress: [rule('any')], egress: [rule('any')] })],
    outcome: { ingress: ['any -> any'], egress: ['any -> any'] },
  },
  {
    row: '2: ports without peers are for everybody',
    policies: [policyOf('a/p', { ingress: [rule('any', [tcp(80)])] })],
    outcome: { ingress: ['any -> TCP:80'] },
  },
  {
    row: '3: a pod selector alone is of the own namespace',
    policies: [policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' })])] })],
    outcome: { ingress: ['{10.0.0.2} -> any'] },
  },
  {
    row: '3: a namespace selector alone is all pods there',
    policies: [policyOf('a/p', { ingress: [rule([allPods(labelled({ team: 'blue' }))])] })],
    outcome: { ingress: ['{10.0.1.2 10.0.1.3 fd00::12} -> any'] },
  },
  {
    row: '3: two selectors in one item are AND',
    policies: [policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' }, { team: 'blue' })])] })],
    outcome: { ingress: ['{10.0.1.2 fd00::12} -> any'] },
  },
  {
    row: '3: two items are OR',
    policies: [policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' }), allPods(labelled({ team: 'blue' }))])] })],
    outcome: { ingress: ['{10.0.0.2} -> any', '{10.0.1.2 10.0.1.3 fd00::12} -> any'] },
  },
  {
    row: '3: empty selectors select all',
    policies: [policyOf('a/p', { ingress: [rule([allPods([])])] })],
    outcome: { ingress: [`${EVERY_POD} -> any`] },
  },
  {
    row: '4: policies add up, and only those that select',
    policies: [
      policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' })], [tcp(80)])] }),
      policyOf('a/q', { ingress: [rule([podsWith({ app: 'web' })], [tcp(81), udp(53)])] }),
      policyOf('a/r', { podSelector: labelled({ app: 'web' }), ingress: [rule('any')] }),
      policyOf('b/p', { ingress: [rule('any')], egress: [rule('any')] }),
    ],
    // Not one rule, though they touch: each policy counts alone.
    outcome: { ingress: ['{10.0.0.2} -> TCP:80', '{10.0.0.2} -> TCP:81;UDP:53'] },
  },
  {
    row: '5: a protocol without a port is all its ports, and no other protocol',
    policies: [policyOf('a/p', { ingress: [rule('any', [{ protocol: 'SCTP', port: 'all' }, tcp(1)])] })],
    outcome: { ingress: ['any -> SCTP:*;TCP:1'] },
  },
  {
    row: '5: what could not be read allows nobody, and isolates',
    policies: [policyOf('a/p', { ingress: [rule([]), rule('any', [])], egress: [rule([], [tcp(80)])] })],
    outcome: { ingress: [], egress: [] },
  },
  {
    row: '6: ingress resolves a name on the own pod',
    policies: [policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' })], [named('http'), tcp(7999)])] })],
    outcome: { ingress: ['{10.0.0.2} -> TCP:7999-8000'] },
  },
  {
    row: '6: egress resolves a name on each destination pod, by name and protocol',
    policies: [policyOf('a/p', { egress: [rule([allPods([])], [named('http')])] })],
    outcome: {
      egress: ['{10.0.0.1 TCP:8000 10.0.0.2 TCP:8080 10.0.1.2 TCP:8081 fd00::1 TCP:8000 fd00::12 TCP:8081} -> any'],
    },
  },
  {
    row: '6: a name that nobody declares matches nothing, never all',
    policies: [
      policyOf('a/p', {
        ingress: [rule('any', [named('http', 'UDP')])],
        egress: [rule([podsWith({ app: 'web' })], [named('grpc')])],
      }),
    ],
    outcome: { ingress: [], egress: ['{} -> any'] },
  },
  {
    row: '6: egress by name without a peer is every pod that declares it',
    policies: [policyOf('a/p', { egress: [rule('any', [named('http', 'UDP')])] })],
    outcome: { egress: ['{10.0.1.3 UDP:53} -> any'] },
  },
  {
    row: '6: egress by name into a block is its pods, less the exceptions',
    policies: [policyOf('a/p', { egress: [rule([blockOf('10.0.0.0/16', '10.0.1.0/24')], [named('http')])] })],
    outcome: { egress: ['{10.0.0.1 TCP:8000 10.0.0.2 TCP:8080} -> any'] },
  },
  {
    row: '6: a name that two containers declare is all their numbers',
    policies: [
      policyOf('a/p', {
        ingress: [rule('any', [named('http')])],
        egress: [rule([podsWith({ app: 'web' })], [named('http')])],
      }),
    ],
    pods: [
      { ...SUBJECT, ports: [http(8000), http(9000), http(8000)] },
      { ...WEB, ports: [http(8080), http(9080)] },
    ],
    outcome: { ingress: ['any -> TCP:8000,9000'], egress: ['{10.0.0.2 TCP:8080 10.0.0.2 TCP:9080} -> any'] },
  },
  {
    row: '8: ranges include both ends, in both directions',
    policies: [policyOf('a/p', { ingress: [rule('any', [tcp(1000, 2000)])], egress: [rule('any', [udp(1, 65_535)])] })],
    outcome: { ingress: ['any -> TCP:1000-2000'], egress: ['any -> UDP:1-65535'] },
  },
  {
    row: '9: an exception limits its own item alone',
    policies: [
      policyOf('a/p', {
        ingress: [
          rule([
            blockOf('10.9.0.0/24', '10.9.0.64/26', '10.9.0.128/25', '10.9.0.192/26'),
            blockOf('10.9.0.64/26', '10.9.0.96/27', '10.9.0.64/28'),
            blockOf('10.9.0.100/32'),
            blockOf('fd00:9::/63', 'fd00:9:0:1::/64'),
            blockOf('10.0.1.0/24', '10.0.1.0/28'),
            podsWith({ app: 'db' }, { team: 'blue' }),
          ]),
          rule([blockOf('10.9.0.0/24', '10.9.0.0/25')], [tcp(80)]),
        ],
      }),
    ],
    outcome: {
      ingress: [
        '{10.0.1.16-10.0.1.255 10.9.0.0/26 10.9.0.100/32 10.9.0.80/28 fd00:9::/64} -> any',
        '{10.0.1.3} -> any',
        '{10.9.0.128/25} -> TCP:80',
      ],
    },
  },
  {
    row: '9: an exception of all leaves nobody, and so do exceptions that are all together',
    policies: [
      policyOf('a/p', {
        ingress: [
          rule([blockOf('10.0.0.0/24', '10.0.0.0/16')]),
          rule([blockOf('10.0.0.0/24', '10.0.0.0/25', '10.0.0.128/25')]),
        ],
      }),
    ],
    outcome: { ingress: [] },
  },
  {
    row: '10: whole families, and exceptions of the other one',
    policies: [
      policyOf('a/p', { ingress: [rule([blockOf('0.0.0.0/0')])], egress: [rule([blockOf('::/0', '10.0.0.0/8')])] }),
    ],
    outcome: { ingress: ['{0.0.0.0/0} -> any'], egress: ['{::/0} -> any'] },
  },
  {
    row: '11: blocks may cover pods and nodes',
    policies: [policyOf('a/p', { egress: [rule([blockOf('10.0.1.2/32'), blockOf('192.168.0.0/16')])] })],
    outcome: { egress: ['{10.0.1.2/32 192.168.0.0/16} -> any'] },
  },
  {
    row: '17: hostNetwork pods are no peers',
    policies: [policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' })])] })],
    pods: [SUBJECT, { ...WEB, hostNetwork: true }],
    outcome: { ingress: ['{} -> any'] },
  },
  {
    row: '17: hostNetwork pods are no subjects',
    policies: [policyOf('a/p', { ingress: [] })],
    pods: [{ ...SUBJECT, hostNetwork: true }],
    outcome: {},
  },
  {
    row: '19: an endpoint of a pod that is not known is closed',
    policies: [policyOf('a/p', { ingress: [rule('any')] })],
    pods: [{ ...SUBJECT, uid: 'another' }, WEB],
    outcome: { ingress: [], egress: [] },
  },
  {
    row: "21: completed pods leave the sets, and their address is the next one's",
    policies: [
      policyOf('a/p', {
        ingress: [rule([podsWith({ app: 'web' })], [tcp(1)]), rule([podsWith({ app: 'db' })], [tcp(2)])],
      }),
    ],
    pods: [SUBJECT, { ...WEB, completed: true }, podOf('a/db', '10.0.0.2', { labels: { app: 'db' }, createdMs: 1 })],
    outcome: { ingress: ['{10.0.0.2} -> TCP:2', '{} -> TCP:1'] },
  },
  {
    row: '21: of two live pods with one address the younger has it, then the greater uid',
    policies: [
      policyOf('a/p', {
        ingress: [rule([podsWith({ app: 'web' })], [tcp(1)]), rule([podsWith({ app: 'db' })], [tcp(2)])],
      }),
    ],
    pods: [
      SUBJECT,
      WEB,
      podOf('a/db', '10.0.0.2', { labels: { app: 'db' }, createdMs: 1001 }),
      podOf('a/db2', '10.0.0.3', { labels: { app: 'db' }, uid: 'a' }),
      podOf('a/web2', '10.0.0.3', { labels: { app: 'web' }, uid: 'b' }),
    ],
    outcome: { ingress: ['{10.0.0.2} -> TCP:2', '{10.0.0.3} -> TCP:1'] },
  },
  {
    row: '22: a pod that is being deleted keeps its address until another pod has it, though created earlier',
    policies: [
      policyOf('a/p', {
        ingress: [rule([podsWith({ app: 'web' })], [tcp(1)]), rule([podsWith({ app: 'db' })], [tcp(2)])],
      }),
    ],
    pods: [
      SUBJECT,
      podOf('a/db', '10.0.0.2', { labels: { app: 'db' }, createdMs: 1 }),
      { ...WEB, deleting: true },
      podOf('a/db2', '10.0.0.3', { labels: { app: 'db' }, deleting: true }),
    ],
    outcome: { ingress: ['{10.0.0.2 10.0.0.3} -> TCP:2', '{} -> TCP:1'] },
  },
  {
    row: '24: NotIn and DoesNotExist hold without the key',
    policies: [
      policyOf('a/p', {
        ingress: [
          rule([
            {
              type: 'pods',
              namespaces: [{ key: 'none', operator: 'DoesNotExist' }],
              pods: [{ key: 'app', operator: 'NotIn', values: ['db', 'subject'] }],
            },
            { type: 'pods', namespaces: 'own', pods: [{ key: 'none', operator: 'NotIn', values: ['x'] }] },
            {
              type: 'pods',
              namespaces: labelled({ 'kubernetes.io/metadata.name': 'b' }),
              pods: [{ key: 'app', operator: 'Exists' }],
            },
          ]),
        ],
      }),
    ],
    outcome: {
      ingress: [
        '{10.0.0.1 10.0.0.2 fd00::1} -> any',
        '{10.0.0.2 10.0.1.2 fd00::12} -> any',
        '{10.0.1.2 10.0.1.3 fd00::12} -> any',
      ],
    },
  },
  {
    row: '28: peers that nobody is are no error',
    policies: [policyOf('a/p', { ingress: [rule([podsWith({ app: 'none' }), podsWith({}, { team: 'none' })])] })],
    outcome: { ingress: ['{} -> any', '{} -> any'] },
  },
  {
    row: '28: a namespace that the API did not tell of is selected by no selector',
    policies: [policyOf('a/p', { ingress: [rule([allPods([])])] })],
    pods: [SUBJECT, podOf('c/web', '10.0.2.1')],
    outcome: { ingress: ['{10.0.0.1 fd00::1} -> any'] },
  },
  {
    row: '29: ranges that overlap or touch are one',
    policies: [
      policyOf('a/p', {
        ingress: [rule('any', [tcp(10, 20), tcp(15, 30), tcp(31), tcp(33, 40), tcp(35), tcp(10), udp(31)])],
      }),
    ],
    outcome: { ingress: ['any -> TCP:10-31,33-40;UDP:31'] },
  },
  {
    row: '29: any ports absorb, of a peer and of everybody',
    policies: [
      policyOf('a/p', {
        ingress: [rule([WEB_EVERYWHERE], [tcp(80)]), rule([WEB_EVERYWHERE])],
        egress: [rule('any'), rule([WEB_EVERYWHERE], [named('http')]), rule('any', [tcp(80)])],
      }),
    ],
    outcome: { ingress: ['{10.0.0.2 10.0.1.2 fd00::12} -> any'], egress: ['any -> any'] },
  },
  {
    row: '29: blocks of a rule share a set without those within others, and each rule counts alone',
    policies: [
      policyOf('a/p', {
        ingress: [
          rule([blockOf('10.1.0.0/16'), blockOf('10.0.0.0/8'), blockOf('fd00::/8')], [tcp(80)]),
          rule([blockOf('10.2.0.0/16')], [tcp(80)]),
          rule([blockOf('10.3.0.0/16')], [tcp(81)]),
        ],
      }),
    ],
    outcome: {
      ingress: ['{10.0.0.0/8 fd00::/8} -> TCP:80', '{10.2.0.0/16} -> TCP:80', '{10.3.0.0/16} -> TCP:81'],
    },
  },
];

describe('rows of the checklist', () => {
  test.each(ROWS)('$row', ({ policies, pods, outcome }) => {
    expect(outcomeOf(engineWith(policies, pods))).toEqual(outcome);
  });
});

describe('changes', () => {
  const fromWeb = policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' }, { team: 'blue' })])] });

  test('row 22: an endpoint whose pod is deleted keeps its policies; as a peer the pod is gone', () => {
    const engine = engineWith([
      policyOf('a/p', {
        podSelector: labelled({ app: 'subject' }),
        ingress: [rule([allPods('own')], [named('http')])],
      }),
    ]);
    engine.deletePod('a', 'subject');
    engine.putNamespace({ name: 'a', labels: {} });
    engine.flush();
    expect(outcomeOf(engine)).toEqual({ ingress: ['{10.0.0.2} -> TCP:8000'] });
    engine.putPod({ ...SUBJECT, uid: 'next', labels: { app: 'other' }, addresses: [] });
    engine.flush();
    expect(outcomeOf(engine)).toEqual({ ingress: ['{10.0.0.2} -> TCP:8000'] });
    expect([...engine.endpointStatuses()]).toMatchObject([{ state: 'policed', ingress: ['a/p'], egress: [] }]);
  });

  test('row 22: a subject that completed keeps its policies', () => {
    const engine = engineWith([policyOf('a/p', { ingress: [] })]);
    engine.putPod({ ...SUBJECT, completed: true });
    engine.flush();
    expect(outcomeOf(engine)).toEqual({ ingress: [] });
  });

  test('row 23: labels of pods and namespaces come and go', () => {
    const engine = engineWith([fromWeb]);
    expect(outcomeOf(engine)).toEqual({ ingress: ['{10.0.1.2 fd00::12} -> any'] });
    engine.putNamespace({ name: 'b', labels: { team: 'green' } });
    engine.putNamespace({ name: 'a', labels: { team: 'blue' } });
    expect(engine.flush()?.members.size).toBe(1);
    expect(outcomeOf(engine)).toEqual({ ingress: ['{10.0.0.2} -> any'] });
    engine.putPod({ ...SUBJECT, labels: { app: 'web' } });
    engine.deletePod('a', 'web');
    engine.flush();
    expect(outcomeOf(engine)).toEqual({ ingress: ['{10.0.0.1 fd00::1} -> any'] });
    engine.deleteNamespace('a');
    engine.flush();
    expect(outcomeOf(engine)).toEqual({ ingress: ['{} -> any'] });
  });

  test('row 6: a port that gets another number changes egress to it and ingress of its own', () => {
    const byName = [named('http')];
    const engine = engineWith([
      policyOf('a/p', {
        podSelector: labelled({ app: 'subject' }),
        ingress: [rule('any', byName)],
        egress: [rule([podsWith({ app: 'web' })], byName), rule([blockOf('10.0.1.0/24')], byName)],
      }),
    ]);
    engine.putPod({ ...WEB, ports: [http(9999)] });
    engine.putPod({ ...PODS[2]!, ports: [] });
    const changes = [...(engine.flush()?.members.values() ?? [])];
    expect(changes.map(({ added, removed }) => [added.length, removed.length]).sort()).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(outcomeOf(engine)).toEqual({
      ingress: ['any -> TCP:8000'],
      egress: ['{10.0.0.2 TCP:9999} -> any', '{} -> any'],
    });
    engine.putPod({ ...SUBJECT, ports: [http(7000)] });
    engine.flush();
    expect(outcomeOf(engine).ingress).toEqual(['any -> TCP:7000']);
  });

  test("row 23: the subject's own labels decide which policies select it", () => {
    const engine = engineWith([policyOf('a/p', { podSelector: labelled({ app: 'subject' }), ingress: [] })]);
    expect(outcomeOf(engine)).toEqual({ ingress: [] });
    engine.putPod({ ...SUBJECT, labels: {} });
    engine.flush();
    expect(outcomeOf(engine)).toEqual({});
  });

  test('row 25: a pod of any node is a peer, and enters by its address alone', () => {
    const engine = engineWith([fromWeb]);
    engine.putPod(podOf('b/web2', '10.0.1.9', { labels: { app: 'web' }, node: 'far' }));
    const delta = engine.flush();
    expect(delta).toMatchObject({ newSets: [], newChains: [], endpoints: [], removedChains: [], removedSets: [] });
    expect([...(delta?.members.values() ?? [])]).toEqual([
      { added: [{ kind: 'addresses', ip: 0x0a000109 }], removed: [] },
    ]);
  });

  test('a policy that goes takes its chains and sets along', () => {
    const engine = engineWith([fromWeb]);
    engine.deletePolicy('a', 'p');
    const delta = engine.flush();
    expect(delta?.removedChains).toHaveLength(1);
    expect(delta?.removedSets).toHaveLength(1);
    expect([...engine.view.chains(), ...engine.view.sets()]).toEqual([]);
    expect(outcomeOf(engine)).toEqual({});
  });

  test('what is undone before a flush was never there', () => {
    const engine = engineWith([fromWeb]);
    engine.putPod(podOf('b/web2', '10.0.1.9', { labels: { app: 'web' } }));
    engine.deletePod('b', 'web2');
    engine.deletePolicy('a', 'p');
    engine.putPolicy(fromWeb);
    engine.deleteEndpoint('c-a-subject/eth0');
    engine.putEndpoint(endpointOf(SUBJECT));
    expect(engine.flush()).toBeUndefined();
  });

  test('the view stays as flushed until the next flush', () => {
    const engine = engineWith([fromWeb]);
    engine.putPod(podOf('b/web2', '10.0.1.9', { labels: { app: 'web' } }));
    engine.deletePod('b', 'web');
    engine.putPolicy(policyOf('a/q', { egress: [] }));
    expect(outcomeOf(engine)).toEqual({ ingress: ['{10.0.1.2 fd00::12} -> any'] });
    const [set] = [...engine.view.sets()];
    expect(engine.view.memberCount(set!.id)).toBe(2);
    engine.deleteEndpoint('c-a-subject/eth0');
    expect(outcomeOf(engine)).toEqual({ ingress: ['{10.0.1.2 fd00::12} -> any'] });
    engine.flush();
    expect([...engine.view.endpoints(), ...engine.view.chains(), ...engine.view.sets()]).toEqual([]);
    expect(() => engine.view.memberCount(set!.id)).toThrow(RangeError);
  });
});

describe('sharing', () => {
  test('endpoints with equal allowances share a chain, whatever the policies are called', () => {
    const engine = engineWith([policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' })], [tcp(80), tcp(81)])] })]);
    const second = podOf('a/second', '10.0.0.9');
    engine.putPod(second);
    engine.putEndpoint(endpointOf(second));
    const delta = engine.flush();
    expect(delta?.newChains).toEqual([]);
    expect([...engine.view.chains()]).toHaveLength(1);
    expect(new Set([...engine.view.endpoints()].map(({ ingress }) => ingress)).size).toBe(1);
  });

  test('endpoints that give a port name other numbers have other chains over one set', () => {
    const engine = engineWith([policyOf('a/p', { ingress: [rule([podsWith({ app: 'web' })], [named('http')])] })]);
    const second = podOf('a/second', '10.0.0.9', { ports: [http(9999)] });
    engine.putPod(second);
    engine.putEndpoint(endpointOf(second));
    engine.flush();
    expect(outcomeOf(engine)).toEqual({ ingress: ['{10.0.0.2} -> TCP:8000'] });
    expect(outcomeOf(engine, 'c-a-second/eth0')).toEqual({ ingress: ['{10.0.0.2} -> TCP:9999'] });
    expect([...engine.view.sets()]).toHaveLength(1);
  });
});

describe('addresses of endpoints', () => {
  test('the endpoint of the younger pod has the address, the other is isolated', () => {
    const engine = engineWith([]);
    const young = podOf('b/young', '10.0.0.1', { createdMs: 2000 });
    engine.putPod(young);
    engine.putEndpoint(endpointOf(young));
    engine.flush();
    expect(outcomeOf(engine)).toEqual({ ingress: [], egress: [] });
    expect(outcomeOf(engine, 'c-b-young/eth0')).toEqual({});
    const [loser, winner] = [...engine.view.endpoints()];
    expect(loser?.addresses).toEqual([SUBJECT.addresses[1]]);
    expect(winner?.addresses).toEqual(young.addresses);
    expect([...engine.endpointStatuses()].map(({ state }) => state)).toEqual(['address-taken', 'policed']);
    engine.deleteEndpoint('c-b-young/eth0');
    engine.flush();
    expect(outcomeOf(engine)).toEqual({});
  });

  test('the endpoint of a pod that is being deleted has no address that another has', () => {
    const engine = engineWith([]);
    const older = podOf('b/older', '10.0.0.1', { createdMs: 1 });
    engine.putPod(older);
    engine.putEndpoint(endpointOf(older));
    engine.flush();
    expect(outcomeOf(engine, 'c-b-older/eth0')).toEqual({ ingress: [], egress: [] });
    engine.putPod({ ...SUBJECT, deleting: true });
    engine.flush();
    expect(outcomeOf(engine)).toEqual({ ingress: [], egress: [] });
    expect(outcomeOf(engine, 'c-b-older/eth0')).toEqual({});
  });

  test('an endpoint of an unknown pod takes no address from a known one', () => {
    const engine = engineWith([]);
    engine.putEndpoint(endpointOf(podOf('b/unknown', '10.0.0.1', { createdMs: 2000 })));
    engine.flush();
    expect(outcomeOf(engine)).toEqual({});
    expect(outcomeOf(engine, 'c-b-unknown/eth0')).toEqual({ ingress: [], egress: [] });
  });

  test('an endpoint without a pod is closed', () => {
    const engine = createPolicyEngine();
    const { pod: _pod, ...endpoint } = endpointOf(SUBJECT);
    engine.putEndpoint(endpoint);
    engine.flush();
    expect(outcomeOf(engine)).toEqual({ ingress: [], egress: [] });
    expect([...engine.endpointStatuses()].map(({ state }) => state)).toEqual(['unknown-pod']);
  });
});

describe('statuses', () => {
  test('a policy tells of its problems and of the endpoints that it selects', () => {
    const problems = [{ code: 'InvalidPort', field: 'spec.ingress[0].ports[0]', message: 'x' }] as const;
    const engine = engineWith([
      policyOf('a/p', { ingress: [], problems }),
      policyOf('a/q', { podSelector: labelled({ app: 'web' }), egress: [] }),
      policyOf('b/p', {}),
    ]);
    expect([...engine.policyStatuses()]).toEqual([
      { policy: 'a/p', uid: 'uid-a-p', problems, localEndpoints: 1 },
      { policy: 'a/q', uid: 'uid-a-q', problems: [], localEndpoints: 0 },
      { policy: 'b/p', uid: 'uid-b-p', problems: [], localEndpoints: 0 },
    ]);
  });
});

describe('flattening', () => {
  const peers = ['web', 'db'].map((app) => podsWith({ app }, {}));

  function outcomeAbove(flattenAbove: number, more: Partial<NetworkPolicy>): Outcome {
    const engine = createPolicyEngine({ flattenAbove });
    for (const name of ['a', 'b']) engine.putNamespace({ name, labels: {} });
    for (const pod of PODS) engine.putPod(pod);
    engine.putEndpoint(endpointOf(SUBJECT));
    engine.putPolicy(policyOf('a/p', more));
    engine.flush();
    return outcomeOf(engine);
  }

  test('a chain with more rules over pods than the limit is of sets of its own', () => {
    const { egress = [] } = outcomeAbove(3, {
      egress: [
        rule([peers[0]!], [tcp(80), tcp(1, 62), named('http')]),
        rule([peers[1]!], [tcp(80)]),
        rule([peers[1]!], [tcp(1000, 1064), { protocol: 'UDP', port: 'all' }]),
        rule([podsWith({ app: 'subject' })]),
        rule([blockOf('10.0.0.0/8'), blockOf('10.0.0.0/8', '10.0.0.0/30')], [named('http'), tcp(5)]),
        rule('any', [tcp(6), named('http')]),
      ],
    });
    const shortened = egress.map((text) => (text.length > 120 ? `${text.split(' ').length} words` : text));
    // Ports 1-62 and 80 of three web addresses, and http of the five that declare it.
    const members = 63 * 3 + 5;
    expect(shortened.sort()).toEqual(
      [
        'any -> TCP:6',
        '{10.0.0.0/8} -> TCP:5',
        '{10.0.0.1 fd00::1} -> any',
        '{10.0.1.3} -> TCP:1000-1064;UDP:*',
        '{10.0.1.3} -> TCP:80',
        `${members * 2 + 2} words`,
      ].sort(),
    );
  });

  test('ports of a peer, and blocks with equal ports, are put together without those within others', () => {
    const outcome = outcomeAbove(2, {
      ingress: [
        rule([peers[0]!], [tcp(80)]),
        rule([peers[0]!], [tcp(81), udp(53)]),
        rule([blockOf('10.1.0.0/16'), blockOf('10.0.0.0/8'), blockOf('fd00::/8')], [tcp(80)]),
        rule([blockOf('10.2.0.0/16')], [tcp(80)]),
        rule([blockOf('10.3.0.0/16')], [tcp(81)]),
      ],
    });
    expect(outcome.ingress).toEqual([
      '{10.0.0.0/8 fd00::/8} -> TCP:80',
      '{10.0.0.2 10.0.1.2 fd00::12} -> TCP:80-81;UDP:53',
      '{10.3.0.0/16} -> TCP:81',
    ]);
  });

  test('flattened peers with equal ports share a rule', () => {
    const everybody = '{10.0.0.2 10.0.1.2 10.0.1.3 fd00::12}';
    expect(outcomeAbove(1, { ingress: [rule(peers)], egress: [rule(peers, [tcp(80)])] })).toEqual({
      ingress: [`${everybody} -> any`],
      egress: [`${everybody} -> TCP:80`],
    });
  });

  test.each([
    ['8 ports of whoever', allPods([]), 8, 1],
    ['9 ports of whoever, which would be 9 members for each pod of the cluster', allPods([]), 9, 9],
    ['1,024 ports of labelled pods', peers[0]!, 1024, 1],
    ['1,025 ports of labelled pods', peers[0]!, 1025, 1025],
  ])('%s', (_, peer, ports, rules) => {
    const { ingress } = outcomeAbove(0, {
      ingress: Array.from({ length: ports }, (_, index) => rule([peer], [tcp(10 + 10 * index)])),
    });
    expect(ingress).toHaveLength(rules);
  });
});
