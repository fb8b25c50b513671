import { type Cidr, cidrLast, type Ip, parseCidr, parseIp, parseInterfaceName, parseMac, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import type {
  AllowRule,
  MemberChange,
  RuleChain,
  RuleDelta,
  RuleEndpoint,
  RulePacket,
  RuleSet,
  RuleView,
  SetMember,
} from './index.ts';
import { PacketJudge, type PacketVerdict } from './judge-packet.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const addresses = (...texts: string[]): SetMember[] => texts.map((text) => ({ kind: 'addresses', ip: ip(text) }));
const blocks = (...texts: string[]): SetMember[] =>
  texts.map(cidr).map((block) => ({ kind: 'blocks', first: block.ip, last: cidrLast(block) }));

function endpoint(key: string, texts: string[], chains: { ingress?: string; egress?: string } = {}): RuleEndpoint {
  return {
    key,
    hostInterface: unwrap(parseInterfaceName(`cnl${key}`)),
    mode: 'routed',
    mac: unwrap(parseMac('0a:00:00:00:00:01')),
    addresses: texts.map(ip),
    ...chains,
  };
}

interface State {
  readonly endpoints: readonly RuleEndpoint[];
  readonly chains?: Readonly<Record<string, readonly AllowRule[]>>;
  readonly sets?: Readonly<Record<string, readonly SetMember[]>>;
}

function viewOf(state: () => State): RuleView {
  const membersOf = (id: string): readonly SetMember[] => {
    const members = state().sets?.[id];
    if (members === undefined) throw new RangeError(id);
    return members;
  };
  return {
    endpoints: () => state().endpoints,
    chains: () => Object.entries(state().chains ?? {}).map(([id, rules]) => chain(id, rules)),
    sets: () => Object.entries(state().sets ?? {}).map(([id, members]) => ({ id, kind: members[0]!.kind })),
    members: membersOf,
    memberCount: (id) => membersOf(id).length,
    keptCounters: () => new Set(),
  };
}

function chain(id: string, rules: readonly AllowRule[]): RuleChain {
  return { id, direction: id.startsWith('in-') ? 'ingress' : 'egress', rules };
}

type Judge = (from: string, to: string, packet?: Partial<RulePacket>) => PacketVerdict;

function judgeOf(state: State, ownNode: string[] = []): Judge {
  const judge = new PacketJudge(
    viewOf(() => state),
    ownNode.map(ip),
  );
  return (from, to, packet = {}) =>
    judge.judge({ source: ip(from), destination: ip(to), protocol: 6, destinationPort: 80, ...packet });
}

/** `10.1.0.1 > 10.1.0.2`, by what is said of them. */
function expectVerdicts(judge: Judge, expected: Partial<Record<PacketVerdict, string[]>>): void {
  const found = Object.entries(expected).map(([verdict, flows]) => [
    verdict,
    flows.filter((flow) => {
      const [from = '', to = ''] = flow.split(' > ');
      return judge(from, to) === verdict;
    }),
  ]);
  expect(Object.fromEntries(found)).toEqual(expected);
}

const ANY: AllowRule = { peer: { type: 'any' }, ports: 'any' };

test('no chain lets all through, a chain without rules nothing', () => {
  const judge = judgeOf({
    endpoints: [endpoint('a', ['10.1.0.1']), endpoint('b', ['10.1.0.2'], { ingress: 'in-0', egress: 'eg-0' })],
    chains: { 'in-0': [], 'eg-0': [] },
  });
  expectVerdicts(judge, {
    allowed: ['10.9.0.9 > 10.1.0.1', '10.1.0.1 > 10.9.0.9', '10.9.0.9 > 10.8.0.8'],
    'ingress-denied': ['10.9.0.9 > 10.1.0.2'],
    'egress-denied': ['10.1.0.2 > 10.9.0.9'],
  });
});

test('both ends judge, the source first', () => {
  const state = (ingress: string, egress: string): State => ({
    endpoints: [endpoint('a', ['10.1.0.1'], { egress }), endpoint('b', ['10.1.0.2'], { ingress })],
    chains: { 'in-0': [], 'in-1': [ANY], 'eg-0': [], 'eg-1': [ANY] },
  });
  expect(judgeOf(state('in-1', 'eg-1'))('10.1.0.1', '10.1.0.2')).toBe('allowed');
  expect(judgeOf(state('in-0', 'eg-1'))('10.1.0.1', '10.1.0.2')).toBe('ingress-denied');
  expect(judgeOf(state('in-0', 'eg-0'))('10.1.0.1', '10.1.0.2')).toBe('egress-denied');
});

test('the node reaches its pods, a pod reaches itself, and neither opens the way out', () => {
  const judge = judgeOf(
    {
      endpoints: [endpoint('a', ['10.1.0.1', 'fd00::1', '10.1.0.7'], { ingress: 'in-0', egress: 'eg-0' })],
      chains: { 'in-0': [], 'eg-0': [] },
    },
    ['192.168.0.1', 'fd00:f::1'],
  );
  expectVerdicts(judge, {
    allowed: ['192.168.0.1 > 10.1.0.1', 'fd00:f::1 > fd00::1', '10.1.0.1 > 10.1.0.1', '10.1.0.1 > 10.1.0.7'],
    'ingress-denied': ['192.168.0.2 > 10.1.0.1'],
    'egress-denied': ['10.1.0.1 > 192.168.0.1'],
  });
});

test('blocks of both families, and the whole of one family', () => {
  const rule = (set: string): AllowRule => ({ peer: { type: 'blocks', set }, ports: 'any' });
  const judge = judgeOf({
    endpoints: [
      endpoint('a', ['10.1.0.1', 'fd00::1'], { ingress: 'in-0' }),
      endpoint('b', ['10.1.0.2', 'fd00::2'], { ingress: 'in-1' }),
    ],
    chains: { 'in-0': [rule('bl-0'), rule('bl-1')], 'in-1': [rule('bl-2')] },
    sets: {
      'bl-0': blocks('10.0.0.0/15', '10.0.3.0/24', '10.3.0.0/16', 'fd00:3::/32'),
      'bl-1': blocks('10.2.9.9/32'),
      'bl-2': blocks('0.0.0.0/0'),
    },
  });
  expectVerdicts(judge, {
    allowed: ['10.3.0.1 > 10.1.0.1', '10.2.9.9 > 10.1.0.1', 'fd00:3::1 > fd00::1', '255.255.255.255 > 10.1.0.2'],
    'ingress-denied': ['11.3.0.1 > 10.1.0.1', '10.2.9.8 > 10.1.0.1', 'fd00:2::1 > fd00::1', '::1 > fd00::2'],
  });
});

test('ports by protocol, ranges inclusive; a rule with ports is no rule for other protocols', () => {
  const judge = judgeOf({
    endpoints: [endpoint('a', ['10.1.0.1'], { ingress: 'in-0' })],
    chains: {
      'in-0': [
        {
          peer: { type: 'addresses', set: 'ad-0' },
          ports: [
            {
              protocol: 'TCP',
              ranges: [
                { first: 80, last: 90 },
                { first: 443, last: 443 },
              ],
            },
            { protocol: 'SCTP', ranges: [] },
          ],
        },
        { peer: { type: 'address-ports', set: 'ap-0' }, ports: 'any' },
      ],
    },
    sets: {
      'ad-0': addresses('10.9.0.1'),
      'ap-0': [{ kind: 'address-ports', ip: ip('10.9.0.2'), protocol: 'UDP', port: 53 }],
    },
  });
  const from = (source: string, protocol: number, destinationPort?: number): string =>
    judge(source, '10.1.0.1', {
      protocol,
      ...(destinationPort === undefined ? { destinationPort: undefined as never } : { destinationPort }),
    });
  const passes = (source: string, cases: [number, number?][]): boolean[] =>
    cases.map(([protocol, port]) => from(source, protocol, port) === 'allowed');
  expect(passes('10.9.0.1', [[6, 79], [6, 80], [6, 90], [6, 91], [6, 443], [17, 80], [132, 7], [132], [6], [1]])).toEqual(
    [false, true, true, false, true, false, true, true, false, false],
  ); // prettier-ignore
  expect(passes('10.9.0.2', [[17, 53], [17, 54], [6, 53], [17], [1]])).toEqual([true, false, false, false, false]); // prettier-ignore
});

test('follows its view', () => {
  const rule: AllowRule = { peer: { type: 'addresses', set: 'ad-0' }, ports: 'any' };
  const a = endpoint('a', ['10.1.0.1'], { ingress: 'in-0' });
  let state: State = { endpoints: [a], chains: { 'in-0': [rule] }, sets: { 'ad-0': addresses('10.9.0.1') } };
  const judge = new PacketJudge(
    viewOf(() => state),
    [],
  );
  const from = (source: string): string =>
    judge.judge({ source: ip(source), destination: ip('10.1.0.1'), protocol: 6, destinationPort: 80 });
  expect([from('10.9.0.1'), from('10.9.0.2')]).toEqual(['allowed', 'ingress-denied']);

  state = { ...state, sets: { 'ad-0': addresses('10.9.0.2') } };
  judge.update(
    delta({ members: new Map([['ad-0', { added: addresses('10.9.0.2'), removed: addresses('10.9.0.1') }]]) }),
  );
  expect([from('10.9.0.1'), from('10.9.0.2')]).toEqual(['ingress-denied', 'allowed']);

  const b = endpoint('b', ['10.1.0.1'], { ingress: 'in-1' });
  state = {
    endpoints: [b],
    chains: { 'in-1': [{ peer: { type: 'blocks', set: 'bl-0' }, ports: 'any' }] },
    sets: { 'bl-0': blocks('10.9.0.0/31') },
  };
  judge.update(
    delta({
      newChains: [chain('in-1', state.chains!['in-1']!)],
      newSets: [{ id: 'bl-0', kind: 'blocks' }],
      endpoints: [b],
      removedEndpoints: [a],
      removedChains: ['in-0'],
      removedSets: [{ id: 'ad-0', kind: 'addresses' }],
    }),
  );
  expect([from('10.9.0.1'), from('10.9.0.2')]).toEqual(['allowed', 'ingress-denied']);

  state = { endpoints: [] };
  judge.update(
    delta({ removedEndpoints: [b], removedChains: ['in-1'], removedSets: [{ id: 'bl-0', kind: 'blocks' }] }),
  );
  expect(from('10.9.0.2')).toBe('allowed');
});

test('an endpoint gives its old addresses back', () => {
  const before = endpoint('a', ['10.1.0.1'], { ingress: 'in-0' });
  const after = endpoint('a', ['10.1.0.2'], { ingress: 'in-0' });
  const state: State = { endpoints: [before], chains: { 'in-0': [] } };
  const judge = new PacketJudge(
    viewOf(() => state),
    [],
  );
  judge.update(delta({ endpoints: [after] }));
  const to = (text: string): string => judge.judge({ source: ip('10.9.0.1'), destination: ip(text), protocol: 1 });
  expect([to('10.1.0.1'), to('10.1.0.2')]).toEqual(['allowed', 'ingress-denied']);
});

function delta(changes: Partial<RuleDelta>): RuleDelta {
  const members = new Map<string, MemberChange>();
  const none: readonly RuleSet[] = [];
  return {
    newSets: none,
    newChains: [],
    members,
    endpoints: [],
    removedEndpoints: [],
    removedChains: [],
    removedSets: none,
    ...changes,
  };
}
