import fc, { type Arbitrary } from 'fast-check';
import { type Ip, type Ipv4, type Ipv6, type Mac, macFromBytes } from 'net-types';
import { describe, expect, test } from 'vitest';
import { addressTable } from './address/attributes.ts';
import { addressHeader } from './address/header.ts';
import { addressCodec } from './address/message.ts';
import {
  conntrackTable,
  countersTable,
  helperTable,
  protocolInfoTable,
  sctpInfoTable,
  tcpInfoTable,
  timestampTable,
} from './conntrack/attributes.ts';
import { conntrackCodec } from './conntrack/message.ts';
import { tupleIpTable, tupleProtocolTable, tupleTable } from './conntrack/tuple.ts';
import { bridgeLinkTable, linkTable } from './link/attributes.ts';
import { bridgeTable } from './link/bridge.ts';
import { bridgePortTable } from './link/bridge-port.ts';
import { peerTable } from './link/device-attributes.ts';
import { linkHeader } from './link/header.ts';
import { linkCodec } from './link/message.ts';
import { linkStatistics } from './link/statistics.ts';
import { tunTable } from './link/tun.ts';
import { vxlanTable } from './link/vxlan.ts';
import { neighbourTable } from './neighbour/attributes.ts';
import { neighbourHeader } from './neighbour/header.ts';
import { neighbourCodec } from './neighbour/message.ts';
import { netnsIdCodec } from './netns-id/message.ts';
import { nexthopTable } from './nexthop/attributes.ts';
import { nexthopHeader } from './nexthop/header.ts';
import { nexthopCodec } from './nexthop/message.ts';
import { routeTable } from './route/attributes.ts';
import { routeHeader } from './route/header.ts';
import { routeCodec } from './route/message.ts';
import { routeMetricsTable } from './route/metrics.ts';
import { nfgenmsg } from './nfnetlink/header.ts';
import { nflogConfigCodec, nflogConfigTable } from './nflog/config.ts';
import { nflogPacketCodec, nflogPacketTable } from './nflog/packet.ts';
import { ruleTable } from './rule/attributes.ts';
import { ruleHeader } from './rule/header.ts';
import { ruleCodec } from './rule/message.ts';
import type { AttributeCodec, UnknownAttribute } from './wire/attribute-codec.ts';
import type { AttributeTable } from './wire/attribute-table.ts';
import { DecodeError } from './wire/decode-error.ts';
import type { ObjectCodec } from './wire/object-codec.ts';
import * as scalars from './wire/scalars.ts';
import type { Struct } from './wire/struct.ts';
import { WireSource } from './wire/wire-source.ts';
import { WireWriter } from './wire/wire-writer.ts';

const ipv4 = fc.nat(0xffff_ffff).map((bits) => bits as Ipv4);
const ipv6 = fc.bigInt(0n, (1n << 128n) - 1n).map((bits) => bits as Ipv6);
const ip: Arbitrary<Ip> = fc.oneof(ipv4, ipv6);
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => macFromBytes(bytes) as Mac);
const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const s32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((value) => !value.includes('\0'));
const bytes = fc.uint8Array({ maxLength: 24 });

/** What each scalar codec can carry. */
const SCALARS = new Map<unknown, Arbitrary<unknown>>([
  [scalars.u8, u8],
  [scalars.u16, u16],
  [scalars.be16, u16],
  [scalars.u32, u32],
  [scalars.be32, u32],
  [scalars.s32, s32],
  [scalars.u64, fc.bigInt(0n, (1n << 64n) - 1n)],
  [scalars.be64, fc.bigInt(0n, (1n << 64n) - 1n)],
  [scalars.bool8, fc.boolean()],
  [scalars.flag, fc.constant(true)],
  [scalars.cstring, text],
  [scalars.bytes, bytes],
  [scalars.nestBytes, bytes],
  [scalars.ip, ip],
  [scalars.ipv4, ipv4],
  [scalars.ipv6, ipv6],
  [scalars.mac, mac],
]);

/** Types from 200 on are used by no table here. */
const unknown: Arbitrary<readonly UnknownAttribute[]> = fc.array(
  fc.record({ type: fc.integer({ min: 200, max: 0x3fff }), bytes }),
  { minLength: 1, maxLength: 3 },
);

/**
 * Values of a table: each attribute there or not. Scalars follow from the codec, the others are given. Throws if a
 * field is left without values, so that a new attribute cannot stay untested.
 */
function valuesOf(
  table: AttributeTable<unknown>,
  compound: Record<string, Arbitrary<unknown>> = {},
): Arbitrary<object> {
  const schema = table.schema as Record<string, { codec: AttributeCodec<unknown> }>;
  const fields: Record<string, Arbitrary<unknown>> = { unknown };
  for (const [key, { codec }] of Object.entries(schema)) {
    const arbitrary = compound[key] ?? SCALARS.get(codec);
    if (arbitrary === undefined) throw new Error(`no values for ${key}`);
    fields[key] = arbitrary;
  }
  return fc.record(fields, { requiredKeys: [] });
}

