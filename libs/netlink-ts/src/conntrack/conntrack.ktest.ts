/** Flows of a real kernel: what packets make we list, what we make /proc lists, what we mark nft sees. */
import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { type Ip, parseIp, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openEventTransport, openTransport } from '../../examples/bun-transport.ts';
import { createNetlinkConnection, type NetlinkConnection } from '../connection/connection.ts';
import { dumpByDatagram } from '../connection/dump-by-datagram.ts';
import { NFNLGRP } from '../nfnetlink/header.ts';
import { IPS, TCP_CONNTRACK } from './constants.ts';
import { type ConntrackEvent, createConntrackMonitor } from './events.ts';
import type { ConntrackInput } from './message.ts';
import {
  conntrackQuery,
  delConntrack,
  findConntrack,
  listConntrack,
  newConntrack,
  setConntrackMark,
} from './requests.ts';
import { conntrackTuple, tupleDestination, tupleSource } from './tuple.ts';

const NETLINK_NETFILTER = 12;
const TCP = 6;
const UDP = 17;
const ip = (text: string): Ip => unwrap(parseIp(text));

let netns: TestNetns;
let connection: NetlinkConnection;

beforeEach(() => {
  netns = createTestNetns('conntrack');
  connection = createNetlinkConnection(() => netns.within(() => openTransport(NETLINK_NETFILTER)));
});

afterEach(() => {
  connection[Symbol.dispose]();
  netns[Symbol.dispose]();
});

/** Entries as the kernel prints them for people. */
const printed = (): string[] => netns.run(['cat', '/proc/net/nf_conntrack']).split('\n').filter(Boolean);

const original = (port: number) =>
  conntrackTuple(ip('10.0.0.1'), ip('10.0.0.2'), { number: UDP, sourcePort: port, destinationPort: 53 });

function udp(port: number, others: ConntrackInput = {}): ConntrackInput {
  return {
    family: 2,
    original: original(port),
    reply: conntrackTuple(ip('10.0.0.9'), ip('10.0.0.1'), { number: UDP, sourcePort: 5353, destinationPort: port }),
    status: IPS.CONFIRMED | IPS.SEEN_REPLY,
    timeout: 300,
    ...others,
  };
}

const udp6: ConntrackInput = {
  ...udp(1),
  family: 10,
  original: conntrackTuple(ip('fd00::1'), ip('fd00::2'), { number: UDP, sourcePort: 1, destinationPort: 53 }),
  reply: conntrackTuple(ip('fd00::2'), ip('fd00::1'), { number: UDP, sourcePort: 53, destinationPort: 1 }),
};

test('what we make the kernel prints, and what it prints we list', () => {
  connection.execute(newConntrack(udp(1000, { mark: 7 })));
  connection.execute(newConntrack(udp(1001, { zone: 5 })));
  connection.execute(newConntrack(udp6));
  const lines = printed();
  expect(lines).toHaveLength(3);
  const [line = ''] = lines.filter((text) => text.includes('sport=1000'));
  expect(line).toContain(
    'src=10.0.0.1 dst=10.0.0.2 sport=1000 dport=53 src=10.0.0.9 dst=10.0.0.1 sport=5353 dport=1000',
  );
  expect(line).toContain('mark=7');
  const entry = findConntrack(connection, { tuple: original(1000) });
  expect(entry).toMatchObject({ ...udp(1000, { mark: 7 }), timeout: expect.closeTo(300, -1) as number });
  expect(entry?.zone).toBeUndefined();
  expect(listConntrack(connection)).toHaveLength(3);
  expect(findConntrack(connection, { tuple: original(1001) })).toBeUndefined();
  expect(findConntrack(connection, { tuple: original(1001), zone: 5 })).toMatchObject({ zone: 5 });
  const answer = { ...udp(1000).reply };
  expect(findConntrack(connection, { tuple: answer })?.id).toBe(entry?.id);
});

