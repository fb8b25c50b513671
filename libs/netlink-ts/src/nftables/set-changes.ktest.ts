/** Elements that change, many of them, and others who change them as well: in a real kernel. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { type Cidr, type Ip, type Ipv4, ipToBytes, parseCidr, parseIp, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openEventTransport } from '../../examples/bun-transport.ts';
import { createNetlinkConnection, type NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import type { WireTrace } from '../connection/transport.ts';
import { NFNLGRP, NFPROTO } from '../nfnetlink/header.ts';
import { readNftables, updateNftables } from './consistency.ts';
import type { NftElement } from './element.ts';
import { createNftMonitor, type NftEvent } from './events.ts';
import { NFT_VERDICT } from './expression/data.ts';
import { NFT_FIELD } from './field.ts';
import { cidrRange, intervalElements, portRange } from './interval.ts';
import { portBytes, verdictData } from './key.ts';
import { appendNftRule, changeNftables, flushNftRules, newNftChain, newNftTable } from './requests.ts';
import { nftSet } from './set-definition.ts';
import {
  delNftElements,
  delNftSet,
  findNftElement,
  findNftSet,
  flushNftSet,
  listNftElements,
  listNftSets,
  newNftElements,
  newNftSet,
} from './set-requests.ts';
import { matchSet } from './set-statements.ts';
import { matchProtocol, verdict } from './statements.ts';

const INET = NFPROTO.INET;
const NETLINK_NETFILTER = 12;
const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const ip = (text: string): Ip => unwrap(parseIp(text));
const element = (text: string): NftElement => ({ key: ipToBytes(ip(text)) });
const numbered = (index: number): NftElement => ({ key: ipToBytes((0x0a00_0000 + index) as Ipv4) });
const numberedUpTo = (count: number): NftElement[] => Array.from({ length: count }, (_, index) => numbered(index));
const keysOf = (elements: readonly NftElement[]): string[] => elements.map(({ key }) => key?.toHex() ?? '').sort();

const table = newNftTable({ family: INET, name: 't' });
const set = { family: INET, table: 't', name: 's' };
const hashSet = newNftSet(nftSet({ ...set, key: 'ipv4_addr' }));

let netns: TestNetns;
let connection: NetlinkConnection;
let onDatagram: WireTrace | undefined;

beforeEach(() => {
  onDatagram = undefined;
  netns = createTestNetns('nft-elements');
  connection = openConnection((direction, datagram) => onDatagram?.(direction, datagram));
});

afterEach(() => {
  connection[Symbol.dispose]();
  netns[Symbol.dispose]();
});

function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'nft-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

function openConnection(trace?: WireTrace): NetlinkConnection {
  const socket = { protocol: NETLINK_NETFILTER, sendBufferBytes: 4 * 1024 * 1024 };
  return createNetlinkConnection(() => netns.openSocket(socket), { trace });
}

const nft = (text: string): string => netns.run(['nft', '-f', '-'], { stdin: `${text}\n` });
const change = (...requests: readonly (NetlinkRequest | readonly NetlinkRequest[])[]): void => {
  changeNftables(connection, requests.flat());
};

describe('elements', () => {
  test('are added, found, deleted and flushed', () => {
    change(table, hashSet, newNftElements(set, ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(element)));
    expect(keysOf(listNftElements(connection, set))).toEqual(['0a000001', '0a000002', '0a000003']);
    change(delNftElements(set, [element('10.0.0.2')]), newNftElements(set, [element('10.0.0.4')]));
    expect(keysOf(listNftElements(connection, set))).toEqual(['0a000001', '0a000003', '0a000004']);
    expect(findNftElement(connection, set, element('10.0.0.4'))).toEqual(element('10.0.0.4'));
    expect(findNftElement(connection, set, element('10.0.0.2'))).toBeUndefined();
    change(flushNftSet(set));
    expect(listNftElements(connection, set)).toEqual([]);
  });

  test('that are there already stay, unless their data would change', () => {
    const map = newNftSet(nftSet({ ...set, key: 'ipv4_addr', data: 'verdict' }));
    const one = { ...element('10.0.0.1'), data: verdictData(NFT_VERDICT.DROP) };
    change(table, map, newNftElements(set, [one]));
    change(newNftElements(set, [one]));
    const other = newNftElements(set, [{ ...one, data: verdictData(NFT_VERDICT.ACCEPT) }]);
    expect(() => {
      change(other);
    }).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    change(delNftElements(set, [element('10.0.0.1')]), other);
    expect(listNftElements(connection, set)).toEqual([{ ...one, data: verdictData(NFT_VERDICT.ACCEPT) }]);
  });

  test('of an interval set are found by what lies within', () => {
    const blocks = ['10.0.0.0/8', '10.1.0.0/16', '192.168.0.0/24', '192.168.1.0/24', '255.255.255.0/24'];
    change(
      table,
      newNftSet(nftSet({ ...set, key: 'ipv4_addr', interval: true })),
      newNftElements(set, intervalElements(blocks.map((text) => cidrRange(cidr(text))))),
    );
    const has = (text: string): boolean => findNftElement(connection, set, element(text)) !== undefined;
    expect(['10.0.0.0', '10.255.255.255', '192.168.1.255', '255.255.255.255'].map(has)).toEqual(Array(4).fill(true));
    expect(['0.0.0.0', '9.255.255.255', '11.0.0.0', '192.168.2.0', '255.255.254.255'].map(has)).toEqual(
      Array(5).fill(false),
    );
  });
});

describe('sets', () => {
  test('are listed by table and family, and found by name', () => {
    nft('add table inet t\nadd set inet t a { type ipv4_addr; }\nadd map inet t b { type ipv4_addr : verdict; }');
    nft('add table inet u\nadd set inet u c { type ipv4_addr; }\nadd table ip t\nadd set ip t d { type ipv4_addr; }');
    const names = (filter: { family: number; table?: string }): string[] =>
      listNftSets(connection, filter).map(({ name = '' }) => name);
    expect(names({ family: INET, table: 't' })).toEqual(['a', 'b']);
    expect(names({ family: INET })).toEqual(['a', 'b', 'c']);
    expect(names({ family: NFPROTO.UNSPEC })).toHaveLength(4);
    expect(findNftSet(connection, { family: INET, table: 'u', name: 'c' })).toMatchObject({ name: 'c', keyType: 7 });
    expect(findNftSet(connection, { family: INET, table: 'u', name: 'a' })).toBeUndefined();
    expect(() => listNftElements(connection, { family: INET, table: 'u', name: 'a' })).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
  });

  test('in use cannot be deleted, and can be in the transaction that ends the use', () => {
    const chain = { family: INET, table: 't', chain: 'c' };
    const expressions = [...matchSet('s', [NFT_FIELD.ipSaddr]), verdict(NFT_VERDICT.DROP)];
    change(
      table,
      hashSet,
      newNftChain({ family: INET, table: 't', name: 'c' }),
      appendNftRule({ ...chain, expressions }),
    );
    expect(() => {
      change(delNftSet(set));
    }).toThrow(expect.objectContaining({ code: 'EBUSY', operation: 'delete nft set' }));
    change(flushNftRules(chain), delNftSet(set));
    expect(findNftSet(connection, set)).toBeUndefined();
  });

  test('hold no more than their size', () => {
    change(table, newNftSet(nftSet({ ...set, key: 'ipv4_addr', size: 3 })), newNftElements(set, numberedUpTo(3)));
    expect(() => {
      change(newNftElements(set, [numbered(3)]));
    }).toThrow(expect.objectContaining({ code: 'ENFILE', operation: 'new nft elements of s' }));
    change(delNftElements(set, [numbered(0)]), newNftElements(set, [numbered(3)]));
    expect(listNftElements(connection, set)).toHaveLength(3);
  });

  test('without a name belong to their rule: the words of nft for several ports', () => {
    const chain = { family: INET, table: 't', chain: 'c' };
    const ports = { family: INET, table: 't', name: '__set%d', id: 7 };
    change(
      table,
      newNftChain({ family: INET, table: 't', name: 'c' }),
      newNftSet(nftSet({ ...ports, anonymous: true, key: 'inet_service', interval: true })),
      newNftElements(ports, intervalElements([portRange(53, 53), portRange(80, 90)])),
      appendNftRule({
        ...chain,
        expressions: [...matchProtocol(6), ...matchSet(ports, [NFT_FIELD.dport]), verdict(NFT_VERDICT.RETURN)],
      }),
    );
    expect(netns.run(['nft', 'list', 'ruleset'])).toContain('tcp dport { 53, 80-90 } return');
    expect(JSON.stringify(netns.json(['nft', '-j', 'list', 'ruleset']))).toContain('[53,{"range":[80,90]}]');
    change(flushNftRules(chain));
    expect(listNftSets(connection, { family: INET })).toEqual([]);
  });
});

describe('a transaction', () => {
  test('with one bad element among thousands changes nothing and names the request', () => {
    change(table, hashSet, newNftElements(set, [element('192.168.0.1')]));
    const bad = numberedUpTo(9000).with(8500, { key: portBytes(80) });
    const requests = newNftElements(set, bad);
    expect(requests).toHaveLength(3);
    expect(() => {
      change(newNftSet(nftSet({ ...set, name: 'more', key: 'ipv6_addr' })), requests);
    }).toThrow(expect.objectContaining({ code: 'EINVAL', operation: 'new nft elements of s' }));
    expect(keysOf(listNftElements(connection, set))).toEqual(['c0a80001']);
    expect(listNftSets(connection, { family: INET })).toHaveLength(1);
    change(newNftElements(set, numberedUpTo(9000)));
    expect(listNftElements(connection, set)).toHaveLength(9001);
  });

  test('that deletes what is not there changes nothing', () => {
    change(table, hashSet, newNftElements(set, numberedUpTo(2)));
    expect(() => {
      change(newNftElements(set, [numbered(7)]), delNftElements(set, [numbered(0), numbered(5)]));
    }).toThrow(expect.objectContaining({ code: 'ENOENT', operation: 'delete nft elements of s' }));
    expect(listNftElements(connection, set)).toHaveLength(2);
  });
});

test('a hundred thousand elements go in and come back, and nft sees them all', () => {
  const count = 100_000;
  const elements = numberedUpTo(count);
  change(table, newNftSet(nftSet({ ...set, key: 'ipv4_addr', size: count })));
  for (let at = 0; at < count; at += 10_000) change(newNftElements(set, elements.slice(at, at + 10_000)));
  const back = keysOf(listNftElements(connection, set));
  expect(back).toEqual(keysOf(elements));
  const { nftables } = netns.json(['nft', '-j', 'list', 'set', 'inet', 't', 's']) as {
    nftables: { set?: { elem: unknown[] } }[];
  };
  expect(nftables.flatMap((object) => object.set?.elem ?? [])).toHaveLength(count);
  change(delNftElements(set, elements));
  expect(listNftElements(connection, set)).toEqual([]);
});

describe('while others change', () => {
  /** Runs once, when the next datagram of the kernel is there. */
  const onNextAnswer = (work: () => void): void => {
    onDatagram = (direction) => {
      if (direction === 'sent') return;
      onDatagram = undefined;
      work();
    };
  };

  test('a listing is never half of one state and half of another', () => {
    using theirs = openConnection();
    change(table, hashSet, newNftElements(set, numberedUpTo(20_000)));
    let changes = 0;
    onNextAnswer(() => {
      changes++;
      changeNftables(theirs, [flushNftSet(set), ...newNftElements(set, [element('192.168.0.1')])]);
    });
    expect(keysOf(listNftElements(connection, set))).toEqual(['c0a80001']);
    expect(changes).toBe(1);
  });

  test('several listings that belong together are read again', () => {
    using theirs = openConnection();
    change(table, hashSet);
    const reads: number[] = [];
    const { value, generation } = readNftables(connection, () => {
      if (reads.length === 0) changeNftables(theirs, newNftElements(set, numberedUpTo(3)));
      reads.push(listNftElements(connection, set).length);
      return reads.at(-1);
    });
    expect({ value, reads }).toEqual({ value: 3, reads: [3, 3] });
    expect(generation).toBe(3);
    expect(() =>
      readNftables(connection, () => {
        changeNftables(theirs, [flushNftSet(set), ...newNftElements(set, numberedUpTo(1))]);
      }),
    ).toThrow(expect.objectContaining({ code: 'EINTR' }));
  });

  test('a transaction is planned anew on what is there now', () => {
    using theirs = openConnection();
    change(table, hashSet);
    const plans: number[] = [];
    const plan = (): NetlinkRequest[] => {
      const there = listNftElements(connection, set).length;
      plans.push(there);
      if (plans.length === 1) changeNftables(theirs, newNftElements(set, numberedUpTo(5)));
      return newNftElements(set, [numbered(100 + there)]);
    };
    updateNftables(connection, plan);
    expect(plans).toEqual([0, 5]);
    expect(keysOf(listNftElements(connection, set))).toEqual(keysOf([...numberedUpTo(5), numbered(105)]));
    updateNftables(connection, () => []);
  });

  test('updates beside a busy nft lose nothing, neither ours nor its', async () => {
    change(table, hashSet, newNftSet(nftSet({ ...set, name: 'theirs', key: 'ipv4_addr' })));
    const script =
      'i=0; while [ ! -e "$0" ]; do nft add element inet t theirs { 10.1.$((i / 250)).$((i % 250)) }; i=$((i + 1)); done; echo $i';
    using folder = temporaryFolder();
    const stop = join(folder.path, 'stop');
    const nftLoop = netns.within(() => Bun.spawn(['bash', '-c', script, stop], { stdout: 'pipe', stderr: 'inherit' }));
    using _end = { [Symbol.dispose]: () => nftLoop.kill() };
    let plans = 0;
    const updates = 150;
    for (let update = 0; update < updates; update++) {
      // About every other plan comes too late: the default of ten attempts would not do for 150 updates.
      updateNftables(
        connection,
        () => {
          plans++;
          const there = listNftElements(connection, set).length;
          Bun.sleepSync(2);
          return newNftElements(set, [numbered(there)]);
        },
        1_000,
      );
    }
    writeFileSync(stop, '');
    const added = Number(await new Response(nftLoop.stdout).text());
    expect(keysOf(listNftElements(connection, set))).toEqual(keysOf(numberedUpTo(updates)));
    expect(listNftElements(connection, { ...set, name: 'theirs' })).toHaveLength(added);
    // It was busy, and the plans that came too late were made anew.
    expect(added).toBeGreaterThan(1);
    expect(plans).toBeGreaterThan(updates);
  });

  test('a transaction that always comes too late is given up, one that is wrong at once', () => {
    using theirs = openConnection();
    change(table, hashSet);
    const plans: string[] = [];
    expect(() => {
      updateNftables(
        connection,
        () => {
          plans.push('late');
          changeNftables(theirs, [flushNftSet(set), ...newNftElements(set, numberedUpTo(1))]);
          return newNftElements(set, [numbered(9)]);
        },
        4,
      );
    }).toThrow(expect.objectContaining({ code: 'ERESTART' }));
    expect(() => {
      updateNftables(connection, () => {
        plans.push('wrong');
        return delNftElements(set, [numbered(77)]);
      });
    }).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(plans).toEqual(['late', 'late', 'late', 'late', 'wrong']);
  });
});

