import type { NetworkPolicy, PolicyPeer, PolicyPort, PolicyProblem } from '@canal/model';
import fc from 'fast-check';
import { parseCidr, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { parseNetworkPolicy } from './network-policy.ts';

const metadata = { namespace: 'shop', name: 'p', uid: 'u1' };

function parsed(spec: unknown): NetworkPolicy {
  const result = parseNetworkPolicy({ metadata, spec });
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function codes(policy: NetworkPolicy): PolicyProblem['code'][] {
  return policy.problems.map(({ code }) => code);
}

/** A problem says where, what was read, what is right, and what follows. */
function expectProblem(policy: NetworkPolicy, code: PolicyProblem['code'], field: string, value = ''): void {
  expect(policy.problems.map((problem) => [problem.code, problem.field])).toEqual([[code, field]]);
  const message = policy.problems[0]!.message;
  expect(message).toMatch(/^\S+ (is .+|missing): expected .+; .+$/);
  expect(message.startsWith(`${field} `)).toBe(true);
  expect(message).toContain(value);
}

describe('policyTypes', () => {
  const rules = { ingress: [{}], egress: [{}] };
  test.each<[string, object, boolean, boolean]>([
    ['absent without egress', {}, true, false],
    ['absent with ingress alone', { ingress: [{}] }, true, false],
    ['absent with an egress rule', { egress: [{}] }, true, true],
    ['absent with an empty egress list', { egress: [] }, true, false],
    ['null with an egress rule', { policyTypes: null, egress: [{}] }, true, true],
    ['empty with an egress rule', { policyTypes: [], egress: [{}] }, true, true],
    ['Ingress', { policyTypes: ['Ingress'], ...rules }, true, false],
    ['Egress', { policyTypes: ['Egress'], ...rules }, false, true],
    ['both', { policyTypes: ['Egress', 'Ingress'] }, true, true],
  ])('%s', (_, spec, ingress, egress) => {
    const policy = parsed({ podSelector: {}, ...spec });
    expect([policy.ingress !== undefined, policy.egress !== undefined]).toEqual([ingress, egress]);
    expect(policy.problems).toEqual([]);
  });

  test('a type that cannot be read isolates, and what is not named allows nothing', () => {
    const one = parsed({ policyTypes: ['Ingress', 'egress'], ...rules });
    expect([one.ingress?.length, one.egress]).toEqual([1, []]);
    expectProblem(one, 'InvalidPolicyType', 'spec.policyTypes[1]', '"egress"');
    const none = parsed({ policyTypes: 'Ingress', ...rules });
    expect([none.ingress, none.egress]).toEqual([[], []]);
    expectProblem(none, 'InvalidPolicyType', 'spec.policyTypes', '"Ingress"');
  });
});

test('no rule allows nothing, an empty rule allows all', () => {
  expect(parsed({}).ingress).toEqual([]);
  expect(parsed({ ingress: null }).ingress).toEqual([]);
  expect(parsed({ ingress: [] }).ingress).toEqual([]);
  const any = [{ index: 0, peers: 'any', ports: 'any' }];
  expect(parsed({ ingress: [{}] }).ingress).toEqual(any);
  expect(parsed({ ingress: [{ from: [], ports: [] }] }).ingress).toEqual(any);
  expect(parsed({ ingress: [{ from: null, ports: null }] }).ingress).toEqual(any);
  expect(parsed({ ingress: [{ future: true }], alsoFuture: {} }).ingress).toEqual(any);
});

describe('selectors', () => {
  test('labels and expressions are requirements in canonical order', () => {
    const podSelector = {
      matchLabels: { tier: 'db', app: 'x' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['web', 'db', 'web'] },
        { key: 'app', operator: 'In', values: ['x'] },
        { key: 'app', operator: 'Exists' },
        { key: 'app', operator: 'DoesNotExist', values: [] },
        { key: 'app', operator: 'NotIn', values: ['b', 'a'] },
      ],
    };
    expect(parsed({ podSelector }).podSelector).toEqual([
      { key: 'app', operator: 'DoesNotExist' },
      { key: 'app', operator: 'Exists' },
      { key: 'app', operator: 'In', values: ['x'] },
      { key: 'app', operator: 'NotIn', values: ['a', 'b'] },
      { key: 'tier', operator: 'In', values: ['db'] },
      { key: 'tier', operator: 'In', values: ['db', 'web'] },
    ]);
  });

  test.each([undefined, null, {}, { matchLabels: {} }, { matchLabels: null, matchExpressions: [] }])(
    'podSelector %j selects every pod',
    (podSelector) => {
      const policy = parsed({ podSelector });
      expect([policy.podSelector, policy.problems]).toEqual([[], []]);
    },
  );

  const BAD: [string, unknown, string][] = [
    ['no object', 'app=web', ''],
    ['a list', [], ''],
    ['labels that are no object', { matchLabels: ['a'] }, '.matchLabels'],
    ['a label that is no text', { matchLabels: { a: 1 } }, '.matchLabels.a'],
    ['expressions that are no list', { matchExpressions: {} }, '.matchExpressions'],
    ['an expression that is null', { matchExpressions: [null] }, '.matchExpressions[0]'],
    [
      'an unknown operator',
      { matchExpressions: [{ key: 'a', operator: 'in', values: ['b'] }] },
      '.matchExpressions[0].operator',
    ],
    ['no operator', { matchExpressions: [{ key: 'a' }] }, '.matchExpressions[0].operator'],
    ['In without values', { matchExpressions: [{ key: 'a', operator: 'In' }] }, '.matchExpressions[0].values'],
    [
      'NotIn without values',
      { matchExpressions: [{ key: 'a', operator: 'NotIn', values: [] }] },
      '.matchExpressions[0].values',
    ],
    [
      'Exists with values',
      { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] },
      '.matchExpressions[0].values',
    ],
    ['no key', { matchExpressions: [{ operator: 'Exists' }] }, '.matchExpressions[0].key'],
    [
      'a value that is no text',
      { matchExpressions: [{ key: 'a', operator: 'In', values: ['b', 2] }] },
      '.matchExpressions[0].values[1]',
    ],
  ];

  test.each(BAD)('a podSelector with %s selects every pod, and the rules are nobody’s', (_, selector, field) => {
    const policy = parsed({ podSelector: selector, policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] });
    expect([policy.podSelector, policy.ingress, policy.egress]).toEqual([[], [], []]);
    expectProblem(policy, 'InvalidSelector', `spec.podSelector${field}`);
  });

  test.each(BAD)('a peer with %s matches nobody', (_, selector, field) => {
    for (const kind of ['podSelector', 'namespaceSelector']) {
      const policy = parsed({ ingress: [{ from: [{ [kind]: selector }] }] });
      expect(policy.ingress).toEqual([{ index: 0, peers: [], ports: 'any' }]);
      expectProblem(policy, 'InvalidSelector', `spec.ingress[0].from[0].${kind}${field}`);
    }
  });
});

