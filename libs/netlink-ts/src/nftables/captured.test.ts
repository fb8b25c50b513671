/** Bytes of other programs, taken off their sockets by strace: what we write must be theirs, what they get we must read. */
import { parseCidr, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { NF_INET, NFPROTO } from '../nfnetlink/header.ts';
import { capturedMessages } from '../testing/captured.ts';
import { pairRequests } from '../testing/same-requests.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { NF_IP_PRI } from './chain.ts';
import { decodeNftEvent } from './events.ts';
import { NFT_VERDICT } from './expression/data.ts';
import { CT_STATUS } from './expression/ct.ts';
import { appendNftRule, newNftChain, newNftTable } from './requests.ts';
import { ruleCodec } from './rule.ts';
import {
  counter,
  masquerade,
  matchAddress,
  matchCtState,
  matchCtStatus,
  matchFamily,
  matchMark,
  verdict,
} from './statements.ts';
import { limitRate } from './traffic-statements.ts';
import { commentUserData } from './user-data.ts';

/*
 * The datagram that `nft -f` 1.0.6 sends (`strace -e write=3`) for:
 *
 *     add table inet demo
 *     add chain inet demo nat { type nat hook postrouting priority srcnat; policy accept; }
 *     add chain inet demo more
 *     add rule inet demo nat meta mark & 0x4000 == 0x4000 counter return comment "kube-proxy"
 *     add rule inet demo nat ip saddr 10.244.1.0/24 ip daddr 10.244.0.0/16 return
 *     add rule inet demo nat ip daddr != 224.0.0.0/4 masquerade fully-random
 *     add rule inet demo nat ip6 saddr fd00:10:244::/49 ip6 daddr != ff00::/8 masquerade
 *     add rule inet demo more ct state established,related accept
 *     add rule inet demo more ct status dnat drop
 */
const NFT_BATCH = `
  140000001000010000000000000000000000000a28000000000a01000100000000000000010000000900010064656d6f00000000080002
  00000000004c000000030a01040200000000000000010000000900010064656d6f00000000080003006e617400080007006e6174000800
  05000000000114000480080001000000000408000200000000642c000000030a01040300000000000000010000000900010064656d6f00
  000000090003006d6f72650000000020010000060a010c0400000000000000010000000900010064656d6f00000000080002006e617400
  e400048024000180090001006d6574610000000014000280080002000000000308000100000000014c0001800c00010062697477697365
  003c00028008000100000000010800020000000001080006000000000008000300000000040c00048008000100004000000c0005800800
  0100000000002c00018008000100636d700020000280080001000000000108000200000000000c0003800800010000400000140001800c
  000100636f756e7465720004000280300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c000280
  08000100fffffffb11000700000b6b7562652d70726f7879000000006c010000060a010c0500000000000000010000000900010064656d
  6f00000000080002006e6174004401048024000180090001006d6574610000000014000280080002000000000f08000100000000012c00
  018008000100636d700020000280080001000000000108000200000000000c0003800500010002000000340001800c0001007061796c6f
  6164002400028008000100000000010800020000000001080003000000000c08000400000000032c00018008000100636d700020000280
  080001000000000108000200000000000c000380070001000af40100340001800c0001007061796c6f6164002400028008000100000000
  010800020000000001080003000000001008000400000000022c00018008000100636d7000200002800800010000000001080002000000
  00000c000380060001000af40000300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c00028008
  000100fffffffb3c010000060a010c0600000000000000010000000900010064656d6f00000000080002006e6174001401048024000180
  090001006d6574610000000014000280080002000000000f08000100000000012c00018008000100636d70002000028008000100000000
  0108000200000000000c0003800500010002000000340001800c0001007061796c6f616400240002800800010000000001080002000000
  000108000300000000100800040000000004440001800c0001006269747769736500340002800800010000000001080002000000000108
  000300000000040c00048008000100f00000000c00058008000100000000002c00018008000100636d7000200002800800010000000001
  08000200000000010c00038008000100e00000001c000180090001006d617371000000000c0002800800010000000010b8010000060a01
  0c0700000000000000010000000900010064656d6f00000000080002006e6174009001048024000180090001006d657461000000001400
  0280080002000000000f08000100000000012c00018008000100636d700020000280080001000000000108000200000000000c00038005
  0001000a000000340001800c0001007061796c6f6164002400028008000100000000010800020000000001080003000000000808000400
  000000105c0001800c00010062697477697365004c00028008000100000000010800020000000001080003000000001018000480140001
  00ffffffffffff800000000000000000001800058014000100000000000000000000000000000000003800018008000100636d70002c00
  0280080001000000000108000200000000001800038014000100fd000010024400000000000000000000340001800c0001007061796c6f
  6164002400028008000100000000010800020000000001080003000000001808000400000000012c00018008000100636d700020000280
  080001000000000108000200000000010c00038005000100ff00000014000180090001006d6173710000000004000280f0000000060a01
  0c0800000000000000010000000900010064656d6f00000000090002006d6f726500000000c40004802000018007000100637400001400
  028008000200000000000800010000000001440001800c0001006269747769736500340002800800010000000001080002000000000108
  000300000000040c00048008000100060000000c00058008000100000000002c00018008000100636d7000200002800800010000000001
  08000200000000010c0003800800010000000000300001800e000100696d6d6564696174650000001c0002800800010000000000100002
  800c0002800800010000000001f0000000060a010c0900000000000000010000000900010064656d6f00000000090002006d6f72650000
  0000c40004802000018007000100637400001400028008000200000000020800010000000001440001800c000100626974776973650034
  0002800800010000000001080002000000000108000300000000040c00048008000100200000000c00058008000100000000002c000180
  08000100636d700020000280080001000000000108000200000000010c0003800800010000000000300001800e000100696d6d65646961
  74650000001c0002800800010000000000100002800c000280080001000000000014000000110001000a000000000000000000000a
`;
/*
 * The rules in the answer to `nft list table ip filter` (`strace -e read=3`) after
 *
 *     iptables-nft -A FORWARD -s 10.244.0.0/16 -m conntrack --ctstate NEW -j ACCEPT
 *     iptables-nft -A FORWARD -j REJECT
 *     nft add rule ip filter FORWARD limit rate 5/second accept
 */
const IPTABLES_RULES = `
  d0010000060a020800000000735c0000020000060b00010066696c74657200000c000200464f5257415244000c00030000000000000000
  0298010400340001000c0001007061796c6f6164002400020008000100000000010800020000000001080003000000000c080004000000
  00022c00010008000100636d700020000200080001000000000108000200000000000c000300060001000af40000d80001000a0001006d
  61746368000000c80002000e000100636f6e6e747261636b0000000800020000000003ac00030000000000000000000000000000000000
  00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000010000000800000000000000000000000000000000002c0001000c000100636f756e74
  6572001c0002000c00010000000000000000000c0002000000000000000000300001000e000100696d6d6564696174650000001c000200
  0800010000000000100002000c0002000800010000000001a8000000060a020800000000735c0000020000060b00010066696c74657200
  000c000200464f5257415244000c00030000000000000000030c0006000000000000000002640004002c0001000c000100636f756e7465
  72001c0002000c00010000000000000000000c0002000000000000000000340001000b0001007461726765740000240002000b00010052
  454a454354000008000200000000000c0003000300000000000000bc000000060a020800000000735c0000020000060b00010066696c74
  657200000c000200464f5257415244000c00030000000000000000040c000600000000000000000378000400440001000a0001006c696d
  6974000000340002000c00010000000000000000050c000200000000000000000108000300000000050800040000000000080005000000
  0000300001000e000100696d6d6564696174650000001c0002000800010000000000100002000c0002000800010000000001
`;
/*
 * What `nft monitor` receives when another nft makes, in one file:
 *
 *     add table ip6 watched
 *     add chain ip6 watched c { type filter hook forward priority -5; policy drop; }
 *     add rule ip6 watched c counter drop
 *     add set ip6 watched s { type ipv6_addr; }
 *     add element ip6 watched s { fd00::1 }
 */
const ADDED = `
  3c000000000a0000010000007b5c00000a0000070c000100776174636865640008000300000000020c0004000000000000000003080002
  00000000006c000000030a0004020000007b5c00000a0000070c000100776174636865640006000300630000000c000200000000000000
  000114000400080001000000000208000200fffffffb08000500000000000b00070066696c746572000008000a00000000010800060000
  00000194000000060a000c030000007b5c00000a0000070c000100776174636865640006000200630000000c0003000000000000000002
  600004002c0001000c000100636f756e746572001c0002000c00010000000000000000000c0002000000000000000000300001000e0001
  00696d6d6564696174650000001c0002000800010000000000100002000c000200080001000000000074000000090a0004040000007b5c
  00000a0000070c000100776174636865640006000200730000000c0010000000000000000003080004000000000808000500000000100a
  000d000004020000000000040009001700130030786666666666666666383235303766343000000800140000000001480000000c0a0004
  000000007b5c00000a0000070c00010077617463686564000600020073000000200003001c0001001800010014000100fd000000000000
  0000000000000000012c0000000f0a0000010000007b5c00000000000708000100000000070800020000005c7b080003006e667400
`;
/*
 * And on `nft flush chain ip6 watched c`.
 */
const FLUSHED = `
  94000000080a0000010000007c5c00000a0000080c000100776174636865640006000200630000000c0003000000000000000002600004
  002c0001000c000100636f756e746572001c0002000c00010000000000000000000c0002000000000000000000300001000e000100696d
  6d6564696174650000001c0002000800010000000000100002000c00020008000100000000002c0000000f0a0000010000007c5c000000
  00000808000100000000080800020000005c7c080003006e667400
`;

const cidr = (text: string) => unwrap(parseCidr(text));
const nat = { family: NFPROTO.INET, table: 'demo', chain: 'nat' };
const more = { family: NFPROTO.INET, table: 'demo', chain: 'more' };

const OUR_REQUESTS: readonly NetlinkRequest[] = [
  newNftTable({ family: NFPROTO.INET, name: 'demo', flags: 0 }),
  newNftChain({
    family: NFPROTO.INET,
    table: 'demo',
    name: 'nat',
    type: 'nat',
    hook: { number: NF_INET.POST_ROUTING, priority: NF_IP_PRI.NAT_SRC },
    policy: NFT_VERDICT.ACCEPT,
  }),
  newNftChain({ family: NFPROTO.INET, table: 'demo', name: 'more' }),
  appendNftRule({
    ...nat,
    expressions: [...matchMark(0x4000, 0x4000), counter(), verdict(NFT_VERDICT.RETURN)],
    userData: commentUserData('kube-proxy'),
  }),
  appendNftRule({
    ...nat,
    expressions: [
      ...matchFamily(4),
      ...matchAddress('saddr', cidr('10.244.1.0/24')),
      ...matchAddress('daddr', cidr('10.244.0.0/16')),
      verdict(NFT_VERDICT.RETURN),
    ],
  }),
  appendNftRule({
    ...nat,
    expressions: [
      ...matchFamily(4),
      ...matchAddress('daddr', cidr('224.0.0.0/4'), true),
      masquerade({ fullyRandom: true }),
    ],
  }),
  appendNftRule({
    ...nat,
    expressions: [
      ...matchFamily(6),
      ...matchAddress('saddr', cidr('fd00:10:244::/49')),
      ...matchAddress('daddr', cidr('ff00::/8'), true),
      masquerade(),
    ],
  }),
  appendNftRule({ ...more, expressions: [...matchCtState(), verdict(NFT_VERDICT.ACCEPT)] }),
  appendNftRule({ ...more, expressions: [...matchCtStatus(CT_STATUS.DST_NAT), verdict(NFT_VERDICT.DROP)] }),
];

describe('requests', () => {
  test.each(pairRequests(OUR_REQUESTS, NFT_BATCH))(
    'message $index, $operation, has the same header and attributes, whatever their order',
    ({ ours, theirs }) => {
      expect(ours).toEqual(theirs);
    },
  );
});

describe('answers', () => {
  const rules = capturedMessages(IPTABLES_RULES).map(({ source, payloadStart, payloadEnd }) =>
    ruleCodec.decode(source, payloadStart, payloadEnd),
  );

  test('rules come with their place and handle', () => {
    expect(
      rules.map(({ family, table, chain, handle, position }) => ({ family, table, chain, handle, position })),
    ).toEqual([
      { family: NFPROTO.IPV4, table: 'filter', chain: 'FORWARD', handle: 2n, position: undefined },
      { family: NFPROTO.IPV4, table: 'filter', chain: 'FORWARD', handle: 3n, position: 2n },
      { family: NFPROTO.IPV4, table: 'filter', chain: 'FORWARD', handle: 4n, position: 3n },
    ]);
  });

  test('an address match, a match and a target of x_tables are read', () => {
    expect(rules[0]?.expressions?.slice(0, 2)).toEqual(matchAddress('saddr', cidr('10.244.0.0/16')));
    expect(rules[0]?.expressions?.[2]).toMatchObject({ type: 'match', extension: 'conntrack', revision: 3 });
    expect(rules[0]?.expressions?.slice(3)).toEqual([
      { type: 'counter', packets: 0n, bytes: 0n },
      verdict(NFT_VERDICT.ACCEPT),
    ]);
    expect(rules[1]?.expressions?.[1]).toMatchObject({ type: 'target', extension: 'REJECT', revision: 0 });
  });

  test('an expression without a codec keeps its name and attributes', () => {
    const renamed = IPTABLES_RULES.replaceAll(/\s/g, '').replace('6c696d697400', '6c696d626f00');
    const [, , frame] = capturedMessages(renamed);
    if (frame === undefined) throw new Error('no third rule');
    const strange = ruleCodec.decode(frame.source, frame.payloadStart, frame.payloadEnd).expressions?.[0];
    expect(strange).toMatchObject({ type: 'other', name: 'limbo' });
    expect(strange?.type === 'other' ? strange.attributes[0] : undefined).toEqual({
      type: 1,
      bytes: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 5),
    });
  });

  test('a limit is read', () => {
    expect(rules[2]?.expressions?.[0]).toEqual(limitRate({ rate: 5, per: 'second' }));
  });

  test('what was read can be written and read again', () => {
    for (const rule of rules) {
      const writer = new WireWriter();
      ruleCodec.encode(writer, rule);
      expect(ruleCodec.decode(new WireSource(writer.written), 0, writer.length)).toEqual(rule);
    }
  });
});

