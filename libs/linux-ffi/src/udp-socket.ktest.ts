import { connectNetns, createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { openUdpSocket, udpTarget } from './udp-socket.ts';

const ip = (text: string) => unwrap(parseIp(text));

function connectedPair(from: string, to: string): { left: TestNetns; right: TestNetns } {
  const left = createTestNetns('left');
  const right = createTestNetns('right');
  const bits = from.includes(':') ? 112 : 24;
  connectNetns(
    { netns: left, name: 'a', addresses: [`${from}/${bits}`] },
    { netns: right, name: 'b', addresses: [`${to}/${bits}`] },
  );
  return { left, right };
}

test.each([['10.0.0.1', '10.0.0.2'] as const, ['fd00::1', 'fd00::2'] as const])(
  'a datagram goes from one namespace to the other (%s)',
  async (from, to) => {
    const pair = connectedPair(from, to);
    using left = pair.left;
    using right = pair.right;
    using sender = openUdpSocket({ ip: ip(from), port: 0, netns: left.path });
    using receiver = openUdpSocket({ ip: ip(to), port: 7000, netns: right.path });
    const buffer = new Uint8Array(16);
    expect(receiver.receive(buffer)).toBeUndefined();
    expect(sender.send(Uint8Array.of(1, 2, 3), udpTarget(ip(to), 7000))).toBeUndefined();
    expect(await waitFor('the datagram', () => receiver.receive(buffer))).toBe(3);
    expect([...buffer.subarray(0, 3)]).toEqual([1, 2, 3]);
    expect(receiver.dropped()).toBe(0);
  },
);

test('a send without a route is a result, by name', () => {
  using netns = createTestNetns('alone');
  using socket = openUdpSocket({ ip: ip('0.0.0.0'), port: 0, netns: netns.path });
  expect(socket.send(new Uint8Array(8), udpTarget(ip('192.0.2.1'), 7000))).toBe('ENETUNREACH');
});

test('what a full buffer dropped is counted; a large buffer holds it', async () => {
  using netns = createTestNetns('full');
  const target = ip('127.0.0.1');
  using small = openUdpSocket({ ip: target, port: 7001, netns: netns.path, receiveBufferBytes: 4096 });
  using large = openUdpSocket({ ip: target, port: 7002, netns: netns.path, receiveBufferBytes: 16 * 1024 * 1024 });
  using sender = openUdpSocket({ ip: target, port: 0, netns: netns.path });
  for (let sent = 0; sent < 2000; sent++) {
    sender.send(new Uint8Array(64), udpTarget(target, 7001));
    sender.send(new Uint8Array(64), udpTarget(target, 7002));
  }
  const count = (socket: typeof small): number => {
    let received = 0;
    while (socket.receive(new Uint8Array(64)) !== undefined) received++;
    return received;
  };
  // A busy kernel may bring them to the sockets a moment later.
  let [ofSmall, ofLarge] = [0, 0];
  await waitFor('what the large one holds', () => (ofLarge += count(large)) === 2000);
  await waitFor('the count of drops', () => (ofSmall += count(small)) + small.dropped() === 2000);
  expect(ofSmall).toBeLessThan(2000);
  expect(large.dropped()).toBe(0);
});

test('a port that is taken is refused', () => {
  using netns = createTestNetns('taken');
  using _first = openUdpSocket({ ip: ip('127.0.0.1'), port: 7003, netns: netns.path });
  expect(() => openUdpSocket({ ip: ip('127.0.0.1'), port: 7003, netns: netns.path })).toThrow('EADDRINUSE');
});

test.each([['10.0.0.1', '10.0.0.2', 1400 - 28] as const, ['fd00::1', 'fd00::2', 1400 - 48] as const])(
  'no fragments: what fills the MTU arrives, a byte more is refused (%s)',
  async (from, to, fits) => {
    using left = createTestNetns('left');
    using right = createTestNetns('right');
    const bits = from.includes(':') ? 112 : 24;
    connectNetns(
      { netns: left, name: 'a', addresses: [`${from}/${bits}`] },
      { netns: right, name: 'b', addresses: [`${to}/${bits}`] },
      { mtu: 1400 },
    );
    using whole = openUdpSocket({ ip: ip(from), port: 0, netns: left.path, dontFragment: true });
    using usual = openUdpSocket({ ip: ip(from), port: 0, netns: left.path });
    using receiver = openUdpSocket({ ip: ip(to), port: 7004, netns: right.path });
    const buffer = new Uint8Array(2000);
    const target = udpTarget(ip(to), 7004);
    expect(whole.send(new Uint8Array(fits), target)).toBeUndefined();
    expect(await waitFor('the datagram', () => receiver.receive(buffer))).toBe(fits);
    expect(whole.send(new Uint8Array(fits + 1), target)).toBe('EMSGSIZE');
    expect(usual.send(new Uint8Array(fits + 1), target)).toBeUndefined();
    expect(await waitFor('its fragments', () => receiver.receive(buffer))).toBe(fits + 1);
  },
);