/** Values of a structure: what zeros decode to tells the fields and whether they are bigints. */
function structOf(codec: Struct<unknown>, exceptions: Record<string, Arbitrary<unknown>> = {}): Arbitrary<object> {
  const zeros = codec.decode(new WireSource(new Uint8Array(codec.bytes)), 0, codec.bytes) as Record<string, unknown>;
  const fields = Object.entries(zeros).map(([key, zero]) => {
    const field = typeof zero === 'bigint' ? fc.bigInt(0n, (1n << 64n) - 1n) : fc.nat(0x7f);
    return [key, exceptions[key] ?? field] as const;
  });
  return fc.record(Object.fromEntries(fields));
}

/** A structure that a table holds under this name. */
function structIn(table: AttributeTable<unknown>, key: string): Arbitrary<object> {
  const schema = table.schema as Record<string, { codec: Struct<unknown> }>;
  const codec = schema[key]?.codec;
  if (codec === undefined) throw new Error(`no structure ${key}`);
  return structOf(codec);
}

const join = (...parts: Arbitrary<object>[]): Arbitrary<object> =>
  fc.tuple(...parts).map((values) => Object.assign({}, ...values) as object);

const inet = fc.record({
  conf: fc.dictionary(fc.integer({ min: 1, max: 40 }).map(String), s32, { noNullPrototype: true }),
});
const inet6 = fc.record(
  { flags: u32, conf: bytes, token: ipv6, addrGenMode: u8, raMtu: u32, unknown },
  { requiredKeys: [] },
);
const afSpec = fc.record({ inet, inet6 }, { requiredKeys: [] });
const device = { stats64: structOf(linkStatistics), altNames: fc.array(text, { maxLength: 3 }) };
const veth = fc.record(
  { peer: join(structOf(linkHeader), valuesOf(peerTable, { ...device, afSpec })), unknown },
  { requiredKeys: [] },
);
const bridge = valuesOf(bridgeTable, { multiBoolopt: structIn(bridgeTable, 'multiBoolopt') });
const vxlan = valuesOf(vxlanTable, {
  portRange: structIn(vxlanTable, 'portRange'),
  ttlInherit: fc.boolean(),
});
const bridgePort = valuesOf(bridgePortTable);
const slave = fc.oneof(
  fc.constant({}),
  fc.record({ slaveKind: fc.constant('bridge'), bridgePort }),
  fc.record({ slaveKind: fc.constant('bond') }),
);
const kind = fc.oneof(
  fc.record({ kind: fc.constant('veth'), veth }),
  fc.record({ kind: fc.constant('bridge'), bridge }),
  fc.record({ kind: fc.constant('vxlan'), vxlan }),
  fc.record({ kind: fc.constant('tun'), tun: valuesOf(tunTable) }),
  fc.record({ kind: fc.constant('wireguard'), unknown: fc.tuple(fc.record({ type: fc.constant(0x8002), bytes })) }),
  fc.constant({}),
);
const info = fc.tuple(kind, slave).map(([a, b]) => ({ ...a, ...b }));
const bridgeAfSpec = fc.record(
  { flags: u16, mode: u16, vlans: fc.array(fc.record({ flags: u16, vid: u16 }), { minLength: 1 }), unknown },
  { requiredKeys: [] },
);
const nextHop = join(
  fc.record({ flags: u8, hops: u8, index: s32 }),
  fc.record({ gateway: ip, via: ip, flow: u32, encapType: u16, encap: bytes, unknown }, { requiredKeys: [] }),
);

const tuple = valuesOf(tupleTable, { ip: valuesOf(tupleIpTable), protocol: valuesOf(tupleProtocolTable) });
const tcpInfo = valuesOf(tcpInfoTable, {
  flagsOriginal: structIn(tcpInfoTable, 'flagsOriginal'),
  flagsReply: structIn(tcpInfoTable, 'flagsReply'),
});
const counters = valuesOf(countersTable);

interface Case {
  readonly name: string;
  readonly codec: ObjectCodec<object, object>;
  readonly values: Arbitrary<object>;
}

