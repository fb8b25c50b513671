/** Bytes of tcpdump 4.99.3 (`strace tcpdump -i nflog:20`) and of Linux 6.18 with rules `log prefix … group 20 snaplen 64`. */
import { type Ip, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { capturedMessages } from '../testing/captured.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { bindNflogGroup, type NflogConfig, nflogConfigCodec, unbindNflogGroup } from './config.ts';
import { isNflogPacket, type NflogPacket, nflogPacketCodec } from './packet.ts';
import { ETHERTYPE, parsePacketHeader } from './packet-header.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));

function decodedRequest(hex: string): NflogConfig {
  const [frame] = capturedMessages(hex);
  if (frame === undefined) throw new Error('no message');
  return nflogConfigCodec.decode(frame.source, frame.payloadStart, frame.payloadEnd);
}

test('binding a group is what tcpdump says in two messages', () => {
  const bind = decodedRequest('1c000000 01040500 01000000 00000000 00000014 0500010001000000');
  const mode = decodedRequest('20000000 01040500 02000000 00000000 00000014 0a000200 000400000200 0000');
  const request = bindNflogGroup(20, { copyBytes: 262_144 });
  const writer = new WireWriter();
  request.writeBody(writer);
  expect(request.type).toBe(0x0401);
  expect(nflogConfigCodec.decode(new WireSource(writer.written), 0, writer.length)).toEqual({
    ...bind,
    ...mode,
    mode: { copyRange: 0x0004_0000, copyMode: 2 },
  });
});

test('unbinding names the group', () => {
  const writer = new WireWriter();
  unbindNflogGroup(20).writeBody(writer);
  expect(writer.written.toHex()).toBe('00000014' + '0500010002000000');
});

const PACKETS = `
  7400000000040000000000000000000002000014 08000100 08000300 0e000a00 63616e616c3a637574000000 0800050000000001
  08000b0000000000 08000e0000000000 08000c0000000000
  25000900 45000021b5b74000401187127f0000017f000001115c270f000dfe2068656c6c6f 000000
  b400000000040000000000000000000002000014 08000100 08000000 18000a00 63616e616c3a6567726573732d64656e69656400
  0800040000000001 10000800 000600000000000000000000 06000f0003040000 06001100000e0000
  12001000 0000000000000000000000000800 0000 14000300 000000006b01d3f20000000000057ec4 08000c0000000001
  25000900 45000021b5b74000401187127f0000017f000001115c270f000dfe2068656c6c6f 000000
  880000000004000000000000000000000a000014 08000100 86dd0300 0e000a00 63616e616c3a637574000000 0800050000000001
  08000b0000000000 08000e0000000000 08000c0000000002
  39000900 60019e8b000d11400000000000000000000000000000000100000000000000000000000000000001115d270f000d002068656c6c6f
  000000 14000000030000000000000000000000 00000014`;

test('a datagram of the kernel: packets of both families that go out and come in, and the end', () => {
  const frames = capturedMessages(PACKETS);
  expect(frames.map(isNflogPacket)).toEqual([true, true, true, false]);
  const packets: NflogPacket[] = frames
    .filter(isNflogPacket)
    .map(({ source, payloadStart, payloadEnd }) => nflogPacketCodec.decode(source, payloadStart, payloadEnd));
  expect(packets).toMatchObject([
    {
      family: 2,
      resourceId: 20,
      header: { etherType: ETHERTYPE.IPV4, hook: 3 },
      prefix: 'canal:cut',
      outIndex: 1,
      uid: 0,
      gid: 0,
      sequence: 0,
    },
    {
      family: 2,
      header: { etherType: ETHERTYPE.IPV4, hook: 0 },
      prefix: 'canal:egress-denied',
      inIndex: 1,
      hardwareType: 772,
      hardwareHeaderLength: 14,
      timestamp: { seconds: 1_795_281_906n, microseconds: 360_132n },
      sequence: 1,
    },
    { family: 10, header: { etherType: ETHERTYPE.IPV6, hook: 3 }, prefix: 'canal:cut', sequence: 2 },
  ]);
  expect(packets.every(({ unknown }) => unknown === undefined)).toBe(true);
  expect(
    packets.map(({ payload, header }) => parsePacketHeader(payload ?? new Uint8Array(), header?.etherType)),
  ).toEqual([
    { source: ip('127.0.0.1'), destination: ip('127.0.0.1'), protocol: 17, sourcePort: 4444, destinationPort: 9999 },
    { source: ip('127.0.0.1'), destination: ip('127.0.0.1'), protocol: 17, sourcePort: 4444, destinationPort: 9999 },
    { source: ip('::1'), destination: ip('::1'), protocol: 17, sourcePort: 4445, destinationPort: 9999 },
  ]);
});
