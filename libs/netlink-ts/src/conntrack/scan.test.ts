import fc from 'fast-check';
import type { Ip, Ipv4, Ipv6 } from 'net-types';
import { describe, expect, test } from 'vitest';
import { capturedMessages } from '../testing/captured.ts';
import { encodeReply } from '../testing/fake-peer.ts';
import { DecodeError } from '../wire/decode-error.ts';
import type { MessageFrame } from '../wire/message.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { conntrackCodec, type ConntrackInput } from './message.ts';
import { setConntrackMark } from './requests.ts';
import { ConntrackScan, type TupleScan } from './scan.ts';
import { type ConntrackTuple, tupleDestination, tupleSource } from './tuple.ts';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const v4 = u32.map((bits) => bits as Ipv4);
const v6 = fc.bigInt(0n, (1n << 128n) - 1n).map((bits) => bits as Ipv6);
const protocol = fc.record(
  { number: u8, sourcePort: u16, destinationPort: u16, icmpId: u16, icmpType: u8, icmpv6Code: u8 },
  { requiredKeys: [] },
);
const addresses = fc.oneof(
  fc.record({ v4Source: v4, v4Destination: v4 }, { requiredKeys: [] }),
  fc.record({ v6Source: v6, v6Destination: v6 }, { requiredKeys: [] }),
);
const tuple = fc.record({ ip: addresses, protocol, zone: u16 }, { requiredKeys: [] });
const unknown = fc.array(
  fc.record({ type: fc.integer({ min: 200, max: 0x3fff }), bytes: fc.uint8Array({ maxLength: 9 }) }),
);
const entries: fc.Arbitrary<ConntrackInput> = fc.record(
  { family: u8, original: tuple, reply: tuple, mark: u32, zone: u16, status: u32, timeout: u32, id: u32, unknown },
  { requiredKeys: [] },
);

function frameOf(input: ConntrackInput): MessageFrame {
  const datagram = encodeReply({ type: 0x0100 }, (writer) => conntrackCodec.encode(writer, input));
  const [frame] = capturedMessages(datagram.toHex());
  if (frame === undefined) throw new Error('no message');
  return frame;
}

const said = ({ source, destination, protocol: number, sourcePort, zone }: TupleScan) => ({
  source,
  destination,
  number,
  sourcePort,
  zone,
});

const expected = (input: ConntrackTuple = {}): Record<string, Ip | number | undefined> => ({
  source: tupleSource(input),
  destination: tupleDestination(input),
  number: input.protocol?.number,
  sourcePort: input.protocol?.sourcePort,
  zone: input.zone ?? 0,
});

describe('a scan', () => {
  test('says what the codec says, one entry after another', () => {
    const scan = new ConntrackScan();
    fc.assert(
      fc.property(entries, (input) => {
        scan.read(frameOf(input));
        expect(said(scan.original)).toEqual(expected(input.original));
        expect(said(scan.reply)).toEqual(expected(input.reply));
        expect([scan.family, scan.mark, scan.zone]).toEqual([input.family ?? 0, input.mark ?? 0, input.zone ?? 0]);
      }),
      { numRuns: 500 },
    );
  });

  test('names the entry in requests as its tuple does', () => {
    const scan = new ConntrackScan();
    fc.assert(
      fc.property(tuple, fc.constantFrom(2, 10), (original, family) => {
        const frame = frameOf({ family, original, mark: 7 });
        scan.read(frame);
        const key = scan.key();
        frame.source.bytes.fill(0);
        const writer = new WireWriter();
        setConntrackMark(key, 4, 6).writeBody(writer);
        expect(conntrackCodec.decode(new WireSource(writer.written), 0, writer.length)).toEqual({
          family,
          version: 0,
          resourceId: 0,
          original,
          mark: 4,
          markMask: 6,
        });
      }),
    );
  });

  test('of broken bytes is a DecodeError or another entry', () => {
    const scan = new ConntrackScan();
    fc.assert(
      fc.property(entries, fc.nat(), fc.nat(), u8, (input, cut, at, byte) => {
        const { source, payloadStart, payloadEnd } = frameOf(input);
        const payload = source.copy(payloadStart, payloadEnd).slice(0, cut % (payloadEnd - payloadStart + 1));
        if (payload.length > 0) payload[at % payload.length] = byte;
        const frame = { type: 0x0100, flags: 0, sequence: 0, portId: 0, source: new WireSource(payload) };
        try {
          scan.read({ ...frame, payloadStart: 0, payloadEnd: payload.length });
          scan.key();
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