describe('peers', () => {
  const peersOf = (...from: unknown[]): readonly PolicyPeer[] | 'any' =>
    parsed({ ingress: [{ from }] }).ingress![0]!.peers;
  const web = [{ key: 'app', operator: 'In', values: ['web'] }];

  test('an absent selector is not an empty one', () => {
    expect(peersOf({ podSelector: { matchLabels: { app: 'web' } } })).toEqual([
      { type: 'pods', namespaces: 'own', pods: web },
    ]);
    expect(peersOf({ podSelector: {}, namespaceSelector: null })).toEqual([
      { type: 'pods', namespaces: 'own', pods: [] },
    ]);
    expect(peersOf({ namespaceSelector: {} })).toEqual([{ type: 'pods', namespaces: [], pods: [] }]);
    expect(peersOf({ namespaceSelector: { matchLabels: { app: 'web' } }, podSelector: {} })).toEqual([
      { type: 'pods', namespaces: web, pods: [] },
    ]);
  });

  test('a block with its exceptions', () => {
    expect(peersOf({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', '10.1.2.0/24'] } })).toEqual([
      {
        type: 'block',
        cidr: unwrap(parseCidr('10.0.0.0/8')),
        except: ['10.1.0.0/16', '10.1.2.0/24'].map((text) => unwrap(parseCidr(text))),
      },
    ]);
  });

  test('host bits are cleared', () => {
    expect(peersOf({ ipBlock: { cidr: '10.9.8.7/8', except: ['10.1.2.3/16'] } })).toEqual(
      peersOf({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }),
    );
    expect(peersOf({ ipBlock: { cidr: 'FD00::1/64', except: null } })).toEqual(
      peersOf({ ipBlock: { cidr: 'fd00::/64' } }),
    );
  });

  test.each<[string, unknown, string]>([
    ['nothing', {}, ''],
    ['null', null, ''],
    ['a text', 'web', ''],
    ['nothing that is known', { podSelctor: {} }, ''],
    ['a block and a selector', { ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }, ''],
    ['a block that is a text', { ipBlock: '10.0.0.0/8' }, '.ipBlock'],
    ['no cidr', { ipBlock: {} }, '.ipBlock.cidr'],
    ['an octal-looking block', { ipBlock: { cidr: '010.0.0.0/8' } }, '.ipBlock.cidr'],
    ['a length with a leading zero', { ipBlock: { cidr: '10.0.0.0/08' } }, '.ipBlock.cidr'],
    ['an address', { ipBlock: { cidr: '10.0.0.1' } }, '.ipBlock.cidr'],
    ['a mapped block', { ipBlock: { cidr: '::ffff:10.0.0.0/104' } }, '.ipBlock.cidr'],
    [
      'an exception that is none',
      { ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/16', '10.01.0.0/16'] } },
      '.ipBlock.except[1]',
    ],
    ['an exception outside', { ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }, '.ipBlock.except[0]'],
    ['an exception of the other family', { ipBlock: { cidr: '0.0.0.0/0', except: ['::/1'] } }, '.ipBlock.except[0]'],
    ['an exception of the whole', { ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }, '.ipBlock.except[0]'],
    ['an exception that is wider', { ipBlock: { cidr: '10.0.0.0/8', except: ['0.0.0.0/0'] } }, '.ipBlock.except[0]'],
    ['exceptions that are no list', { ipBlock: { cidr: '10.0.0.0/8', except: '10.1.0.0/16' } }, '.ipBlock.except'],
  ])('an item with %s matches nobody, and its neighbours stay', (_, item, field) => {
    const policy = parsed({ egress: [{ to: [{ podSelector: {} }, item] }] });
    expect(policy.egress).toEqual([{ index: 0, peers: [{ type: 'pods', namespaces: 'own', pods: [] }], ports: 'any' }]);
    expectProblem(policy, 'InvalidPeer', `spec.egress[0].to[1]${field}`);
    expect(parsed({ egress: [{ to: [item] }] }).egress![0]!.peers).toEqual([]);
  });

  test('a list that is none matches nobody', () => {
    const policy = parsed({ ingress: [{ from: { podSelector: {} } }] });
    expect(policy.ingress).toEqual([{ index: 0, peers: [], ports: 'any' }]);
    expectProblem(policy, 'InvalidPeer', 'spec.ingress[0].from', 'an object');
  });
});

describe('ports', () => {
  test.each<[unknown, PolicyPort]>([
    [{}, { protocol: 'TCP', port: 'all' }],
    [
      { protocol: null, port: null, endPort: null },
      { protocol: 'TCP', port: 'all' },
    ],
    [{ protocol: 'SCTP' }, { protocol: 'SCTP', port: 'all' }],
    [{ port: 1 }, { protocol: 'TCP', port: { first: 1, last: 1 } }],
    [
      { port: 65535, protocol: 'UDP' },
      { protocol: 'UDP', port: { first: 65535, last: 65535 } },
    ],
    [
      { port: 80, endPort: 90 },
      { protocol: 'TCP', port: { first: 80, last: 90 } },
    ],
    [
      { port: 80, endPort: 80 },
      { protocol: 'TCP', port: { first: 80, last: 80 } },
    ],
    [{ port: 'http-2' }, { protocol: 'TCP', port: { name: 'http-2' } }],
    [{ port: '8a' }, { protocol: 'TCP', port: { name: '8a' } }],
  ])('%j', (item, port) => {
    const policy = parsed({ ingress: [{ ports: [item] }] });
    expect(policy.ingress).toEqual([{ index: 0, peers: 'any', ports: [port] }]);
    expect(policy.problems).toEqual([]);
  });

  test.each<[unknown, string]>([
    [null, ''],
    [80, ''],
    [{ protocol: 'tcp' }, '.protocol'],
    [{ protocol: '' }, '.protocol'],
    [{ protocol: 'ICMP' }, '.protocol'],
    [{ protocol: 6 }, '.protocol'],
    [{ port: 0 }, '.port'],
    [{ port: 65536 }, '.port'],
    [{ port: -1 }, '.port'],
    [{ port: 80.5 }, '.port'],
    [{ port: '' }, '.port'],
    [{ port: '80' }, '.port'],
    [{ port: 'Http' }, '.port'],
    [{ port: 'a--b' }, '.port'],
    [{ port: '-a' }, '.port'],
    [{ port: 'a-' }, '.port'],
    [{ port: 'a_b' }, '.port'],
    [{ port: 'sixteen-letters-' }, '.port'],
    [{ port: 'abcdefghijklmnop' }, '.port'],
    [{ port: { a: 1 } }, '.port'],
    [{ port: 80, endPort: 79 }, '.endPort'],
    [{ port: 80, endPort: 65536 }, '.endPort'],
    [{ port: 80, endPort: '90' }, '.endPort'],
    [{ port: 'http', endPort: 90 }, '.endPort'],
    [{ endPort: 90 }, '.endPort'],
  ])('%j allows nothing, and its neighbours stay', (item, field) => {
    const policy = parsed({ ingress: [{ ports: [item, { port: 443 }] }] });
    expect(policy.ingress![0]!.ports).toEqual([{ protocol: 'TCP', port: { first: 443, last: 443 } }]);
    expectProblem(policy, 'InvalidPort', `spec.ingress[0].ports[0]${field}`);
    expect(parsed({ ingress: [{ ports: [item] }] }).ingress![0]!.ports).toEqual([]);
  });
});

test('a rule that cannot be read allows nothing, and the others keep their place', () => {
  const policy = parsed({ ingress: [null, {}, 'x'] });
  expect(policy.ingress).toEqual([{ index: 1, peers: 'any', ports: 'any' }]);
  expect(policy.problems.map(({ field }) => field)).toEqual(['spec.ingress[0]', 'spec.ingress[2]']);
});

test('rules that are no list allow nothing', () => {
  const policy = parsed({ policyTypes: ['Ingress'], ingress: {} });
  expect(policy.ingress).toEqual([]);
  expectProblem(policy, 'Unreadable', 'spec.ingress');
  const egress = parsed({ egress: {} });
  expect(egress.egress).toEqual([]);
  expectProblem(egress, 'Unreadable', 'spec.egress');
});

test.each([undefined, null, [], 'x', 5])('spec %j isolates every pod in both directions', (spec) => {
  const policy = parsed(spec);
  expect(policy).toMatchObject({ namespace: 'shop', name: 'p', uid: 'u1', podSelector: [], ingress: [], egress: [] });
  expect(codes(policy)).toEqual(['Unreadable']);
});

test.each([
  undefined,
  null,
  5,
  [],
  {},
  { metadata: {} },
  { metadata: { name: 'p' } },
  { metadata: { namespace: 'n', name: 5 } },
])('%j is nobody’s policy', (object) => {
  const result = parseNetworkPolicy(object);
  expect(result.ok ? '' : result.error).toMatch(/^metadata.*expected/);
});

/** JSON shaped like a policy, with anything in any place. */
const hostile = fc.letrec<Record<'value' | 'spec', unknown>>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, 0, 80, 1.5, true, '', 'In', 'TCP', '10.0.0.0/8', '__proto__'),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('spec'),
  ),
  spec: fc.dictionary(
    fc.constantFrom(
      'podSelector',
      'policyTypes',
      'ingress',
      'egress',
      'from',
      'to',
      'ports',
      'port',
      'endPort',
      'protocol',
      'ipBlock',
      'cidr',
      'except',
      'matchLabels',
      'matchExpressions',
      'key',
      'operator',
      'values',
      'namespaceSelector',
      '__proto__',
    ),
    tie('value'),
    { maxKeys: 5 },
  ),
}));

test('hostile input never throws, and no rule comes from nothing', () => {
  fc.assert(
    fc.property(hostile.spec, (spec) => {
      const policy = parsed(spec);
      for (const direction of ['ingress', 'egress'] as const) {
        const written = (spec as Record<string, unknown>)[direction];
        expect(policy[direction]?.length ?? 0).toBeLessThanOrEqual(Array.isArray(written) ? written.length : 0);
      }
      if (policy.problems.some(({ field }) => field.startsWith('spec.podSelector'))) {
        expect([policy.podSelector, policy.ingress ?? [], policy.egress ?? []]).toEqual([[], [], []]);
      }
    }),
    { numRuns: 2000 },
  );
});

test('input nested without end is told shortly', () => {
  let deep: unknown = 0;
  for (let depth = 0; depth < 200_000; depth++) deep = [deep];
  const policy = parsed({ podSelector: deep, ingress: [{ from: [deep], ports: deep }] });
  expect(Math.max(...policy.problems.map(({ message }) => message.length))).toBeLessThan(300);
});
