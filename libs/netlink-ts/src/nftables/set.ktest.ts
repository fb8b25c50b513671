/** Sets, maps and elements in a real kernel: what we write nft lists, what nft writes we read. */
import { createTestNetns, type TestNetns } from '@canal/testing';
import { type Cidr, type Ip, ipToBytes, macToBytes, parseCidr, parseIp, parseMac, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTransport } from '../../examples/bun-transport.ts';
import { createNetlinkConnection, type NetlinkConnection } from '../connection/connection.ts';
import { NFPROTO } from '../nfnetlink/header.ts';
import { NFT_SET_ELEM, type NftElement } from './element.ts';
import { NFT_VERDICT } from './expression/data.ts';
import { cidrRange, intervalElements, portRange } from './interval.ts';
import { elementKey, interfaceNameBytes, portBytes, verdictData } from './key.ts';
import { changeNftables, newNftChain, newNftTable } from './requests.ts';
import { nftSet, type NftSetDefinition } from './set-definition.ts';
import { delNftElements, delNftSet, findNftSet, listNftElements, newNftElements, newNftSet } from './set-requests.ts';
import { commentUserData, setCommentOf } from './user-data.ts';

const INET = NFPROTO.INET;
const NETLINK_NETFILTER = 12;
const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const ip = (text: string): Ip => unwrap(parseIp(text));
const address = (text: string): Uint8Array => ipToBytes(ip(text));
const mac = macToBytes(unwrap(parseMac('0a:58:0a:00:00:05')));

let netns: TestNetns;
let connection: NetlinkConnection;

beforeEach(() => {
  netns = createTestNetns('nft-sets');
  connection = createNetlinkConnection(() => netns.within(() => openTransport(NETLINK_NETFILTER)));
});

afterEach(() => {
  connection[Symbol.dispose]();
  netns[Symbol.dispose]();
});

const nft = (text: string): string => netns.run(['nft', '-f', '-'], { stdin: `${text}\n` });

/** Sets and maps of `nft -j list ruleset`, without what differs by chance. */
function listed(): Record<string, unknown>[] {
  const { nftables } = netns.json(['nft', '-j', 'list', 'ruleset']) as {
    nftables: Partial<Record<string, Record<string, unknown>>>[];
  };
  return nftables.flatMap((object) => {
    const found = object['set'] ?? object['map'];
    if (found === undefined) return [];
    const { handle: _, elem, ...rest } = found;
    return [Array.isArray(elem) ? { ...rest, elem: elem.map((one) => JSON.stringify(one, unhurried)).sort() } : rest];
  });
}

/** `expires` runs down in whole seconds, a second before another list may see one less; it is the timeout at most. */
function unhurried(this: unknown, name: string, value: unknown): unknown {
  if (name !== 'expires') return value;
  const { timeout } = this as { readonly timeout: number };
  expect(value).toBeOneOf(Array.from({ length: 10 }, (_, past) => timeout - past));
  return 'within 10 s of the timeout';
}

interface Case {
  /** What stands behind `add set|map inet t s` in nft's words. */
  readonly text: string;
  readonly definition: Omit<NftSetDefinition, 'family' | 'table' | 'name'>;
  readonly elementText: string;
  readonly elements: readonly NftElement[];
}

