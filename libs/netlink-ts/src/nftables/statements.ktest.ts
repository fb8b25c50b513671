/** Each builder of statements beside nft's own words for it, both ways; nothing of ours makes nft -j give up. */
import { createTestNetns, type TestNetns } from '@canal/testing';
import { parseMac, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTransport } from '../../examples/bun-transport.ts';
import { createNetlinkConnection, type NetlinkConnection } from '../connection/connection.ts';
import { NFPROTO } from '../nfnetlink/header.ts';
import { RTN } from '../route/constants.ts';
import { CT_STATE } from './expression/ct.ts';
import { NFT_VERDICT } from './expression/data.ts';
import type { NftExpression } from './expression/expression.ts';
import { NFT_FIELD as F } from './field.ts';
import {
  matchEtherDestination,
  matchPacketType,
  PACKET_TYPE,
  setEtherDestination,
  setPacketType,
} from './link-statements.ts';
import { appendNftRule, changeNftables, flushNftRules, listNftRules } from './requests.ts';
import { matchSet, updateSet, verdictMap } from './set-statements.ts';
import {
  goto,
  jump,
  matchAddressType,
  matchCtDirection,
  matchCtMark,
  matchCtProtocol,
  matchCtState,
  matchEtherType,
  matchExtensionHeader,
  matchFamily,
  matchIcmpType,
  matchInterface,
  matchInterfaceIndex,
  matchInterfaceKind,
  matchPort,
  matchProtocol,
  matchReversePath,
  matchTcpFlags,
  notrack,
  verdict,
} from './statements.ts';
import { limitRate, logToGroup, sample, setCtMark, setMark } from './traffic-statements.ts';

const NETLINK_NETFILTER = 12;
const MAC = unwrap(parseMac('02:00:00:00:00:01'));
const accept = verdict(NFT_VERDICT.ACCEPT);
const drop = verdict(NFT_VERDICT.DROP);

const RULESET = `
add table inet t
add chain inet t c { type filter hook prerouting priority -310; policy accept; }
add chain inet t a
add set inet t s4 { type ipv4_addr; size 100; }
add set inet t s6 { type ipv6_addr; }
add set inet t b4 { type ipv4_addr; flags interval; }
add set inet t ap4 { type ipv4_addr . inet_proto . inet_service; }
add set inet t ap6 { type ipv6_addr . inet_proto . inet_service; }
add set inet t own4 { type ifname . ipv4_addr; }
add set inet t own6 { type ifname . ipv6_addr; }
add set inet t self4 { type ipv4_addr . ipv4_addr; }
add set inet t names { type ifname; }
add set inet t seen { type ipv4_addr; flags dynamic,timeout; timeout 1m; size 100; }
add map inet t v4 { type ipv4_addr : verdict; }
add map inet t v6 { type ipv6_addr : verdict; }
add map inet t vn { type ifname . ipv4_addr : verdict; }
add element inet t s4 { 10.0.0.1 }
add element inet t b4 { 10.0.0.0/8 }
add element inet t ap4 { 10.0.0.1 . tcp . 80 }
add element inet t own4 { "cnl1" . 10.0.0.1 }
add element inet t v4 { 10.0.0.1 : jump a }
add element inet t vn { "cnl1" . 10.0.0.1 : goto a }
add table bridge t
add chain bridge t c { type filter hook prerouting priority -310; policy accept; }
add set bridge t own4 { type ifname . ether_addr . ipv4_addr; }
add table arp t
add chain arp t c { type filter hook input priority 0; policy accept; }
add set arp t own4 { type ifname . ether_addr . ipv4_addr; }
add table netdev t
add chain netdev t c { type filter hook ingress device lo priority 0; policy accept; }
`;

interface Case {
  readonly family?: number;
  readonly text: string;
  readonly expressions: readonly NftExpression[];
}

const SYN = 0x02;
const FIN_SYN_RST_ACK = 0x17;