test('the kernel filters by family, mark, status and zone', () => {
  connection.batch([
    newConntrack(udp(1, { mark: 0x2000_0005 })),
    newConntrack(udp(2, { mark: 0x5, status: IPS.CONFIRMED | IPS.SEEN_REPLY | IPS.ASSURED })),
    newConntrack(udp(3, { mark: 0x2000_0000, zone: 5 })),
    newConntrack(udp6),
  ]);
  const ports = (filter: Parameters<typeof listConntrack>[1]) =>
    listConntrack(connection, filter)
      .map(({ family, original: tuple }) => `${family}/${tuple?.protocol?.sourcePort}`)
      .sort();
  expect(ports({})).toEqual(['10/1', '2/1', '2/2', '2/3']);
  expect(ports({ family: 6 })).toEqual(['10/1']);
  expect(ports({ family: 4 })).toEqual(['2/1', '2/2', '2/3']);
  expect(ports({ mark: 0x2000_0000, markMask: 0x2000_0000 })).toEqual(['2/1', '2/3']);
  expect(ports({ mark: 0x5 })).toEqual(['2/2']);
  expect(ports({ status: IPS.ASSURED, statusMask: IPS.ASSURED })).toEqual(['2/2']);
  expect(ports({ zone: 5 })).toEqual(['2/3']);
  expect(ports({ zone: 0, family: 4 })).toEqual(['2/1', '2/2']);
});

test('the mark is set under its mask: the kernel keeps the other bits', () => {
  connection.execute(newConntrack(udp(1, { mark: 0x4005 })));
  const mark = (): number | undefined => findConntrack(connection, { tuple: original(1) })?.mark;
  connection.execute(setConntrackMark({ tuple: original(1) }, 0x2000_0000, 0x2000_0000));
  expect(mark()).toBe(0x2000_4005);
  expect(printed()[0]).toContain('mark=536887301 ');
  connection.execute(setConntrackMark({ tuple: original(1) }, 0x2000_0000, 0x2000_0000));
  expect(mark()).toBe(0x2000_4005);
  connection.execute(setConntrackMark({ tuple: original(1) }, 0x0a, 0x0f));
  expect(mark()).toBe(0x2000_400a);
  connection.execute(setConntrackMark({ tuple: original(1) }, 0, 0x2000_0000));
  expect(mark()).toBe(0x400a);
});

test('what is not there is ENOENT, what is there already is EEXIST', () => {
  const code = (name: string) => expect.objectContaining({ name: 'NetlinkError', code: name }) as Error;
  expect(() => connection.execute(setConntrackMark({ tuple: original(1) }, 1, 1))).toThrow(code('ENOENT'));
  expect(() => connection.execute(delConntrack({ tuple: original(1) }))).toThrow(code('ENOENT'));
  connection.execute(newConntrack(udp(1)));
  expect(() => connection.execute(newConntrack(udp(1)))).toThrow(code('EEXIST'));
  const id = findConntrack(connection, { tuple: original(1) })?.id ?? 0;
  expect(() => connection.execute(delConntrack({ tuple: original(1), id: id ^ 1 }))).toThrow(code('ENOENT'));
  expect(printed()).toHaveLength(1);
  connection.execute(delConntrack({ tuple: original(1), id }));
  expect(printed()).toEqual([]);
});

test('a table of many datagrams, whole or in steps', () => {
  const count = 5000;
  const errors = connection.batch(Array.from({ length: count }, (_, port) => newConntrack(udp(port + 1))));
  expect(errors.filter((error) => error !== undefined)).toEqual([]);
  expect(listConntrack(connection)).toHaveLength(count);
  const query = conntrackQuery();
  const ports = new Set<number | undefined>();
  let steps = 0;
  using transport = netns.within(() => openTransport(NETLINK_NETFILTER));
  for (const _ of dumpByDatagram(transport, query, (frame) =>
    ports.add(query.decode(frame)?.original?.protocol?.sourcePort),
  ))
    steps++;
  expect(ports.size).toBe(count);
  expect(steps).toBeGreaterThan(10);
});

