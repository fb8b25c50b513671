import { readSync, writeSync } from 'node:fs';
import { createTestNetns } from '@canal/testing';
import { expect, test } from 'vitest';
import { openTun } from './tun.ts';

test('a tun device is made in the namespace and carries packets both ways', () => {
  using netns = createTestNetns('tun');
  using tun = openTun({ name: 'tun%d', netns: netns.path });
  expect(tun.name).toBe('tun0');
  expect(netns.json(['ip', '-j', '-d', 'link', 'show', 'tun0'])).toMatchObject([
    { linkinfo: { info_kind: 'tun', info_data: { type: 'tun', pi: false, vnet_hdr: false, persist: false } } },
  ]);
  netns.run(['sysctl', '-qw', 'net.ipv6.conf.tun0.disable_ipv6=1']);
  netns.run(['ip', 'addr', 'add', '10.0.0.1/24', 'dev', 'tun0']);
  netns.run(['ip', 'link', 'set', 'tun0', 'up']);
  const ping = netns.within(() => Bun.spawn(['ping', '-c1', '-W5', '10.0.0.2'], { stdout: 'pipe' }));
  const packet = readPacket(tun.fd);
  expect([packet[0], packet[9], [...packet.subarray(16, 20)]]).toEqual([0x45, 1, [10, 0, 0, 2]]);
  writeSync(tun.fd, echoReplyTo(packet));
  return ping.exited.then((code) => expect(code).toBe(0));
});

test('modes and offload headers are as asked for; a persistent device outlives its descriptor', () => {
  using netns = createTestNetns('tap');
  {
    using _tap = openTun({ name: 'tap0', mode: 'tap', vnetHeader: true, persist: true, netns: netns.path });
  }
  expect(netns.json(['ip', '-j', '-d', 'link', 'show', 'tap0'])).toMatchObject([
    { linkinfo: { info_data: { type: 'tap', vnet_hdr: true, persist: true } } },
  ]);
});

test('a name that is too long or taken is refused', () => {
  using netns = createTestNetns('tun');
  expect(() => openTun({ name: 'a-name-beyond-fifteen' })).toThrow('more than 15 bytes');
  using _first = openTun({ name: 'tun7', netns: netns.path });
  expect(() => openTun({ name: 'tun7', netns: netns.path })).toThrow(expect.objectContaining({ code: 'EBUSY' }));
});

function readPacket(fd: number): Uint8Array {
  const buffer = new Uint8Array(2048);
  for (const end = performance.now() + 5000; performance.now() < end;) {
    try {
      return buffer.subarray(0, readSync(fd, buffer));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Bun.sleepSync(1);
    }
  }
  throw new Error('no packet within 5 s');
}

/** Source and destination change places, the type becomes "reply"; both checksums stay right or are put right. */
function echoReplyTo(request: Uint8Array): Uint8Array {
  const reply = request.slice();
  reply.set(request.subarray(12, 16), 16);
  reply.set(request.subarray(16, 20), 12);
  reply[20] = 0;
  const view = new DataView(reply.buffer);
  // One word went down by 0x0800, so the one's complement sum goes up by as much (RFC 1624).
  const sum = view.getUint16(22) + 0x0800;
  view.setUint16(22, sum > 0xffff ? (sum & 0xffff) + 1 : sum);
  return reply;
}