const CASES: readonly Case[] = [
  { text: 'ip saddr @s4 accept', expressions: [...matchFamily(4), ...matchSet('s4', [F.ipSaddr]), accept] },
  { text: 'ip saddr != @b4 drop', expressions: [...matchFamily(4), ...matchSet('b4', [F.ipSaddr], true), drop] },
  { text: 'ip6 daddr @s6 accept', expressions: [...matchFamily(6), ...matchSet('s6', [F.ip6Daddr]), accept] },
  {
    text: 'ip saddr . meta l4proto . th dport @ap4 return',
    expressions: [...matchFamily(4), ...matchSet('ap4', [F.ipSaddr, F.l4proto, F.dport]), verdict(NFT_VERDICT.RETURN)],
  },
  {
    text: 'ip6 daddr . meta l4proto . th dport @ap6 return',
    expressions: [...matchFamily(6), ...matchSet('ap6', [F.ip6Daddr, F.l4proto, F.dport]), verdict(NFT_VERDICT.RETURN)],
  },
  {
    text: 'iifname . ip saddr != @own4 drop',
    expressions: [...matchFamily(4), ...matchSet('own4', [F.iifname, F.ipSaddr], true), drop],
  },
  {
    text: 'oifname . ip6 daddr != @own6 drop',
    expressions: [...matchFamily(6), ...matchSet('own6', [F.oifname, F.ip6Daddr], true), drop],
  },
  {
    text: 'ip saddr . ip daddr @self4 accept',
    expressions: [...matchFamily(4), ...matchSet('self4', [F.ipSaddr, F.ipDaddr]), accept],
  },
  { text: 'iifname @names accept', expressions: [...matchSet('names', [F.iifname]), accept] },
  { text: 'ip saddr vmap @v4', expressions: [...matchFamily(4), ...verdictMap('v4', [F.ipSaddr])] },
  { text: 'ip6 daddr vmap @v6', expressions: [...matchFamily(6), ...verdictMap('v6', [F.ip6Daddr])] },
  {
    text: 'iifname . ip saddr vmap @vn',
    expressions: [...matchFamily(4), ...verdictMap('vn', [F.iifname, F.ipSaddr])],
  },
  { text: 'update @seen { ip saddr }', expressions: [...matchFamily(4), ...updateSet('seen', [F.ipSaddr])] },
  {
    text: 'update @seen { ip saddr timeout 3s }',
    expressions: [...matchFamily(4), ...updateSet('seen', [F.ipSaddr], 3000)],
  },
  { text: 'iifname "cnl*" drop', expressions: [...matchInterface('iifname', 'cnl*'), drop] },
  { text: 'iifname "cnl1" drop', expressions: [...matchInterface('iifname', 'cnl1'), drop] },
  { text: 'oifname != "cnl*" accept', expressions: [...matchInterface('oifname', 'cnl*', true), accept] },
  { text: 'oif "lo" accept', expressions: [...matchInterfaceIndex('oif', 1), accept] },
  {
    text: 'limit rate 100/second burst 200 packets log prefix "canal:spoofed" group 20 snaplen 64 drop',
    expressions: [
      limitRate({ rate: 100, per: 'second', burst: 200 }),
      logToGroup(20, { prefix: 'canal:spoofed', snapLength: 64 }),
      drop,
    ],
  },
  {
    text: 'limit rate over 10/minute drop',
    expressions: [limitRate({ rate: 10, per: 'minute' }, true), drop],
  },
  { text: 'log group 20', expressions: [logToGroup(20)] },
  {
    text: 'log prefix "x" group 7 queue-threshold 10',
    expressions: [logToGroup(7, { prefix: 'x', queueThreshold: 10 })],
  },
  {
    text: 'numgen random mod 100 < 5 log prefix "canal:allow" group 20',
    expressions: [...sample(5, 100), logToGroup(20, { prefix: 'canal:allow' })],
  },
  {
    text: 'ct mark & 0x20000000 == 0x20000000 drop',
    expressions: [...matchCtMark(0x2000_0000, 0x2000_0000), drop],
  },
  { text: 'ct mark set 0x00000010', expressions: setCtMark(0x10) },
  {
    text: 'ct mark set ct mark | 0x20000000',
    expressions: setCtMark(0x2000_0000, 0x2000_0000),
  },
  {
    text: 'meta mark set meta mark & 0xffffbfff',
    expressions: setMark(0, 0x4000),
  },
  { text: 'ct direction reply accept', expressions: [...matchCtDirection('reply'), accept] },
  { text: 'ct protocol tcp accept', expressions: [...matchCtProtocol(6), accept] },
  { text: 'meta l4proto tcp accept', expressions: [...matchProtocol(6), accept] },
  { text: 'meta l4proto != gre accept', expressions: [...matchProtocol(47, true), accept] },
  { text: 'tcp dport 80 accept', expressions: [...matchProtocol(6), ...matchPort('dport', 80), accept] },
  { text: 'udp dport 100-200 accept', expressions: [...matchProtocol(17), ...matchPort('dport', 100, 200), accept] },
  {
    text: 'sctp sport != 100-200 accept',
    expressions: [...matchProtocol(132), ...matchPort('sport', 100, 200, true), accept],
  },
  {
    text: 'tcp flags & (fin | syn | rst | ack) == syn accept',
    expressions: [...matchProtocol(6), ...matchTcpFlags(SYN, FIN_SYN_RST_ACK), accept],
  },
  {
    text: 'tcp flags & (fin | syn | rst | ack) != syn drop',
    expressions: [...matchProtocol(6), ...matchTcpFlags(SYN, FIN_SYN_RST_ACK, true), drop],
  },
  {
    text: 'meta nfproto ipv4 icmp type echo-request accept',
    expressions: [...matchFamily(4), ...matchProtocol(1), ...matchIcmpType(8), accept],
  },
  {
    text: 'icmpv6 type nd-router-advert drop',
    expressions: [...matchFamily(6), ...matchProtocol(58), ...matchIcmpType(134), drop],
  },
  { text: 'exthdr frag exists drop', expressions: [...matchFamily(6), ...matchExtensionHeader(44), drop] },
  { text: 'fib saddr type local accept', expressions: [...matchAddressType('saddr', RTN.LOCAL), accept] },
  { text: 'fib daddr type != local accept', expressions: [...matchAddressType('daddr', RTN.LOCAL, true), accept] },
  { text: 'fib saddr . iif oif missing drop', expressions: [...matchReversePath(false), drop] },
  { text: 'fib saddr . iif oif exists accept', expressions: [...matchReversePath(true), accept] },
  { text: 'goto a', expressions: [goto('a')] },
  { text: 'jump a', expressions: [jump('a')] },
  { text: 'return', expressions: [verdict(NFT_VERDICT.RETURN)] },
  {
    family: NFPROTO.BRIDGE,
    text: 'iifname . ether saddr . ip saddr != @own4 drop',
    expressions: [...matchEtherType(0x0800), ...matchSet('own4', [F.iifname, F.etherSaddr, F.ipSaddr], true), drop],
  },
  {
    family: NFPROTO.BRIDGE,
    text: 'meta protocol arp iifname . arp saddr ether . arp saddr ip != @own4 drop',
    expressions: [
      ...matchEtherType(0x0806),
      ...matchSet('own4', [F.iifname, F.arpSaddrEther, F.arpSaddrIp], true),
      drop,
    ],
  },
  { family: NFPROTO.BRIDGE, text: 'meta protocol ip6 drop', expressions: [...matchEtherType(0x86dd), drop] },
  {
    text: 'meta iifkind "bridge" ct state untracked accept',
    expressions: [...matchInterfaceKind('iifkind', 'bridge'), ...matchCtState(CT_STATE.UNTRACKED), accept],
  },
  {
    text: 'meta oifkind "bridge" accept',
    expressions: [...matchInterfaceKind('oifkind', 'bridge'), accept],
  },
  {
    family: NFPROTO.BRIDGE,
    text: 'ether daddr 02:00:00:00:00:01 accept',
    expressions: [...matchEtherDestination(MAC), accept],
  },
  {
    family: NFPROTO.BRIDGE,
    text: 'ether daddr != 02:00:00:00:00:01 ether daddr set 02:00:00:00:00:01 meta pkttype set host',
    expressions: [...matchEtherDestination(MAC, true), ...setEtherDestination(MAC), ...setPacketType(PACKET_TYPE.HOST)],
  },
  {
    family: NFPROTO.BRIDGE,
    text: 'meta pkttype other meta protocol ip6 notrack',
    expressions: [...matchPacketType(PACKET_TYPE.OTHERHOST), ...matchEtherType(0x86dd), notrack()],
  },
  {
    family: NFPROTO.ARP,
    text: 'iifname . arp saddr ether . arp saddr ip != @own4 drop',
    expressions: [...matchSet('own4', [F.iifname, F.arpSaddrEther, F.arpSaddrIp], true), drop],
  },
  {
    family: NFPROTO.NETDEV,
    text: 'meta protocol ip meta l4proto tcp accept',
    expressions: [...matchEtherType(0x0800), ...matchProtocol(6), accept],
  },
];