describe('events', () => {
  test('the objects of a transaction, then the generation with who made it', () => {
    const events = capturedMessages(ADDED).map((frame) => decodeNftEvent(frame));
    expect(events.map((event) => event?.type)).toEqual(['table', 'chain', 'rule', 'set', 'elements', 'generation']);
    expect(events[0]).toMatchObject({ action: 'new', table: { family: NFPROTO.IPV6, name: 'watched' } });
    expect(events[1]).toMatchObject({
      action: 'new',
      chain: { name: 'c', type: 'filter', policy: NFT_VERDICT.DROP, hook: { number: NF_INET.FORWARD, priority: -5 } },
    });
    expect(events[2]).toMatchObject({
      action: 'new',
      rule: { expressions: [{ type: 'counter' }, verdict(NFT_VERDICT.DROP)] },
    });
    expect(events[3]).toMatchObject({ action: 'new', set: { table: 'watched', name: 's', keyType: 8, keyLength: 16 } });
    expect(events[4]).toMatchObject({
      action: 'new',
      elements: {
        table: 'watched',
        set: 's',
        elements: [{ key: Uint8Array.of(0xfd, ...new Array<number>(14).fill(0), 1) }],
      },
    });
    expect(events[5]).toMatchObject({ generation: { id: 7, processName: 'nft' } });
    expect(new Set(events.map((event) => event?.portId)).size).toBe(1);
  });

  test('a flush deletes rules', () => {
    const events = capturedMessages(FLUSHED).map((frame) => decodeNftEvent(frame));
    expect(events[0]).toMatchObject({ type: 'rule', action: 'del', rule: { chain: 'c', handle: 2n } });
    expect(events[1]).toMatchObject({ type: 'generation', generation: { id: 8 } });
  });

  test('objects of tables that nobody asked for are passed over', () => {
    const only = (family: number, table: string): boolean => family === NFPROTO.INET && table === 'watched';
    expect(capturedMessages(ADDED).flatMap((frame) => decodeNftEvent(frame, only)?.type ?? [])).toEqual(['generation']);
  });

  test('messages of other subsystems are no events', () => {
    const [frame] = capturedMessages(ADDED);
    if (frame === undefined) throw new Error('no message');
    expect(decodeNftEvent({ ...frame, type: 0x0100 })).toBeUndefined();
  });
});