const CASES: readonly Case[] = [
  {
    text: '{ type ipv4_addr; size 1000; }',
    definition: { key: 'ipv4_addr', size: 1000 },
    elementText: '10.0.0.1, 10.0.0.2',
    elements: [{ key: address('10.0.0.1') }, { key: address('10.0.0.2') }],
  },
  {
    text: '{ type ipv6_addr; }',
    definition: { key: 'ipv6_addr' },
    elementText: 'fd00::1',
    elements: [{ key: address('fd00::1') }],
  },
  {
    text: '{ type ipv4_addr . inet_proto . inet_service; size 500; comment "hello"; }',
    definition: { key: ['ipv4_addr', 'inet_proto', 'inet_service'], size: 500, comment: 'hello' },
    elementText: '10.0.0.1 . tcp . 80, 10.0.0.1 . udp . 53',
    elements: [
      { key: elementKey(address('10.0.0.1'), Uint8Array.of(6), portBytes(80)) },
      { key: elementKey(address('10.0.0.1'), Uint8Array.of(17), portBytes(53)) },
    ],
  },
  {
    text: '{ type ifname . ether_addr . ipv4_addr; }',
    definition: { key: ['ifname', 'ether_addr', 'ipv4_addr'] },
    elementText: '"cnl0" . 0a:58:0a:00:00:05 . 10.0.0.1',
    elements: [{ key: elementKey(interfaceNameBytes('cnl0'), mac, address('10.0.0.1')) }],
  },
  {
    text: '{ type ipv4_addr : verdict; size 77; }',
    definition: { key: 'ipv4_addr', data: 'verdict', size: 77 },
    elementText: '10.0.0.1 : jump a, 10.0.0.2 : drop, 10.0.0.3 : goto b, 10.0.0.4 : accept, 10.0.0.5 : return',
    elements: [
      { key: address('10.0.0.1'), data: verdictData(NFT_VERDICT.JUMP, 'a') },
      { key: address('10.0.0.2'), data: verdictData(NFT_VERDICT.DROP) },
      { key: address('10.0.0.3'), data: verdictData(NFT_VERDICT.GOTO, 'b') },
      { key: address('10.0.0.4'), data: verdictData(NFT_VERDICT.ACCEPT) },
      { key: address('10.0.0.5'), data: verdictData(NFT_VERDICT.RETURN) },
    ],
  },
  {
    text: '{ type ipv4_addr; flags interval; }',
    definition: { key: 'ipv4_addr', interval: true },
    elementText: '10.0.0.0/8, 192.168.1.1, 192.168.1.7-192.168.1.9, 224.0.0.0/3',
    elements: intervalElements([
      cidrRange(cidr('224.0.0.0/3')),
      cidrRange(cidr('10.0.0.0/8')),
      cidrRange(cidr('192.168.1.1/32')),
      { first: address('192.168.1.7'), last: address('192.168.1.9') },
    ]),
  },
  {
    text: '{ type ipv4_addr; flags interval; }',
    definition: { key: 'ipv4_addr', interval: true },
    elementText: '0.0.0.0/0',
    elements: intervalElements([cidrRange(cidr('0.0.0.0/0'))]),
  },
  {
    text: '{ type ipv6_addr; flags interval; }',
    definition: { key: 'ipv6_addr', interval: true },
    elementText: 'fd00:1::/32, fe80::/10',
    elements: intervalElements([cidrRange(cidr('fd00:1::/32')), cidrRange(cidr('fe80::/10'))]),
  },
  {
    text: '{ type inet_service; flags constant,interval; }',
    definition: { key: 'inet_service', interval: true, constant: true },
    elementText: '80-90, 443',
    elements: intervalElements([portRange(443, 443), portRange(80, 90)]),
  },
  {
    text: '{ type ipv4_addr . inet_service; flags interval; }',
    definition: { key: ['ipv4_addr', 'inet_service'], interval: true },
    elementText: '10.0.0.0/8 . 80-90, 192.168.1.1 . 53',
    elements: [
      {
        key: elementKey(address('10.0.0.0'), portBytes(80)),
        keyEnd: elementKey(address('10.255.255.255'), portBytes(90)),
      },
      {
        key: elementKey(address('192.168.1.1'), portBytes(53)),
        keyEnd: elementKey(address('192.168.1.1'), portBytes(53)),
      },
    ],
  },
  {
    text: '{ type ipv4_addr . inet_proto . inet_service : verdict; flags interval; size 64; comment "blocks"; }',
    definition: {
      key: ['ipv4_addr', 'inet_proto', 'inet_service'],
      data: 'verdict',
      interval: true,
      size: 64,
      comment: 'blocks',
    },
    elementText: '10.0.0.0/8 . tcp . 80-90 : accept',
    elements: [
      {
        key: elementKey(address('10.0.0.0'), Uint8Array.of(6), portBytes(80)),
        keyEnd: elementKey(address('10.255.255.255'), Uint8Array.of(6), portBytes(90)),
        data: verdictData(NFT_VERDICT.ACCEPT),
      },
    ],
  },
  {
    text: '{ type ipv4_addr : verdict; flags interval; }',
    definition: { key: 'ipv4_addr', data: 'verdict', interval: true },
    elementText: '10.0.0.0/8 : accept',
    elements: [
      { key: address('10.0.0.0'), data: verdictData(NFT_VERDICT.ACCEPT) },
      { key: address('11.0.0.0'), flags: NFT_SET_ELEM.INTERVAL_END },
    ],
  },
  {
    text: '{ type ipv4_addr : verdict; }',
    definition: { key: 'ipv4_addr', data: 'verdict' },
    elementText: '10.0.0.1 : accept, * : drop',
    elements: [
      { key: address('10.0.0.1'), data: verdictData(NFT_VERDICT.ACCEPT) },
      { flags: NFT_SET_ELEM.CATCHALL, data: verdictData(NFT_VERDICT.DROP) },
    ],
  },
  {
    text: '{ type ipv4_addr; flags timeout; timeout 1h; }',
    definition: { key: 'ipv4_addr', timeoutMs: 3_600_000 },
    elementText: '10.0.0.1 timeout 2h comment "x"',
    elements: [{ key: address('10.0.0.1'), timeout: 7_200_000n, userData: commentUserData('x') }],
  },
  {
    text: '{ type mark; flags dynamic,timeout; size 10; }',
    definition: { key: 'mark', dynamic: true, timeouts: true, size: 10 },
    elementText: '0x10',
    elements: [{ key: Uint8Array.of(0x10, 0, 0, 0) }],
  },
  {
    text: '{ type ipv4_addr : mark; }',
    definition: { key: 'ipv4_addr', data: 'mark' },
    elementText: '10.0.0.1 : 0x12',
    elements: [{ key: address('10.0.0.1'), data: { value: Uint8Array.of(0x12, 0, 0, 0) } }],
  },
  {
    text: '{ type ipv4_addr . inet_service : ipv4_addr . inet_service; }',
    definition: { key: ['ipv4_addr', 'inet_service'], data: ['ipv4_addr', 'inet_service'] },
    elementText: '10.0.0.1 . 80 : 10.0.0.2 . 8080',
    elements: [
      {
        key: elementKey(address('10.0.0.1'), portBytes(80)),
        data: { value: elementKey(address('10.0.0.2'), portBytes(8080)) },
      },
    ],
  },
  ...(
    [
      ['nf_proto', 'ipv4', [2]],
      ['ether_addr', '0a:58:0a:00:00:05', [0x0a, 0x58, 0x0a, 0, 0, 5]],
      ['ether_type', 'ip6', [0x86, 0xdd]],
      ['inet_proto', 'udp', [17]],
      ['icmp_type', 'echo-request', [8]],
      ['icmpv6_type', 'echo-request', [128]],
      ['iface_index', '"lo"', [1, 0, 0, 0]],
      ['ct_state', 'established', [2, 0, 0, 0]],
      ['fib_addrtype', 'local', [2, 0, 0, 0]],
    ] as const
  ).map(([type, elementText, bytes]) => ({
    text: `{ type ${type}; }`,
    definition: { key: type },
    elementText,
    elements: [{ key: Uint8Array.from(bytes) }],
  })),
];