const FAMILY_NAMES: ReadonlyMap<number, string> = new Map([
  [NFPROTO.INET, 'inet'],
  [NFPROTO.BRIDGE, 'bridge'],
  [NFPROTO.ARP, 'arp'],
  [NFPROTO.NETDEV, 'netdev'],
]);

let netns: TestNetns;
let connection: NetlinkConnection;

beforeEach(() => {
  netns = createTestNetns('nft-words');
  connection = createNetlinkConnection(() => netns.within(() => openTransport(NETLINK_NETFILTER)));
  nft(RULESET);
});

afterEach(() => {
  connection[Symbol.dispose]();
  netns[Symbol.dispose]();
});

const nft = (text: string): string => netns.run(['nft', '-f', '-'], { stdin: `${text}\n` });

/** The chain in nft's words, and the expressions of all rules in its JSON. */
function listed(family: string): { text: string; json: unknown[] } {
  const { nftables } = netns.json(['nft', '-j', 'list', 'ruleset']) as { nftables: { rule?: { expr: unknown } }[] };
  return {
    text: netns.run(['nft', 'list', 'chain', family, 't', 'c']),
    json: nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule.expr])),
  };
}

describe.each(CASES)('$text', ({ family = NFPROTO.INET, text, expressions }) => {
  const name = FAMILY_NAMES.get(family) ?? '';
  const chain = { family, table: 't', chain: 'c' };

  test('of ours is to nft as its own, and could be restored', () => {
    nft(`add rule ${name} t c ${text}`);
    const theirs = listed(name);
    changeNftables(connection, [flushNftRules(chain), appendNftRule({ ...chain, expressions })]);
    expect(listed(name)).toEqual(theirs);
    expect(theirs.json).toHaveLength(1);
    const saved = netns.run(['nft', 'list', 'ruleset']);
    netns.run(['nft', '--check', '-f', '-'], { stdin: `flush ruleset\n${saved}` });
  });

  test('of nft is to us what we would write', () => {
    nft(`add rule ${name} t c ${text}`);
    const [rule] = listNftRules(connection, chain);
    expect(rule?.expressions?.map(plain)).toEqual(expressions.map(plain));
  });
});

/** Without what the kernel fills in or leaves out. */
function plain(expression: NftExpression): NftExpression {
  switch (expression.type) {
    case 'bitwise':
      return { ...expression, op: 0 };
    case 'lookup':
      return { flags: 0, ...expression };
    case 'log':
      return { snapLength: 0, queueThreshold: 0, ...expression };
    case 'payload':
      if (expression.sreg === undefined) return expression;
      return { checksumType: 0, checksumOffset: 0, checksumFlags: 0, ...expression };
    case 'dynset':
      return { timeout: 0n, flags: 0, ...expression };
    default:
      return expression;
  }
}
