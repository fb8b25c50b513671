/** What happens to the table of flows while flows are judged: entries go, others take their place, packets are in flight. */
import type * as linuxFfi from '@canal/linux-ffi';
import { NETLINK_NETFILTER, openNetlinkConnection } from '@canal/linux-ffi';
import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import type { RulePacket } from '@canal/rules-ast';
import { type Ip, parseIp, unwrap } from 'net-types';
import {
  appendNftRule,
  changeNftables,
  conntrackTuple,
  delConntrack,
  IPS,
  listConntrack,
  type NetlinkConnection,
  newConntrack,
  NFPROTO,
  NFT_VERDICT,
  setConntrackMark,
  verdict,
} from 'netlink-ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CUT_MARK } from './cut-mark.ts';
import { judgeFlows } from './flows.ts';

const barrier = vi.hoisted(() => ({ there: true, meanwhile: (): void => undefined }));
vi.mock('@canal/linux-ffi', async (original) => {
  const real = await original<typeof linuxFfi>();
  const awaitPacketsInFlight = (): boolean => {
    barrier.meanwhile();
    return !barrier.there || real.awaitPacketsInFlight();
  };
  return { ...real, awaitPacketsInFlight };
});

const ip = (text: string): Ip => unwrap(parseIp(text));
const UDP = 17;
const CLIENT = ip('10.9.1.2');
const SERVER = ip('10.9.2.2');
const BACKEND = ip('10.9.3.2');

let netns: TestNetns;
let connection: NetlinkConnection;

beforeEach(() => {
  Object.assign(barrier, { there: true, meanwhile: () => undefined });
  netns = createTestNetns('races');
  connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER, netns: netns.path });
});

afterEach(() => {
  connection[Symbol.dispose]();
  netns[Symbol.dispose]();
});

interface Entry {
  readonly port: number;
  /** What DNAT made of the server. */
  readonly backend?: Ip;
  readonly mark?: number;
  readonly zone?: number;
}

const originalOf = ({ port }: Entry) =>
  conntrackTuple(CLIENT, SERVER, { number: UDP, sourcePort: port, destinationPort: 53 });

function add(...entries: Entry[]): void {
  const requests = entries.map((entry) => {
    const { port, backend = SERVER, mark = 0, zone = 0 } = entry;
    const reply = conntrackTuple(backend, CLIENT, { number: UDP, sourcePort: 53, destinationPort: port });
    const status = IPS.SEEN_REPLY | IPS.CONFIRMED;
    return newConntrack({ family: 2, original: originalOf(entry), reply, timeout: 600, status, mark, zone });
  });
  expect(connection.batch(requests).filter((error) => error !== undefined)).toEqual([]);
}

/** Mark by client port and zone, as the kernel prints it for people. */
function printedMarks(): Record<string, number> {
  const lines = netns.run(['cat', '/proc/net/nf_conntrack']).trim().split('\n');
  const found = lines.flatMap((line) => {
    const match = /sport=(\d+) .*mark=(\d+) (?:.*)zone=(\d+)/.exec(line);
    return match === null ? [] : [[`${match[1]}/${match[3]}`, Number(match[2])] as const];
  });
  return Object.fromEntries(found);
}

const judge = (allowed: (packet: RulePacket) => boolean, addresses = [CLIENT]) =>
  judgeFlows({ netns: netns.path }, new Set(addresses), allowed);

test('packets in flight are waited for before rules that were tightened are judged by, and before nothing else', async () => {
  let waits = 0;
  barrier.meanwhile = () => waits++;
  add({ port: 1 });
  expect(await judgeFlows({ netns: netns.path, tightened: false }, new Set([CLIENT]), () => true)).toMatchObject({
    seen: 1,
  });
  expect(waits).toBe(0);
  expect(await judge(() => true)).toMatchObject({ seen: 1 });
  expect(waits).toBe(1);
});

test('only the bit of cut flows changes, to and fro', async () => {
  add({ port: 1, mark: 0x4005 }, { port: 2, mark: 0xdfff_ffff }, { port: 3 });
  expect(await judge(() => false)).toEqual({ seen: 3, cut: 3, mended: 0 });
  expect(printedMarks()).toEqual({ '1/0': 0x4005 + CUT_MARK, '2/0': 0xffff_ffff, '3/0': CUT_MARK });
  expect(await judge(() => true)).toEqual({ seen: 3, cut: 0, mended: 3 });
  expect(printedMarks()).toEqual({ '1/0': 0x4005, '2/0': 0xdfff_ffff, '3/0': 0 });
});

test('entries of other zones are left alone, also those of the same tuples', async () => {
  add({ port: 1 }, { port: 1, zone: 5 }, { port: 2, zone: 7 });
  expect(await judge(() => false)).toEqual({ seen: 1, cut: 1, mended: 0 });
  expect(printedMarks()).toEqual({ '1/0': CUT_MARK, '1/5': 0, '2/7': 0 });
});