const key = { family: INET, table: 't', name: 's' };
const start = [
  newNftTable({ family: INET, name: 't' }),
  newNftChain({ family: INET, table: 't', name: 'a' }),
  newNftChain({ family: INET, table: 't', name: 'b' }),
];

describe.each(CASES)('$text of $elementText', ({ text, definition, elementText, elements }) => {
  const theirs = (): void => {
    const kind = definition.data === undefined ? 'set' : 'map';
    nft(`add ${kind} inet t s ${text}\nadd element inet t s { ${elementText} }`);
  };

  test('of ours is to nft as its own', () => {
    changeNftables(connection, start);
    theirs();
    const expected = listed();
    changeNftables(connection, [delNftSet(key)]);
    changeNftables(connection, [newNftSet(nftSet({ ...key, ...definition })), ...newNftElements(key, elements)]);
    expect(listed()).toEqual(expected);
    expect(expected).toHaveLength(1);
  });

  test('of nft is to us as ours', () => {
    changeNftables(connection, start);
    theirs();
    const ours = nftSet({ ...key, ...definition });
    const set = findNftSet(connection, key);
    expect(set).toMatchObject({ name: 's', keyType: ours.keyType, keyLength: ours.keyLength, userData: ours.userData });
    expect(set).toMatchObject({ description: ours.description ?? {} });
    expect(set?.flags ?? 0).toBe(ours.flags);
    expect(setCommentOf(set?.userData)).toBe(definition.comment);
    expect(sorted(listNftElements(connection, key))).toEqual(sorted(elements));
  });

  test('goes again, element by element', () => {
    changeNftables(connection, [
      ...start,
      newNftSet(nftSet({ ...key, ...definition })),
      ...newNftElements(key, elements),
    ]);
    expect(listNftElements(connection, key)).toHaveLength(elements.length);
    changeNftables(connection, delNftElements(key, elements));
    expect(listNftElements(connection, key)).toEqual([]);
  });
});

/** In the order of their keys, without what the kernel counts down and the end before the first interval that nft adds. */
function sorted(elements: readonly NftElement[]): NftElement[] {
  return elements
    .filter(
      ({ key: bytes, flags }) => flags !== NFT_SET_ELEM.INTERVAL_END || bytes?.some((byte) => byte !== 0) === true,
    )
    .map(({ expiration: _, ...element }) => element)
    .sort((a, b) => (a.key?.toHex() ?? '').localeCompare(b.key?.toHex() ?? ''));
}
