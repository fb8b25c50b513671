/** Bytes of conntrack-tools 1.4.7 and of Linux 6.18 (`strace -e read=3 -e write=3 conntrack …`). */
import { type Ip, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import type { NetlinkRequest } from '../connection/request.ts';
import { capturedMessages } from '../testing/captured.ts';
import { NLM_F } from '../wire/message.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { IPS, TCP_CONNTRACK } from './constants.ts';
import { decodeConntrackEvent } from './events.ts';
import { type Conntrack, conntrackCodec } from './message.ts';
import { conntrackQuery, newConntrack, setConntrackMark } from './requests.ts';
import { conntrackTuple, tupleDestination, tupleSource } from './tuple.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const TCP = 6;
const ICMPV6 = 58;

const decodeAll = (hex: string): Conntrack[] =>
  capturedMessages(hex).map(({ source, payloadStart, payloadEnd }) =>
    conntrackCodec.decode(source, payloadStart, payloadEnd),
  );

function written(request: Pick<NetlinkRequest, 'writeBody'>): Conntrack {
  const writer = new WireWriter();
  request.writeBody(writer);
  return conntrackCodec.decode(new WireSource(writer.written), 0, writer.length);
}

const original = conntrackTuple(ip('10.0.0.1'), ip('10.0.0.2'), {
  number: TCP,
  sourcePort: 1000,
  destinationPort: 80,
});
const reply = conntrackTuple(ip('10.1.0.9'), ip('10.0.0.1'), { number: TCP, sourcePort: 8080, destinationPort: 1000 });
const flags = { flags: 0x0a, mask: 0x0a };

/** The answer to `conntrack -L -f ipv4 -m 0x20000000/0x20000000`. */
const ENTRY = `
  f0000000 00012200 62cf016b 35020000 02000000 34000180 14000180 080001000a000001 080002000a000002 1c000280
  0500010006000000 0600020003e80000 0600030000500000 34000280 14000180 080001000a010009 080002000a000001 1c000280
  0500010006000000 060002001f900000 0600030003e80000 080003000000000e 0800080020000005 08000c008cb49708 08000b0000000001
  0800070000000257 30000480 2c000180 0500010003000000 0500020000000000 0500030000000000 060004000a000000 060005000a000000
  1c001880 0800010000000000 0800020000000000 0800030000000000`;

describe('what conntrack says', () => {
  test('-I of a flow to a Service', () => {
    const hex = `
      b4000000 00010506 62cf016b 00000000 02000000 34000180 14000180 080001000a000001 080002000a000002 1c000280
      0500010006000000 0600020003e80000 0600030000500000 34000280 14000180 080001000a010009 080002000a000001 1c000280
      0500010006100000 060002001f900000 0600030003e80000 080003000000000e 0800070000000258 0800080000000005
      20000480 1c000180 0500010003000000 060004000a0a0000 060005000a0a0000`;
    const request = newConntrack({
      family: 2,
      original,
      reply,
      status: IPS.SEEN_REPLY | IPS.ASSURED | IPS.CONFIRMED,
      timeout: 600,
      mark: 5,
      protocolInfo: { tcp: { state: TCP_CONNTRACK.ESTABLISHED, flagsOriginal: flags, flagsReply: flags } },
    });
    expect(decodeAll(hex)).toEqual([written(request)]);
    expect(capturedMessages(hex)).toMatchObject([
      { type: request.type, flags: request.flags | NLM_F.REQUEST | NLM_F.ACK },
    ]);
  });

  test('-I of an echo over IPv6, in a zone', () => {
    const hex = `
      cc000000 00010506 62cf016b 00000000 0a000000 54000180 2c000180
      14000300 fd000000000000000000000000000001 14000400 fd000000000000000000000000000002 24000280
      050001003a000000 0500090000000000 0500080080000000 06000700004d0000 54000280 2c000180
      14000300 fd000000000000000000000000000002 14000400 fd000000000000000000000000000001 24000280
      050001003a100000 0500090000600000 0500080081000000 06000700004d0000 080007000000001e 0600120000070000`;
    const echo = { number: ICMPV6, icmpv6Id: 77, icmpv6Type: 128, icmpv6Code: 0 };
    const request = newConntrack({
      family: 10,
      original: conntrackTuple(ip('fd00::1'), ip('fd00::2'), echo),
      reply: conntrackTuple(ip('fd00::2'), ip('fd00::1'), { ...echo, icmpv6Type: 129 }),
      timeout: 30,
      zone: 7,
    });
    expect(decodeAll(hex)).toEqual([written(request)]);
  });

  test('-L -f ipv4 -m 0x20000000/0x20000000', () => {
    const hex = '24000000 01010103 62cf016b 00000000 02000000 0800080020000000 0800150020000000';
    const query = conntrackQuery({ family: 4, mark: 0x2000_0000, markMask: 0x2000_0000 });
    expect(decodeAll(hex)).toEqual([written(query)]);
    expect(capturedMessages(hex)).toMatchObject([{ type: query.type }]);
  });
});

describe('what the kernel says', () => {
  test('an entry', () => {
    const [entry, ...others] = decodeAll(ENTRY);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      family: 2,
      original,
      reply,
      status: 0xe,
      mark: 0x2000_0005,
      id: 0x8cb4_9708,
      use: 1,
      timeout: 599,
      protocolInfo: {
        tcp: {
          state: TCP_CONNTRACK.ESTABLISHED,
          windowScaleOriginal: 0,
          windowScaleReply: 0,
          flagsOriginal: { flags: 0x0a, mask: 0 },
        },
      },
    });
    // The synproxy's numbers.
    expect(entry?.unknown?.map(({ type }) => type)).toEqual([0x8018]);
    expect([entry?.original, entry?.reply].map((tuple) => tupleSource(tuple ?? {}))).toEqual([
      ip('10.0.0.1'),
      ip('10.1.0.9'),
    ]);
    expect(tupleDestination(entry?.original ?? {})).toBe(ip('10.0.0.2'));
  });

  test.each([
    { action: 'new', type: '0001', flags: '0006' },
    { action: 'update', type: '0001', flags: '0000' },
    { action: 'destroy', type: '0201', flags: '0000' },
  ])('the event $action', ({ action, type, flags: eventFlags }) => {
    const [frame] = capturedMessages(ENTRY.replace('00012200', type + eventFlags));
    expect(frame && decodeConntrackEvent(frame)).toMatchObject({ type: 'conntrack', action, conntrack: { original } });
  });

  test('messages of other subsystems and about expectations are no events', () => {
    for (const type of ['000a', '0002', '0401']) {
      const [frame] = capturedMessages(ENTRY.replace('00012200', `${type}0000`));
      expect(frame && decodeConntrackEvent(frame)).toBeUndefined();
    }
  });
});

describe('requests refuse', () => {
  test('bits outside of the mask, which the kernel would flip', () => {
    expect(() => setConntrackMark({ tuple: original }, 3, 1)).toThrow('mark 0x3 has bits outside of mask 0x1');
    expect(() => setConntrackMark({ tuple: original }, 0x8000_0000, 0x8000_0000)).not.toThrow();
  });

  test('a tuple of two families', () => {
    expect(() => conntrackTuple(ip('10.0.0.1'), ip('fd00::1'), { number: TCP })).toThrow(TypeError);
    expect(() => conntrackTuple(ip('fd00::1'), ip('10.0.0.1'), { number: TCP })).toThrow(TypeError);
  });
});