test('a monitor hears sets, elements and objects, and who changed them', async () => {
  const stop = new AbortController();
  const monitor = createNftMonitor(
    () => netns.within(() => openEventTransport([NFNLGRP.NFTABLES], NETLINK_NETFILTER)),
    { signal: stop.signal },
  );
  const events: NftEvent[] = [];
  const loop = (async () => {
    for await (const event of monitor) if (event.type !== 'resync') events.push(event);
  })();
  change(table, hashSet);
  change(newNftElements(set, numberedUpTo(3)));
  change(delNftElements(set, [numbered(1)]));
  change(flushNftSet(set));
  nft('add counter inet t n\nadd element inet t s { 10.0.0.9 }');
  change(delNftSet(set));
  await waitFor('six transactions', () => events.filter(({ type }) => type === 'generation').length === 6);
  stop.abort();
  await loop;

  const told = events.map((event) => ('action' in event ? `${event.action} ${event.type}` : event.type));
  const keys = (action: string): string[][] =>
    events.flatMap((event) =>
      event.type === 'elements' && event.action === action ? [keysOf(event.elements.elements ?? [])] : [],
    );
  expect(new Set(told)).toEqual(
    new Set(['new table', 'new set', 'generation', 'new elements', 'del elements', 'new object', 'del set']),
  );
  expect(keys('new').flat()).toEqual(['0a000000', '0a000001', '0a000002', '0a000009']);
  expect(keys('del').flat().slice(0, 1)).toEqual(['0a000001']);
  expect(events.find(({ type }) => type === 'elements')).toMatchObject({ elements: { table: 't', set: 's' } });
  expect(events.find(({ type }) => type === 'object')).toMatchObject({ object: { name: 'n', objectType: 1 } });
  const generations = events.flatMap((event) => (event.type === 'generation' ? [event] : []));
  expect(generations.map(({ generation }) => generation.processName === 'nft')).toEqual([
    ...[false, false, false, false, true, false],
  ]);
  expect(new Set(generations.map(({ generation }) => generation.processId)).size).toBe(2);
});
