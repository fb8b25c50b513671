import { NETWORK_NFT_TABLE, type TrafficChain, type TrafficMatch, type TrafficTable } from '@canal/model';
import fc from 'fast-check';
import { type Cidr, cidrContains, cidrOf, type Ip, ipAdd, ipFamily, parseCidr, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { compileTrafficRules, type TrafficRulesInput } from './traffic-rules.ts';

const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const ip = (text: string): Ip => unwrap(parseIp(text));

const IPV4 = { network: cidr('10.244.0.0/16'), podSubnet: cidr('10.244.1.0/24') };
const IPV6 = { network: cidr('fd00:10:244::/48'), podSubnet: cidr('fd00:10:244:1::/64') };

function compile(input: Partial<TrafficRulesInput> = {}): TrafficTable {
  return compileTrafficRules({ families: [IPV4, IPV6], masquerade: true, fullyRandom: true, forward: true, ...input });
}

interface Packet {
  readonly from: Ip;
  readonly to: Ip;
  readonly mark?: number;
}

/** What the kernel makes of the packet: the first rule whose matches all agree. */
function verdictOf(chain: TrafficChain | undefined, packet: Packet): string {
  const rule = chain?.rules.find(({ matches }) => matches.every((match) => agrees(match, packet)));
  if (rule === undefined) return 'end of chain';
  return rule.verdict.type;
}

function agrees(match: TrafficMatch, { from, to, mark = 0 }: Packet): boolean {
  if (match.type === 'mark') return (mark & match.mask) >>> 0 === match.value;
  const address = match.type === 'source' ? from : to;
  // A negated match is one of its family too: an inet rule asks for the family first.
  if (ipFamily(address) !== ipFamily(match.cidr.ip)) return false;
  return cidrContains(match.cidr, address) !== (match.negated === true);
}

const postrouting = (table: TrafficTable): TrafficChain | undefined =>
  table.chains.find(({ name }) => name === 'postrouting');

describe('a packet that leaves this node', () => {
  const cases: readonly { name: string; packet: Packet; verdict: string }[] = [
    { name: 'from a pod to a host outside', packet: p('10.244.1.5', '192.0.2.1'), verdict: 'masquerade' },
    { name: 'from a pod to another node', packet: p('10.244.1.5', '10.0.0.2'), verdict: 'masquerade' },
    { name: 'from a pod to a pod of another node', packet: p('10.244.1.5', '10.244.2.5'), verdict: 'return' },
    { name: 'from a pod to a pod of this node', packet: p('10.244.1.5', '10.244.1.6'), verdict: 'return' },
    { name: 'from a pod of another node to a pod here', packet: p('10.244.2.5', '10.244.1.5'), verdict: 'return' },
    { name: 'from a client outside to a pod here', packet: p('192.0.2.1', '10.244.1.5'), verdict: 'return' },
    { name: 'from this host to a pod of another node', packet: p('10.0.0.1', '10.244.2.5'), verdict: 'masquerade' },
    { name: 'from this host to a pod here', packet: p('10.0.0.1', '10.244.1.5'), verdict: 'return' },
    {
      name: 'from the vxlan device to a pod of another node',
      packet: p('10.244.1.0', '10.244.2.5'),
      verdict: 'return',
    },
    { name: 'from this host to outside', packet: p('10.0.0.1', '192.0.2.1'), verdict: 'end of chain' },
    { name: 'relayed between pods of two other nodes', packet: p('10.244.2.5', '10.244.3.5'), verdict: 'masquerade' },
    { name: 'from a pod to a multicast group', packet: p('10.244.1.5', '239.1.2.3'), verdict: 'end of chain' },
    { name: 'marked by kube-proxy, to a pod here', packet: p('192.0.2.1', '10.244.1.5', 0x4000), verdict: 'return' },
    { name: 'marked, to a pod elsewhere', packet: p('10.0.0.1', '10.244.2.5', 0x4000), verdict: 'return' },
    { name: 'marked, with another bit', packet: p('10.0.0.1', '10.244.2.5', 0x4001), verdict: 'return' },
    { name: 'marked with all bits', packet: p('10.0.0.1', '10.244.2.5', 0xffff_ffff), verdict: 'return' },
    { name: 'with another mark', packet: p('10.0.0.1', '10.244.2.5', 0x8000), verdict: 'masquerade' },
    { name: 'IPv6 from a pod to outside', packet: p('fd00:10:244:1::5', '2001:db8::1'), verdict: 'masquerade' },
    { name: 'IPv6 between pods', packet: p('fd00:10:244:1::5', 'fd00:10:244:2::5'), verdict: 'return' },
    { name: 'IPv6 from a client to a pod here', packet: p('2001:db8::1', 'fd00:10:244:1::5'), verdict: 'return' },
    {
      name: 'IPv6 from this host to a pod elsewhere',
      packet: p('2001:db8::1', 'fd00:10:244:2::5'),
      verdict: 'masquerade',
    },
    { name: 'IPv6 to a multicast group', packet: p('fd00:10:244:1::5', 'ff02::fb'), verdict: 'end of chain' },
    { name: 'IPv6 marked', packet: p('2001:db8::1', 'fd00:10:244:2::5', 0x4002), verdict: 'return' },
  ];

  test.each(cases)('$name: $verdict', ({ packet, verdict }) => {
    expect(verdictOf(postrouting(compile()), packet)).toBe(verdict);
  });

  test('no rule is hidden by those before it', () => {
    const rules = postrouting(compile())?.rules ?? [];
    const reached = new Set(
      cases.map(({ packet }) => rules.findIndex(({ matches }) => matches.every((match) => agrees(match, packet)))),
    );
    for (const index of rules.keys()) expect(reached).toContain(index);
  });

  test('agrees with the six rows of flannel’s iptables chain on every packet', () => {
    const packets = fc.constantFrom(IPV4, IPV6).chain((family) => {
      const address = addressNear(family.network, family.podSubnet);
      return fc.record({
        family: fc.constant(family),
        from: address,
        to: address,
        mark: fc.oneof(fc.constantFrom(0, 0x4000), fc.nat(0xffff_ffff)),
      });
    });
    fc.assert(
      fc.property(packets, ({ family, from, to, mark }) => {
        const table = postrouting(compile());
        const got = verdictOf(table, { from, to, mark });
        expect(got === 'end of chain' ? 'return' : got).toBe(
          sixRows(family.network, family.podSubnet, { from, to, mark }),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

/** The rows as flannel's iptables mode has them, one after the other. The end of the chain leaves the packet alone. */
function sixRows(network: Cidr, podSubnet: Cidr, { from, to, mark = 0 }: Packet): 'return' | 'masquerade' {
  const multicast = ipFamily(network.ip) === 4 ? cidr('224.0.0.0/4') : cidr('ff00::/8');
  if ((mark & 0x4000) === 0x4000) return 'return';
  if (cidrContains(podSubnet, from) && cidrContains(network, to)) return 'return';
  if (cidrContains(network, from) && cidrContains(podSubnet, to)) return 'return';
  if (!cidrContains(network, from) && cidrContains(podSubnet, to)) return 'return';
  if (cidrContains(network, from) && !cidrContains(multicast, to)) return 'masquerade';
  if (!cidrContains(network, from) && cidrContains(network, to)) return 'masquerade';
  return 'return';
}

/** Addresses in the pods' subnet, in the cluster, just outside of either, multicast, anywhere. */
function addressNear(network: Cidr, podSubnet: Cidr): fc.Arbitrary<Ip> {
  const near = (base: Ip): fc.Arbitrary<Ip> =>
    fc.integer({ min: -2, max: 300 }).map((offset) => ipAdd(base, offset) ?? base);
  const isIpv4 = ipFamily(network.ip) === 4;
  const far = isIpv4
    ? ['10.244.2.5', '10.245.0.0', '224.0.0.1', '239.255.255.255', '240.0.0.1', '192.0.2.1', '10.0.0.1']
    : ['fd00:10:244:2::5', 'fd00:10:245::', 'ff02::1', 'feff::1', '2001:db8::1'];
  return fc.oneof(near(network.ip), near(podSubnet.ip), fc.constantFrom(...far.map(ip)));
}

describe('options', () => {
  test('without --ip-masq there is no NAT chain', () => {
    expect(compile({ masquerade: false }).chains.map(({ name }) => name)).toEqual(['forward']);
  });

  test('without forward rules there is no filter chain', () => {
    expect(compile({ forward: false }).chains.map(({ name }) => name)).toEqual(['postrouting']);
  });

  test.each([
    { name: 'neither', input: { masquerade: false, forward: false } },
    { name: 'no family', input: { families: [] } },
  ])('$name: a table without chains, which is none', ({ input }) => {
    expect(compile(input)).toEqual({ name: NETWORK_NFT_TABLE, chains: [] });
  });

  test.each([true, false])('ports fully random: %s', (fullyRandom) => {
    const verdicts = postrouting(compile({ fullyRandom }))?.rules.map(({ verdict }) => verdict) ?? [];
    const masquerades = verdicts.filter(({ type }) => type === 'masquerade');
    expect(masquerades).toHaveLength(4);
    for (const verdict of masquerades) expect(verdict).toEqual({ type: 'masquerade', fullyRandom });
  });

  test.each([
    { name: 'IPv4 alone', family: IPV4 },
    { name: 'IPv6 alone', family: IPV6 },
  ])('$name: no rule of the other family', ({ family }) => {
    const matches = compile({ families: [family] }).chains.flatMap(({ rules }) =>
      rules.flatMap((rule) => rule.matches),
    );
    const families = matches.flatMap((match) => (match.type === 'mark' ? [] : [ipFamily(match.cidr.ip)]));
    expect(new Set(families)).toEqual(new Set([ipFamily(family.network.ip)]));
  });
});

describe('the table', () => {
  test('depends on the families, not on their order', () => {
    expect(compile({ families: [IPV6, IPV4] })).toEqual(compile({ families: [IPV4, IPV6] }));
  });

  test('has a comment with every rule that nft can hold, each one once a family', () => {
    for (const { rules } of compile().chains) {
      for (const { comment } of rules) expect(comment).toMatch(/^[ -~]{1,128}$/);
    }
  });

  test('translates where everybody does, and counts forwarded packets behind the filters of others', () => {
    expect(compile().chains.map(({ type, hook, priority }) => ({ type, hook, priority }))).toEqual([
      { type: 'nat', hook: 'postrouting', priority: 100 },
      { type: 'filter', hook: 'forward', priority: 20 },
    ]);
  });

  test('takes a whole family as the network of the cluster', () => {
    const everything = cidrOf(ip('0.0.0.0'), 0);
    const table = compile({ families: [{ network: everything, podSubnet: IPV4.podSubnet }] });
    expect(verdictOf(postrouting(table), p('10.244.1.5', '192.0.2.1'))).toBe('return');
  });

  test('drops nothing and refuses nothing', () => {
    const verdicts = compile().chains.flatMap(({ rules }) => rules.map(({ verdict }) => verdict.type));
    expect(new Set(verdicts)).toEqual(new Set(['return', 'masquerade', 'accept']));
  });
});

function p(from: string, to: string, mark?: number): Packet {
  return { from: ip(from), to: ip(to), ...(mark === undefined ? {} : { mark }) };
}
