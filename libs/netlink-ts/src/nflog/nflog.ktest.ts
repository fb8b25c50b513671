/** Packets that rules of nft tell of, through a real kernel: each one, its bytes, and those lost for want of room. */
import { createTestNetns, type TestNetns } from '@canal/testing';
import { type Ip, parseIp, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openEventTransport } from '../../examples/bun-transport.ts';
import { createNflogMonitor, type NflogEvent, type NflogMonitorOptions } from './monitor.ts';
import { parsePacketHeader } from './packet-header.ts';

const NETLINK_NETFILTER = 12;
const GROUP = 7;
const ip = (text: string): Ip => unwrap(parseIp(text));

let netns: TestNetns;

beforeEach(() => {
  netns = createTestNetns('nflog');
  netns.run(['nft', '-f', '-'], {
    stdin: `table inet t { chain c { type filter hook output priority 0; policy accept
      udp dport 9 counter log prefix "told" group ${GROUP} snaplen 32
    }
  }\n`,
  });
});

afterEach(() => netns[Symbol.dispose]());

const listen = (options: Partial<NflogMonitorOptions> = {}) =>
  createNflogMonitor(() => netns.within(() => openEventTransport([], NETLINK_NETFILTER)), {
    group: GROUP,
    copyBytes: 64,
    timeoutCentiseconds: 1,
    ...options,
  });

const counted = (): number => Number(/counter packets (\d+)/.exec(netns.run(['nft', 'list', 'ruleset']))?.[1]);

const send = (count: number): void =>
  void netns.run([
    'python3',
    '-c',
    `import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('::1', 4000))
for _ in range(${count}): s.sendto(b'hello, this is long', ('::1', 9))`,
  ]);

test('each packet once, numbered, with its bytes cut as the rule says', async () => {
  const monitor = listen();
  send(20);
  const seen: NflogEvent[] = [];
  for await (const event of monitor) {
    seen.push(event);
    if (seen.length === 20) break;
  }
  expect(seen.map(({ packet, lost }) => [packet.sequence, lost])).toEqual(seen.map((_, index) => [index, 0]));
  expect(counted()).toBe(20);
  const [first] = seen;
  expect(first?.packet).toMatchObject({ prefix: 'told', outIndex: 1, uid: 0, resourceId: GROUP, family: 10 });
  expect(first?.packet.payload).toHaveLength(32);
  // 32 bytes hold no IPv6 header.
  expect(parsePacketHeader(first?.packet.payload ?? new Uint8Array())).toBeUndefined();
});

test('without a limit in the rule ours counts, and the header is there', async () => {
  netns.run(['nft', 'flush chain inet t c; add rule inet t c udp dport 9 log group 7']);
  const monitor = listen({ copyBytes: 48 });
  send(1);
  for await (const { packet } of monitor) {
    expect(packet.payload).toHaveLength(48);
    expect(packet.prefix ?? '').toBe('');
    expect(parsePacketHeader(packet.payload ?? new Uint8Array(), packet.header?.etherType)).toEqual({
      source: ip('::1'),
      destination: ip('::1'),
      protocol: 17,
      sourcePort: 4000,
      destinationPort: 9,
    });
    break;
  }
});

test('the group has one listener; it is free when that one is gone', async () => {
  {
    using _first = listen();
    expect(netns.run(['cat', '/proc/net/netfilter/nfnetlink_log'])).toMatch(/^\s*7\s/);
    const second = listen()[Symbol.asyncIterator]();
    await expect(second.next()).rejects.toMatchObject({ name: 'NetlinkError', code: 'EPERM' });
  }
  expect(netns.run(['cat', '/proc/net/netfilter/nfnetlink_log']).trim()).toBe('');
});

test('a buffer that overflows loses packets; the group is bound anew, and that is told', async () => {
  const monitor = listen({ threshold: 1 });
  // Nobody reads while this runs: far more than the default buffer holds.
  send(5000);
  expect(counted()).toBe(5000);
  const sending = setInterval(() => send(1), 100);
  let lost = 0;
  for await (const event of monitor) {
    lost = event.lost;
    if (lost > 0) break;
  }
  clearInterval(sending);
  expect(lost).toBe(1);
});
