/** Real packets against sets, maps and statements of ours: UDP over loopback, counted where a rule matches. */
import { createTestNetns, type TestNetns } from '@canal/testing';
import { type Cidr, type Ip, ipToBytes, parseCidr, parseIp, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createNetlinkConnection, type NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { NF_INET, NFPROTO } from '../nfnetlink/header.ts';
import type { NftElement } from './element.ts';
import { NFT_VERDICT } from './expression/data.ts';
import type { KnownNftExpression } from './expression/expression.ts';
import { NFT_FIELD as F } from './field.ts';
import { cidrRange, intervalElements } from './interval.ts';
import { elementKey, interfaceNameBytes, portBytes, verdictData } from './key.ts';
import { appendNftRule, changeNftables, listNftRules, newNftChain, newNftTable } from './requests.ts';
import { nftSet, type NftSetDefinition } from './set-definition.ts';
import { listNftElements, newNftElements, newNftSet } from './set-requests.ts';
import { matchSet, updateSet, verdictMap } from './set-statements.ts';
import { counter, matchFamily, matchInterface, matchPort, matchProtocol } from './statements.ts';
import { limitRate, sample, setCtMark, setMark } from './traffic-statements.ts';
import { matchCtMark, matchMark } from './statements.ts';

const UDP = 17;
const table = { family: NFPROTO.INET, table: 't' };
const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const ip = (text: string): Ip => unwrap(parseIp(text));
const address = (text: string): Uint8Array => ipToBytes(ip(text));

let netns: TestNetns;
let connection: NetlinkConnection;

beforeEach(() => {
  netns = createTestNetns('nft-packets');
  connection = createNetlinkConnection(() => netns.openSocket({ protocol: 12 }));
});

afterEach(() => {
  connection[Symbol.dispose]();
  netns[Symbol.dispose]();
});

const set = (
  definition: Omit<NftSetDefinition, 'family' | 'table'>,
  elements: readonly NftElement[],
): NetlinkRequest[] => [
  newNftSet(nftSet({ ...table, ...definition })),
  ...newNftElements({ ...table, name: definition.name }, elements),
];

/** A chain of rules at the output hook, each of which counts what it matches. */
function install(sets: readonly NetlinkRequest[], rules: readonly (readonly KnownNftExpression[])[]): void {
  changeNftables(connection, [
    newNftTable({ family: NFPROTO.INET, name: 't' }),
    newNftChain({ ...table, name: 'hit' }),
    appendNftRule({ ...table, chain: 'hit', expressions: [counter()] }),
    ...sets,
    newNftChain({ ...table, name: 'c', type: 'filter', hook: { number: NF_INET.LOCAL_OUT, priority: 0 } }),
    ...rules.map((expressions) =>
      appendNftRule({ ...table, chain: 'c', expressions: [...matchProtocol(UDP), ...expressions, counter()] }),
    ),
  ]);
}

/** One datagram to each `address port`, the given number of times. Errors that come back are of no concern. */
function send(targets: readonly string[], times = 1): void {
  const lines = targets.map((target) => `echo x > /dev/udp/${target.replace(' ', '/')}`);
  netns.run(['bash', '-c', `for i in $(seq ${times}); do\n${lines.join('\n')}\ndone 2>/dev/null; true`]);
}

/** What the rules of a chain have counted. */
function counts(chain = 'c'): number[] {
  return listNftRules(connection, { ...table, chain }).map(({ expressions = [] }) => {
    const found = expressions.findLast(({ type }) => type === 'counter');
    return found?.type === 'counter' ? Number(found.packets) : -1;
  });
}

test('an interval set matches what lies within its intervals', () => {
  const blocks = ['127.0.0.8/30', '127.0.0.12/32', '127.0.1.0/24', '200.0.0.0/5'].map((text) => cidrRange(cidr(text)));
  install(set({ name: 's', key: 'ipv4_addr', interval: true }, intervalElements(blocks)), [
    [...matchFamily(4), ...matchSet('s', [F.ipDaddr])],
    [...matchFamily(4), ...matchSet('s', [F.ipDaddr], true)],
  ]);
  send(['127.0.0.8 9', '127.0.0.11 9', '127.0.0.12 9', '127.0.1.0 9', '127.0.1.255 9']);
  expect(counts()).toEqual([5, 0]);
  send(['127.0.0.7 9', '127.0.0.13 9', '127.0.0.255 9', '127.0.2.0 9']);
  expect(counts()).toEqual([5, 4]);
});

test('an interval set of IPv6 that goes on to the highest address', () => {
  const blocks = ['::1/128', 'fd00::/8', 'ff00::/8'].map((text) => cidrRange(cidr(text)));
  install(set({ name: 's', key: 'ipv6_addr', interval: true }, intervalElements(blocks)), [
    [...matchFamily(6), ...matchSet('s', [F.ip6Daddr])],
    [...matchFamily(6), ...matchSet('s', [F.ip6Daddr], true)],
  ]);
  for (const local of ['fd00::1/128', 'fc00::1/128']) netns.run(['ip', 'addr', 'add', local, 'dev', 'lo']);
  send(['::1 9', 'fd00::1 9', 'fc00::1 9']);
  expect(counts()).toEqual([2, 1]);
});

test('concatenations match all their fields together, with ranges and without', () => {
  const keyOf = (to: string, port: number): Uint8Array => elementKey(address(to), Uint8Array.of(UDP), portBytes(port));
  const key = ['ipv4_addr', 'inet_proto', 'inet_service'] as const;
  install(
    [
      ...set({ name: 'exact', key, size: 100 }, [{ key: keyOf('127.0.0.1', 80) }, { key: keyOf('127.0.0.2', 53) }]),
      ...set({ name: 'ranges', key, interval: true }, [
        { key: keyOf('127.0.0.0', 80), keyEnd: keyOf('127.0.0.255', 90) },
      ]),
      ...set({ name: 'names', key: ['ifname', 'ipv4_addr'] }, [
        { key: elementKey(interfaceNameBytes('lo'), address('127.0.0.1')) },
      ]),
    ],
    [
      [...matchFamily(4), ...matchSet('exact', [F.ipDaddr, F.l4proto, F.dport])],
      [...matchFamily(4), ...matchSet('ranges', [F.ipDaddr, F.l4proto, F.dport])],
      [...matchFamily(4), ...matchSet('names', [F.oifname, F.ipDaddr])],
    ],
  );
  send(['127.0.0.1 80', '127.0.0.1 53', '127.0.0.2 53', '127.0.0.9 90', '127.0.1.9 90', '127.0.0.9 91']);
  expect(counts()).toEqual([2, 2, 2]);
});

test('a verdict map jumps where its element says, and on when there is none', () => {
  install(
    set({ name: 'm', key: 'ipv4_addr', data: 'verdict', size: 10 }, [
      { key: address('127.0.0.1'), data: verdictData(NFT_VERDICT.JUMP, 'hit') },
      { key: address('127.0.0.2'), data: verdictData(NFT_VERDICT.ACCEPT) },
    ]),
    [[...matchFamily(4), ...verdictMap('m', [F.ipDaddr])], []],
  );
  send(['127.0.0.1 9', '127.0.0.2 9', '127.0.0.3 9', '127.0.0.3 9']);
  // Behind the jump evaluation goes on with the next rule; an accept ends it.
  expect(counts('hit')).toEqual([1]);
  expect(counts()).toEqual([0, 3]);
});

test('names with a star, port ranges and marks', () => {
  install(
    [],
    [
      matchInterface('oifname', 'l*'),
      matchInterface('oifname', 'lo*', true),
      matchInterface('oifname', 'l', true),
      matchPort('dport', 80, 90),
      matchPort('dport', 80, 90, true),
      [...setMark(0xff, 0x0f), ...matchMark(0x0f, 0xff)],
      [...setMark(0x30, 0xf0), ...matchMark(0x3f, 0xff)],
      [...setCtMark(0x2000_0000, 0x2000_0000), ...matchCtMark(0x2000_0000, 0xffff_ffff)],
    ],
  );
  send(['127.0.0.1 79', '127.0.0.1 80', '127.0.0.1 90', '127.0.0.1 91']);
  expect(counts()).toEqual([4, 0, 4, 2, 2, 4, 4, 4]);
});

test('a rule makes elements of what it sees, each for its time', () => {
  install(set({ name: 's', key: 'ipv4_addr', dynamic: true, timeoutMs: 60_000, size: 10 }, []), [
    [...matchFamily(4), ...updateSet('s', [F.ipDaddr], 30_000)],
  ]);
  send(['127.0.0.1 9', '127.0.0.2 9', '127.0.0.1 9']);
  const elements = listNftElements(connection, { ...table, name: 's' });
  expect(elements.map(({ key }) => key?.toHex()).sort()).toEqual(['7f000001', '7f000002']);
  for (const { timeout, expiration } of elements) {
    expect(timeout).toBe(30_000n);
    expect(expiration).toBeGreaterThan(20_000n);
  }
});

test('a limit lets its burst through, a sample its share', () => {
  install(
    [],
    [
      [limitRate({ rate: 1, per: 'hour', burst: 20 })],
      [limitRate({ rate: 1, per: 'hour', burst: 20 }, true)],
      sample(1, 4),
      sample(0, 4),
      sample(4, 4),
    ],
  );
  send(['127.0.0.1 9'], 400);
  const [within = 0, over = 0, quarter = 0, none, all] = counts();
  // The kernel adds what comes in an hour at that rate to the burst.
  expect(within).toBeGreaterThanOrEqual(20);
  expect(within).toBeLessThanOrEqual(22);
  expect(over).toBeGreaterThanOrEqual(400 - 22);
  // 100 expected, standard deviation 8.7.
  expect(quarter).toBeGreaterThan(48);
  expect(quarter).toBeLessThan(152);
  expect([none, all]).toEqual([0, 400]);
});