describe('flows of packets', () => {
  test('a TCP connection: events, state, and the end', async () => {
    using server = createTestNetns('server');
    connectNetns(
      { netns, name: 'eth0', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
      { netns: server, name: 'eth0', addresses: ['10.0.0.2/24', 'fd00::2/64'] },
    );
    // Conntrack works where somebody's rules ask for it.
    netns.run([
      'nft',
      'add table inet t; add chain inet t c { type filter hook output priority 0; }; add rule inet t c ct state new counter',
    ]);
    const abort = new AbortController();
    const groups = [NFNLGRP.CONNTRACK_NEW, NFNLGRP.CONNTRACK_UPDATE, NFNLGRP.CONNTRACK_DESTROY];
    const monitor = createConntrackMonitor(() => netns.within(() => openEventTransport(groups, NETLINK_NETFILTER)), {
      signal: abort.signal,
    });
    const events: ConntrackEvent[] = [];
    const done = (async () => {
      for await (const event of monitor) if (event.type === 'conntrack') events.push(event);
    })();
    const listener = server.within(() => Bun.listen({ hostname: '::', port: 80, socket: { data: () => undefined } }));
    const client = netns.within(() =>
      Bun.spawn(
        [
          'python3',
          '-c',
          "import socket,sys; s=socket.create_connection(('fd00::2', 80), source_address=('fd00::1', 4000)); print('up', flush=True); sys.stdin.read()",
        ],
        { stdin: 'pipe', stdout: 'pipe' },
      ),
    );
    try {
      await client.stdout.getReader().read();
      const [entry, ...others] = listConntrack(connection, { family: 6 }).filter(
        ({ original: tuple }) => tuple?.protocol?.number === TCP,
      );
      expect(others).toEqual([]);
      expect(entry).toMatchObject({
        protocolInfo: { tcp: { state: TCP_CONNTRACK.ESTABLISHED } },
        original: { protocol: { sourcePort: 4000, destinationPort: 80 } },
        reply: { protocol: { sourcePort: 80, destinationPort: 4000 } },
      });
      expect(entry?.original && tupleSource(entry.original)).toBe(ip('fd00::1'));
      expect(entry?.original && tupleDestination(entry.original)).toBe(ip('fd00::2'));
      expect((entry?.status ?? 0) & (IPS.SEEN_REPLY | IPS.ASSURED)).toBe(IPS.SEEN_REPLY | IPS.ASSURED);
      connection.execute(delConntrack({ tuple: entry?.original ?? {} }));
      const ofTcp = (): string[] =>
        events.flatMap(({ action, conntrack }) => (conntrack.id === entry?.id ? [action] : []));
      await waitFor('the end', () => ofTcp().includes('destroy'));
      expect(ofTcp()[0]).toBe('new');
      expect(ofTcp().filter((action) => action === 'new')).toHaveLength(1);
      expect(ofTcp().slice(1, -1)).toContain('update');
    } finally {
      client.kill();
      await client.exited;
      listener.stop(true);
      abort.abort();
      await done;
    }
  });

  test('a rule of nft sees the mark that we set, and its packets are dropped', () => {
    netns.run(['nft', '-f', '-'], {
      stdin: `table inet t { chain c { type filter hook output priority 0; policy accept
        ct mark & 0x20000000 != 0 counter drop
        ct state new counter
      }
    }\n`,
    });
    const counters = (): number[] =>
      [...netns.run(['nft', 'list', 'ruleset']).matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count));
    const send = (): number =>
      netns.exec([
        'python3',
        '-c',
        "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 4000)); s.sendto(b'.', ('127.0.0.1', 9))",
      ]).exitCode;
    expect(send()).toBe(0);
    expect(counters()).toEqual([0, 1]);
    const tuple = conntrackTuple(ip('127.0.0.1'), ip('127.0.0.1'), {
      number: UDP,
      sourcePort: 4000,
      destinationPort: 9,
    });
    connection.execute(setConntrackMark({ tuple }, 0x2000_0000, 0x2000_0000));
    expect(send()).not.toBe(0);
    expect(counters()).toEqual([1, 1]);
  });
});