test('flows without one of the addresses are not asked about', async () => {
  add({ port: 1 }, { port: 2, backend: BACKEND });
  expect(await judge(() => false, [BACKEND])).toEqual({ seen: 1, cut: 1, mended: 0 });
  expect(printedMarks()).toEqual({ '1/0': 0, '2/0': CUT_MARK });
  expect(await judge(() => false, [])).toEqual({ seen: 0, cut: 0, mended: 0 });
  expect(await judge(() => false, [ip('fd09::1')])).toEqual({ seen: 0, cut: 0, mended: 0 });
});

test('entries that go meanwhile are no error and are not counted', async () => {
  add({ port: 1 }, { port: 2 }, { port: 3 });
  const gone = new Set([1, 3]);
  const judgement = await judge(() => {
    for (const port of gone) connection.execute(delConntrack({ tuple: originalOf({ port }) }));
    gone.clear();
    return false;
  });
  expect(judgement).toEqual({ seen: 3, cut: 1, mended: 0 });
  expect(printedMarks()).toEqual({ '2/0': CUT_MARK });
});

test('an entry that takes the place of a denied one meanwhile is not cut for it', async () => {
  add({ port: 1 });
  const asked: Ip[] = [];
  const judgement = await judge(({ destination }) => {
    asked.push(destination);
    if (asked.length === 1) {
      connection.execute(delConntrack({ tuple: originalOf({ port: 1 }) }));
      add({ port: 1, backend: BACKEND });
    }
    return destination === BACKEND;
  });
  // Asked again because it had got the mark.
  expect(asked).toEqual([SERVER, BACKEND]);
  expect(judgement).toEqual({ seen: 1, cut: 0, mended: 0 });
  expect(printedMarks()).toEqual({ '1/0': 0 });
});

test('a mark that a packet which was past our rule has overwritten is written again', async () => {
  add({ port: 1, mark: 0x4005 }, { port: 2 });
  // As CONNMARK --set-mark 1 does it, without a mask.
  barrier.meanwhile = () => {
    for (const port of [1, 2]) connection.execute(setConntrackMark({ tuple: originalOf({ port }) }, 1, 0xffff_ffff));
  };
  expect(await judge(() => false)).toEqual({ seen: 2, cut: 2, mended: 0 });
  expect(printedMarks()).toEqual({ '1/0': 1 + CUT_MARK, '2/0': 1 + CUT_MARK });
});

test("a failure of the rules is the caller's, and leaves no descriptor open", async () => {
  add({ port: 1 });
  await expect(
    judge(() => {
      throw new Error('no such set');
    }),
  ).rejects.toThrow('no such set');
  expect(await judge(() => true)).toEqual({ seen: 1, cut: 0, mended: 0 });
});

describe('packets in flight while the rules change', () => {
  /** Tenths of a second of rules between the verdict and the end of the hook: one packet is on its way there at any time. */
  const SLOW = `
    table inet flows {
      chain s4 { ${'ip saddr 192.0.2.1 counter; '.repeat(20)} }
      chain s3 { ${'jump s4; '.repeat(20)} }
      chain s2 { ${'jump s3; '.repeat(20)} }
      chain decide { }
      chain judge { type filter hook input priority 50; ct state established accept; jump decide; }
      chain slow { type filter hook input priority 60; ${'jump s2; '.repeat(1500)} }
    }`;
  const SERVER_PORT = 53;

  /** Opens flows one after another in another process, changes the rules in between; flows of old rules that nobody cut. */
  async function missed(): Promise<number> {
    using client = createTestNetns('client');
    connectNetns(
      { netns: client, name: 'eth0', addresses: ['10.9.2.1/24'] },
      { netns, name: 'to-client', addresses: ['10.9.2.2/24'] },
    );
    netns.run(['nft', '-f', '-'], { stdin: `table inet flows; delete table inet flows; ${SLOW}` });
    netns.run(['conntrack', '-F']);
    const script = `
import socket, sys
sys.stdout.write('go\\n'); sys.stdout.flush()
for port in range(2000, 60000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.9.2.1', port))
    try: s.sendto(b'.', ('10.9.2.2', ${SERVER_PORT}))
    except OSError: pass
    s.close()
`;
    const child = client.within(() => Bun.spawn(['python3', '-c', script], { stdout: 'pipe' }));
    try {
      await child.stdout.getReader().read();
      await waitFor('the first flow', () => listConntrack(connection).length > 0);
      changeNftables(connection, [
        appendNftRule({
          family: NFPROTO.INET,
          table: 'flows',
          chain: 'decide',
          expressions: [verdict(NFT_VERDICT.DROP)],
        }),
      ]);
      const { seen, cut } = await judge(() => false, [SERVER]);
      expect(cut).toBe(seen);
      expect(cut).toBeGreaterThan(0);
    } finally {
      child.kill();
      await child.exited;
      netns.run(['ip', 'link', 'del', 'to-client']);
    }
    return listConntrack(connection).filter(({ mark = 0 }) => (mark & CUT_MARK) === 0).length;
  }

  test('none of them opens a flow that stays', async () => {
    for (let round = 0; round < 3; round++) expect(await missed()).toBe(0);
  }, 30_000);

  test('the counter-proof: without the barrier', async () => {
    barrier.there = false;
    let count = 0;
    for (let round = 0; round < 10 && count === 0; round++) count += await missed();
    expect(count).toBeGreaterThan(0);
  }, 60_000);
});
