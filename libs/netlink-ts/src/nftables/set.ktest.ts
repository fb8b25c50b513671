/** Sets, maps and elements in a real kernel: what we write nft lists, what nft writes we read. */
import { createTestNetns, type TestNetns } from '@canal/testing';
import { type Ip, ipToBytes, macToBytes, parseIp, parseMac, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTransport } from '../../examples/bun-transport.ts';
import { createNetlinkConnection, type NetlinkConnection } from '../connection/connection.ts';
import { NFPROTO } from '../nfnetlink/header.ts';
import type { NftElement } from './element.ts';
import { NFT_VERDICT } from './expression/data.ts';
import { elementKey, interfaceNameBytes, portBytes, verdictData } from './key.ts';
import { changeNftables, newNftChain, newNftTable } from './requests.ts';
import { nftSet, type NftSetDefinition } from './set-definition.ts';
import { delNftSet, findNftSet, listNftElements, newNftElements, newNftSet } from './set-requests.ts';
import { setCommentOf } from './user-data.ts';

const INET = NFPROTO.INET;
const NETLINK_NETFILTER = 12;
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
    return [Array.isArray(elem) ? { ...rest, elem: elem.map((one) => JSON.stringify(one)).sort() } : rest];
  });
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
];

const key = { family: INET, table: 't', name: 's' };
const start = [
  newNftTable({ family: INET, name: 't' }),
  newNftChain({ family: INET, table: 't', name: 'a' }),
  newNftChain({ family: INET, table: 't', name: 'b' }),
];
/** In the order of their keys. */
const sorted = (elements: readonly NftElement[]): NftElement[] =>
  [...elements].sort((a, b) => (a.key?.toHex() ?? '').localeCompare(b.key?.toHex() ?? ''));

describe.each(CASES)('$text', ({ text, definition, elementText, elements }) => {
  const theirs = (): void => {
    nft(
      `add ${definition.data === undefined ? 'set' : 'map'} inet t s ${text}\nadd element inet t s { ${elementText} }`,
    );
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
    expect(set?.flags ?? 0).toBe(ours.flags);
    expect(setCommentOf(set?.userData)).toBe(definition.comment);
    expect(sorted(listNftElements(connection, key))).toEqual(sorted(elements));
  });
});
