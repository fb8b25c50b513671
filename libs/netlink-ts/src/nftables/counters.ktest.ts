/** Named counters in a real kernel: what we write nft lists, what nft writes we read. */
import { createTestNetns, type TestNetns } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTransport } from '../../examples/bun-transport.ts';
import { createNetlinkConnection, type NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { NF_INET, NFPROTO } from '../nfnetlink/header.ts';
import { delNftCounter, listNftCounters, newNftCounter } from './counter-requests.ts';
import { appendNftRule, changeNftables, listNftRules, newNftChain, newNftTable } from './requests.ts';
import { nftRuleText } from './rule-text.ts';
import { namedCounter } from './statements.ts';
import { commentOf, commentUserData } from './user-data.ts';

const TABLE = { family: NFPROTO.INET, table: 't' };
const NETLINK_NETFILTER = 12;
const EXPRESSIONS = [namedCounter('seen'), namedCounter('second')];

let netns: TestNetns;
let connection: NetlinkConnection;

beforeEach(() => {
  netns = createTestNetns('counters');
  connection = createNetlinkConnection(() => netns.within(() => openTransport(NETLINK_NETFILTER)));
  change(
    newNftTable({ family: NFPROTO.INET, name: 't' }),
    newNftCounter({ ...TABLE, name: 'seen', userData: commentUserData('since then') }),
    newNftCounter({ ...TABLE, name: 'second', packets: 7n, bytes: 900n }),
    newNftChain({ ...TABLE, name: 'c', type: 'filter', hook: { number: NF_INET.LOCAL_OUT, priority: 0 } }),
    appendNftRule({ ...TABLE, chain: 'c', expressions: EXPRESSIONS }),
  );
});

afterEach(() => {
  connection[Symbol.dispose]();
  netns[Symbol.dispose]();
});

function change(...requests: readonly NetlinkRequest[]): void {
  changeNftables(connection, requests);
}

const counted = (): object[] =>
  listNftCounters(connection, TABLE)
    .map(({ name, packets, bytes, use, userData }) => ({ name, packets, bytes, use, comment: commentOf(userData) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

interface NftJson {
  readonly nftables: readonly { readonly counter?: { readonly name: string; readonly packets: number } }[];
}

const listedByNft = (): [string, number][] =>
  (netns.json(['nft', '-j', 'list', 'counters']) as NftJson).nftables
    .flatMap(({ counter }): [string, number][] => (counter === undefined ? [] : [[counter.name, counter.packets]]))
    .sort();

const ping = (): string => netns.run(['ping', '-c', '1', '-W', '1', '127.0.0.1']);

test('rules count in several; nft lists the same, and what it listed can be loaded again', () => {
  expect(counted()).toEqual([
    { name: 'second', packets: 7n, bytes: 900n, use: 1, comment: undefined },
    { name: 'seen', packets: 0n, bytes: 0n, use: 1, comment: 'since then' },
  ]);
  netns.run(['ip', 'link', 'set', 'lo', 'up']);
  ping();
  // Question and answer, 84 bytes each.
  const after = [
    { name: 'second', packets: 9n, bytes: 900n + 168n, use: 1, comment: undefined },
    { name: 'seen', packets: 2n, bytes: 168n, use: 1, comment: 'since then' },
  ];
  expect(counted()).toEqual(after);
  expect(listedByNft()).toEqual([
    ['second', 9],
    ['seen', 2],
  ]);
  const text = netns.run(['nft', 'list', 'ruleset']);
  expect(text).toContain('counter name "seen" counter name "second"');
  netns.run(['nft', 'flush', 'ruleset']);
  expect(counted()).toEqual([]);
  netns.run(['nft', '-f', '-'], { stdin: text });
  expect(counted()).toEqual(after);
  const [rule] = listNftRules(connection, { ...TABLE, chain: 'c' });
  expect(nftRuleText({ expressions: rule?.expressions ?? [] })).toBe(nftRuleText({ expressions: EXPRESSIONS }));
});

test('one that is there stays as it is; one in use cannot go', () => {
  change(newNftCounter({ ...TABLE, name: 'second', packets: 1n, userData: commentUserData('anew') }));
  expect(counted()[0]).toEqual({ name: 'second', packets: 7n, bytes: 900n, use: 1, comment: undefined });
  expect(() => change(delNftCounter({ ...TABLE, name: 'second' }))).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  change(newNftCounter({ ...TABLE, name: 'third' }));
  expect(counted()).toHaveLength(3);
  change(delNftCounter({ ...TABLE, name: 'third' }));
  expect(counted()).toHaveLength(2);
  expect(() => change(delNftCounter({ ...TABLE, name: 'third' }))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(listNftCounters(connection, { ...TABLE, table: 'absent' })).toEqual([]);
});