const CASES: readonly Case[] = [
  {
    name: 'link',
    codec: linkCodec,
    values: join(
      structOf(linkHeader, { family: fc.constantFrom(0, 2, 10, 17) }),
      valuesOf(linkTable, { ...device, info, afSpec }),
    ),
  },
  {
    name: 'link of family AF_BRIDGE',
    codec: linkCodec,
    values: join(
      structOf(linkHeader, { family: fc.constant(7) }),
      valuesOf(bridgeLinkTable, { ...device, info, bridgePort, bridgeAfSpec }),
    ),
  },
  {
    name: 'address',
    codec: addressCodec,
    values: join(structOf(addressHeader), valuesOf(addressTable, { cacheInfo: structIn(addressTable, 'cacheInfo') })),
  },
  {
    name: 'route',
    codec: routeCodec,
    values: join(
      structOf(routeHeader, { family: fc.constantFrom(0, 2, 10) }),
      valuesOf(routeTable, {
        metrics: valuesOf(routeMetricsTable),
        multipath: fc.array(nextHop, { maxLength: 3 }),
        cacheInfo: structIn(routeTable, 'cacheInfo'),
        via: ip,
      }),
    ),
  },
  {
    name: 'route of another family',
    codec: routeCodec,
    values: join(
      structOf(routeHeader, { family: fc.constant(28) }),
      fc.record({ oif: u32, priority: u32, table: u32, nexthopId: u32, unknown }, { requiredKeys: [] }),
    ),
  },
  {
    name: 'nexthop',
    codec: nexthopCodec,
    values: join(
      structOf(nexthopHeader),
      valuesOf(nexthopTable, { group: fc.array(fc.record({ id: u32, weight: u16 })) }),
    ),
  },
  {
    name: 'neighbour',
    codec: neighbourCodec,
    values: join(
      structOf(neighbourHeader),
      valuesOf(neighbourTable, { cacheInfo: structIn(neighbourTable, 'cacheInfo') }),
    ),
  },
  {
    name: 'rule',
    codec: ruleCodec,
    values: join(
      structOf(ruleHeader),
      valuesOf(ruleTable, {
        uidRange: structIn(ruleTable, 'uidRange'),
        sportRange: structIn(ruleTable, 'sportRange'),
        dportRange: structIn(ruleTable, 'dportRange'),
      }),
    ),
  },
  {
    name: 'netns id',
    codec: netnsIdCodec,
    values: join(
      fc.record({ family: u8 }),
      fc.record({ nsid: s32, pid: u32, fd: u32, targetNsid: s32, currentNsid: s32, unknown }, { requiredKeys: [] }),
    ),
  },
  {
    name: 'conntrack',
    codec: conntrackCodec,
    values: join(
      structOf(nfgenmsg),
      valuesOf(conntrackTable, {
        original: tuple,
        reply: tuple,
        master: tuple,
        protocolInfo: valuesOf(protocolInfoTable, { tcp: tcpInfo, sctp: valuesOf(sctpInfoTable) }),
        helper: valuesOf(helperTable),
        countersOriginal: counters,
        countersReply: counters,
        timestamp: valuesOf(timestampTable),
      }),
    ),
  },
  {
    name: 'nflog packet',
    codec: nflogPacketCodec,
    values: join(
      structOf(nfgenmsg),
      valuesOf(nflogPacketTable, {
        header: structIn(nflogPacketTable, 'header'),
        timestamp: structIn(nflogPacketTable, 'timestamp'),
      }),
    ),
  },
  {
    name: 'nflog config',
    codec: nflogConfigCodec,
    values: join(structOf(nfgenmsg), valuesOf(nflogConfigTable, { mode: structIn(nflogConfigTable, 'mode') })),
  },
];

function encode(codec: ObjectCodec<object, object>, value: object): Uint8Array {
  const writer = new WireWriter();
  codec.encode(writer, value);
  return writer.written;
}

function expectDecodeErrorOrNothing(codec: ObjectCodec<object, object>, datagram: Uint8Array): void {
  try {
    codec.decode(new WireSource(datagram), 0, datagram.length);
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
  }
}

describe.each(CASES)('$name', ({ codec, values }) => {
  test('decode(encode(x)) = x', () => {
    fc.assert(
      fc.property(values, (value) => {
        const datagram = encode(codec, value);
        expect(codec.decode(new WireSource(datagram), 0, datagram.length)).toEqual(value);
      }),
      { numRuns: 200 },
    );
  });

  test('cut off at any byte, or with any byte changed, it is a DecodeError or another object', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.nat(0xff), (value, at, byte) => {
        const datagram = encode(codec, value).slice();
        const position = datagram.length === 0 ? 0 : at % datagram.length;
        expectDecodeErrorOrNothing(codec, datagram.slice(0, position));
        datagram[position] = byte;
        expectDecodeErrorOrNothing(codec, datagram);
      }),
      { numRuns: 200 },
    );
  });

  test('random bytes are a DecodeError or an object', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (datagram) => {
        expectDecodeErrorOrNothing(codec, datagram);
      }),
      { numRuns: 300 },
    );
  });
});
