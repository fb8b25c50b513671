/** Tables, chains and rules in a real kernel: what we write nft lists, what nft writes we read. */
import { createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { type Cidr, parseCidr, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openEventTransport, openTransport } from '../../examples/bun-transport.ts';
import { createNetlinkConnection, type NetlinkConnection } from '../connection/connection.ts';
import { NF_INET, NFNLGRP, NFPROTO } from '../nfnetlink/header.ts';
import { createNftMonitor, type NftEvent } from './events.ts';
import { CT_STATE, CT_STATUS } from './expression/ct.ts';
import { NFT_VERDICT } from './expression/data.ts';
import type { NftExpression } from './expression/expression.ts';
import { NFT_FIB_F, NFT_FIB_RESULT } from './expression/fib.ts';
import { NFT_REG } from './expression/registers.ts';
import {
  appendNftRule,
  changeNftables,
  delNftChain,
  delNftRule,
  delNftTable,
  findNftChain,
  findNftTable,
  flushNftRules,
  getNftGeneration,
  insertNftRule,
  listNftChains,
  listNftRules,
  listNftTables,
  newNftChain,
  newNftTable,
} from './requests.ts';
import {
  counter,
  jump,
  masquerade,
  matchAddress,
  matchCtState,
  matchCtStatus,
  matchFamily,
  matchMark,
  verdict,
} from './statements.ts';
import { commentOf, commentUserData } from './user-data.ts';

const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const INET = NFPROTO.INET;
const NETLINK_NETFILTER = 12;
const accept = verdict(NFT_VERDICT.ACCEPT);

let netns: TestNetns;
let connection: NetlinkConnection;

beforeEach(() => {
  netns = createTestNetns('nftables');
  connection = createNetlinkConnection(() => netns.within(() => openTransport(NETLINK_NETFILTER)));
});

afterEach(() => {
  connection[Symbol.dispose]();
  netns[Symbol.dispose]();
});

const nft = (text: string): string => netns.run(['nft', '-f', '-'], { stdin: `${text}\n` });
const ruleset = (): string => netns.run(['nft', 'list', 'ruleset']);
/** Objects of `nft -j list ruleset` of one kind. */
function listed(kind: string): Record<string, unknown>[] {
  const { nftables } = netns.json(['nft', '-j', 'list', 'ruleset']) as {
    nftables: Partial<Record<string, Record<string, unknown>>>[];
  };
  return nftables.flatMap((object) => {
    const found = object[kind];
    return found === undefined ? [] : [found];
  });
}

describe('base chains as nft -j lists them', () => {
  test.each([
    { type: 'filter', hook: 'forward', number: NF_INET.FORWARD, priority: -5, policy: 'drop' },
    { type: 'filter', hook: 'input', number: NF_INET.LOCAL_IN, priority: 0, policy: 'accept' },
    { type: 'nat', hook: 'postrouting', number: NF_INET.POST_ROUTING, priority: 100, policy: 'accept' },
    { type: 'nat', hook: 'prerouting', number: NF_INET.PRE_ROUTING, priority: -100, policy: 'accept' },
    { type: 'route', hook: 'output', number: NF_INET.LOCAL_OUT, priority: -150, policy: 'accept' },
  ])('$type $hook $priority $policy', ({ type, hook, number, priority, policy }) => {
    changeNftables(connection, [
      newNftTable({ family: INET, name: 't' }),
      newNftChain({
        family: INET,
        table: 't',
        name: 'c',
        type,
        hook: { number, priority },
        policy: policy === 'drop' ? NFT_VERDICT.DROP : NFT_VERDICT.ACCEPT,
      }),
    ]);
    expect(listed('chain')).toMatchObject([
      { family: 'inet', table: 't', name: 'c', type, hook, prio: priority, policy },
    ]);
    expect(findNftChain(connection, { family: INET, table: 't', name: 'c' })).toMatchObject({
      type,
      hook: { number, priority },
      policy: policy === 'drop' ? NFT_VERDICT.DROP : NFT_VERDICT.ACCEPT,
    });
  });
});

/** A rule in our words and in nft's. */
const RULES: readonly { text: string; expressions: readonly NftExpression[] }[] = [
  { text: 'meta mark & 0x00004000 == 0x00004000 accept', expressions: [...matchMark(0x4000, 0x4000), accept] },
  {
    text: 'meta mark & 0xff00ff00 == 0x80000000 accept',
    expressions: [...matchMark(0x8000_0000, 0xff00_ff00), accept],
  },
  ...['0.0.0.0/1', '10.0.0.0/8', '10.128.0.0/9', '10.244.0.0/16', '10.244.1.0/24', '10.244.1.128/25'].flatMap(
    (text) => [
      {
        text: `ip saddr ${text} accept`,
        expressions: [...matchFamily(4), ...matchAddress('saddr', cidr(text)), accept],
      },
      {
        text: `ip daddr != ${text} accept`,
        expressions: [...matchFamily(4), ...matchAddress('daddr', cidr(text), true), accept],
      },
    ],
  ),
  {
    text: 'ip saddr 10.244.1.5 accept',
    expressions: [...matchFamily(4), ...matchAddress('saddr', cidr('10.244.1.5/32')), accept],
  },
  ...['fd00::/8', 'fd00:10:244::/49', 'fd00:10:244:1::/64', 'fd00:10:244:1::8000/113'].map((text) => ({
    text: `ip6 daddr ${text} accept`,
    expressions: [...matchFamily(6), ...matchAddress('daddr', cidr(text)), accept],
  })),
  {
    text: 'ip6 saddr fd00::1 accept',
    expressions: [...matchFamily(6), ...matchAddress('saddr', cidr('fd00::1/128')), accept],
  },
  { text: 'meta nfproto ipv6 drop', expressions: [...matchFamily(6), verdict(NFT_VERDICT.DROP)] },
  { text: 'ct state established,related accept', expressions: [...matchCtState(), accept] },
  { text: 'ct state invalid drop', expressions: [...matchCtState(CT_STATE.INVALID), verdict(NFT_VERDICT.DROP)] },
  { text: 'ct status dnat return', expressions: [...matchCtStatus(CT_STATUS.DST_NAT), verdict(NFT_VERDICT.RETURN)] },
  { text: 'counter packets 0 bytes 0 continue', expressions: [counter(), verdict(NFT_VERDICT.CONTINUE)] },
  { text: 'counter packets 7 bytes 900', expressions: [{ type: 'counter', packets: 7n, bytes: 900n }] },
  { text: 'masquerade', expressions: [masquerade()] },
  { text: 'masquerade fully-random', expressions: [masquerade({ fullyRandom: true })] },
  { text: 'jump other', expressions: [jump('other')] },
  { text: 'reject with icmpx admin-prohibited', expressions: [{ type: 'reject', rejectType: 2, icmpCode: 3 }] },
  {
    text: 'fib daddr type local accept',
    expressions: [
      { type: 'fib', dreg: NFT_REG.REG_1, result: NFT_FIB_RESULT.ADDRTYPE, flags: NFT_FIB_F.DADDR },
      { type: 'cmp', sreg: NFT_REG.REG_1, op: 0, data: { value: new Uint8Array(Uint32Array.of(2).buffer) } },
      accept,
    ],
  },
  {
    text: 'meta mark set 0x00000010',
    expressions: [
      { type: 'immediate', dreg: NFT_REG.REG_1, data: { value: new Uint8Array(Uint32Array.of(16).buffer) } },
      { type: 'meta', key: 3, sreg: NFT_REG.REG_1 },
    ],
  },
];

describe('a rule', () => {
  const isNat = (text: string): boolean => text.startsWith('masquerade');
  const fresh = (text: string) => [
    newNftTable({ family: INET, name: 't' }),
    newNftChain({
      family: INET,
      table: 't',
      name: 'c',
      type: isNat(text) ? 'nat' : 'filter',
      hook: { number: isNat(text) ? NF_INET.POST_ROUTING : NF_INET.LOCAL_IN, priority: 0 },
    }),
    newNftChain({ family: INET, table: 't', name: 'other' }),
  ];
  const lines = (): string[] =>
    netns
      .run(['nft', 'list', 'chain', 'inet', 't', 'c'])
      .split('\n')
      .map((line) => line.trim());

  test.each(RULES)('of ours is to nft: $text', ({ text, expressions }) => {
    changeNftables(connection, [...fresh(text), appendNftRule({ family: INET, table: 't', chain: 'c', expressions })]);
    expect(lines()[3]).toBe(text);
  });

  test.each(RULES)('of nft is to us what we would write: $text', ({ text, expressions }) => {
    changeNftables(connection, fresh(text));
    nft(`add rule inet t c ${text}`);
    const [rule] = listNftRules(connection, { family: INET, table: 't', chain: 'c' });
    expect(rule?.expressions?.map(plain)).toEqual(expressions.map(plain));
  });

  /** Without what the kernel fills in. */
  function plain(expression: NftExpression): NftExpression {
    if (expression.type === 'bitwise') return { ...expression, op: 0 };
    return expression.type === 'counter' ? { bytes: 0n, packets: 0n, ...expression } : expression;
  }
});

describe('a transaction', () => {
  const chain = { family: INET, table: 't', name: 'c' };
  const rule = { family: INET, table: 't', chain: 'c' };

  test('that fails changes nothing and names the request', () => {
    const requests = [
      newNftTable({ family: INET, name: 't' }),
      newNftChain(chain),
      delNftChain({ ...chain, name: 'absent' }),
    ];
    expect(() => {
      changeNftables(connection, requests);
    }).toThrow(expect.objectContaining({ code: 'ENOENT', operation: 'delete nft chain' }));
    expect(ruleset()).toBe('');
  });

  test('counts the generation up by one, whatever its size', () => {
    const before = getNftGeneration(connection);
    changeNftables(connection, [
      newNftTable({ family: INET, name: 't' }),
      newNftChain(chain),
      newNftChain({ ...chain, name: 'd' }),
    ]);
    expect(getNftGeneration(connection)).toBe(before + 1);
  });

  test('made for a generation that is gone is refused', () => {
    const generation = getNftGeneration(connection);
    nft('add table inet theirs');
    expect(() => {
      changeNftables(connection, [newNftTable({ family: INET, name: 't' })], { generation });
    }).toThrow(expect.objectContaining({ code: 'ERESTART' }));
    changeNftables(connection, [newNftTable({ family: INET, name: 't' })], { generation: generation + 1 });
    expect(listed('table')).toHaveLength(2);
  });

  const many = (count: number) => [
    newNftTable({ family: INET, name: 't' }),
    newNftChain(chain),
    ...Array.from({ length: count }, () => appendNftRule({ ...rule, expressions: [...matchMark(1, 1), accept] })),
  ];

  test('of hundreds of rules goes through in one datagram', () => {
    changeNftables(connection, many(500));
    expect(listNftRules(connection, { family: INET, table: 't' })).toHaveLength(500);
  });

  test('that is larger than the send buffer changes nothing, and the connection lives on', () => {
    expect(() => {
      changeNftables(connection, many(connection.limits.sendBufferBytes / 100));
    }).toThrow(expect.objectContaining({ code: 'EMSGSIZE' }));
    expect(ruleset()).toBe('');
    changeNftables(connection, many(1));
    expect(listed('rule')).toHaveLength(1);
  });

  test('rules are appended, inserted, deleted one by one and all together', () => {
    const named = (comment: string) => ({ ...rule, expressions: [accept], userData: commentUserData(comment) });
    const comments = () => listNftRules(connection, rule).map(({ userData }) => commentOf(userData));
    changeNftables(connection, [
      newNftTable({ family: INET, name: 't' }),
      newNftChain(chain),
      appendNftRule(named('b')),
      appendNftRule(named('d')),
      insertNftRule(named('a')),
    ]);
    const second = listNftRules(connection, rule)[1]?.handle ?? 0n;
    changeNftables(connection, [appendNftRule({ ...named('c'), position: second })]);
    expect(comments()).toEqual(['a', 'b', 'c', 'd']);
    expect(listed('rule').map(({ comment }) => comment)).toEqual(['a', 'b', 'c', 'd']);
    changeNftables(connection, [delNftRule({ ...rule, handle: second })]);
    expect(comments()).toEqual(['a', 'c', 'd']);
    changeNftables(connection, [flushNftRules(rule)]);
    expect(comments()).toEqual([]);
    changeNftables(connection, [delNftChain(chain), delNftTable({ family: INET, name: 't' })]);
    expect(ruleset()).toBe('');
  });
});

describe('what is there', () => {
  test('is listed by family, and found by name', () => {
    nft('add table ip a\nadd chain ip a x\nadd table inet b\nadd chain inet b y\nadd table ip6 c');
    expect(listNftTables(connection).map(({ name }) => name)).toEqual(listed('table').map(({ name }) => name));
    expect(listNftTables(connection, NFPROTO.IPV4).map(({ name }) => name)).toEqual(['a']);
    expect(listNftChains(connection, INET).map(({ name }) => name)).toEqual(['y']);
    expect(findNftTable(connection, { family: INET, name: 'b' })).toMatchObject({ name: 'b', use: 1, flags: 0 });
    expect(findNftTable(connection, { family: INET, name: 'a' })).toBeUndefined();
    expect(findNftChain(connection, { family: INET, table: 'absent', name: 'y' })).toBeUndefined();
    expect(listNftRules(connection, { family: INET, table: 'absent' })).toEqual([]);
  });
});

test('a monitor hears tables, chains, rules and generations of the tables asked for', async () => {
  const stop = new AbortController();
  const monitor = createNftMonitor(
    () => netns.within(() => openEventTransport([NFNLGRP.NFTABLES], NETLINK_NETFILTER)),
    { signal: stop.signal, tables: (_family, table) => table === 't' },
  );
  const heard: string[] = [];
  const loop = (async () => {
    for await (const event of monitor) heard.push(event.type === 'resync' ? event.type : describeEvent(event));
  })();
  nft('add table inet theirs\nadd chain inet theirs c');
  nft('add table inet t\nadd chain inet t c\nadd rule inet t c drop\nadd set inet t s { type ipv4_addr; }');
  nft('delete table inet t');
  await waitFor('three transactions', () => heard.filter((text) => text === 'generation').length === 3);
  stop.abort();
  await loop;
  expect(heard).toEqual([
    'generation',
    ...['new table', 'new chain', 'new rule', 'new set', 'generation'],
    ...['del rule', 'del set', 'del chain', 'del table', 'generation'],
  ]);
});

function describeEvent(event: NftEvent): string {
  return 'action' in event ? `${event.action} ${event.type}` : event.type;
}
