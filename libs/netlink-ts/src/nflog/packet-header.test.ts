import fc from 'fast-check';
import { type Ip, ipToBytes, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { bytesFromHex } from '../testing/captured.ts';
import { ETHERTYPE, parsePacketHeader } from './packet-header.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const address = (text: string): string => ipToBytes(ip(text)).toHex();

const v4 = (protocol: string, behind: string, { fragment = '0000', first = '45' } = {}): Uint8Array =>
  bytesFromHex(
    `${first}000028 0001${fragment} 40${protocol}0000 ${address('10.0.0.1')} ${address('10.0.0.2')} ${behind}`,
  );
const v6 = (protocol: string, behind: string): Uint8Array =>
  bytesFromHex(`60000000 0028${protocol}40 ${address('fd00::1')} ${address('fd00::2')} ${behind}`);
const ADDRESSES_4 = { source: ip('10.0.0.1'), destination: ip('10.0.0.2') };
const ADDRESSES_6 = { source: ip('fd00::1'), destination: ip('fd00::2') };
const PORTS = { sourcePort: 4660, destinationPort: 80 };

describe('IPv4', () => {
  test.each([
    { name: 'TCP', packet: v4('06', '12340050'), expected: { protocol: 6, ...PORTS } },
    { name: 'UDP', packet: v4('11', '12340050'), expected: { protocol: 17, ...PORTS } },
    { name: 'SCTP', packet: v4('84', '12340050'), expected: { protocol: 132, ...PORTS } },
    { name: 'ICMP', packet: v4('01', '0800'), expected: { protocol: 1, icmpType: 8, icmpCode: 0 } },
    { name: 'another protocol', packet: v4('2f', '12340050'), expected: { protocol: 47 } },
    { name: 'options', packet: v4('06', '01010101 12340050', { first: '46' }), expected: { protocol: 6, ...PORTS } },
    {
      name: 'the first fragment',
      packet: v4('11', '12340050', { fragment: '2000' }),
      expected: { protocol: 17, ...PORTS },
    },
    { name: 'a later fragment', packet: v4('11', '12340050', { fragment: '2001' }), expected: { protocol: 17 } },
    { name: 'cut ports', packet: v4('06', '123400'), expected: { protocol: 6 } },
    { name: 'a cut type', packet: v4('01', '08'), expected: { protocol: 1 } },
    {
      name: 'a header length that cannot be',
      packet: v4('06', '12340050', { first: '44' }),
      expected: { protocol: 6 },
    },
  ])('$name', ({ packet, expected }) => {
    expect(parsePacketHeader(packet)).toEqual({ ...ADDRESSES_4, ...expected });
    expect(parsePacketHeader(packet, ETHERTYPE.IPV4)).toEqual({ ...ADDRESSES_4, ...expected });
    expect(parsePacketHeader(packet, ETHERTYPE.IPV6)).toBeUndefined();
  });
});

describe('IPv6', () => {
  test.each([
    { name: 'TCP', packet: v6('06', '12340050'), expected: { protocol: 6, ...PORTS } },
    { name: 'ICMPv6', packet: v6('3a', '8001'), expected: { protocol: 58, icmpType: 128, icmpCode: 1 } },
    {
      name: 'hop-by-hop options, routing and destination options',
      packet: v6('00', `2b00 000000000000 3c01 ${'00'.repeat(14)} 1100 000000000000 12340050`),
      expected: { protocol: 17, ...PORTS },
    },
    {
      name: 'authentication',
      packet: v6('33', `0604 ${'00'.repeat(22)} 12340050`),
      expected: { protocol: 6, ...PORTS },
    },
    {
      name: 'the first fragment',
      packet: v6('2c', '1100 0001 00000000 12340050'),
      expected: { protocol: 17, ...PORTS },
    },
    { name: 'a later fragment', packet: v6('2c', '1100 0009 00000000 12340050'), expected: { protocol: 17 } },
    { name: 'a cut extension header', packet: v6('00', '1100 0000'), expected: { protocol: 0 } },
    { name: 'options beyond the end', packet: v6('00', '11ff 000000000000'), expected: { protocol: 17 } },
    { name: 'no next header', packet: v6('3b', '12340050'), expected: { protocol: 59 } },
  ])('$name', ({ packet, expected }) => {
    expect(parsePacketHeader(packet)).toEqual({ ...ADDRESSES_6, ...expected });
    expect(parsePacketHeader(packet, ETHERTYPE.IPV6)).toEqual({ ...ADDRESSES_6, ...expected });
    expect(parsePacketHeader(packet, ETHERTYPE.IPV4)).toBeUndefined();
  });
});

describe('ARP', () => {
  const request = `0001 0800 0604 0001 020202020202 ${address('10.0.0.1')} 000000000000 ${address('10.0.0.2')}`;

  test('says who asks for whom', () => {
    expect(parsePacketHeader(bytesFromHex(request), ETHERTYPE.ARP)).toEqual({ ...ADDRESSES_4, protocol: 0 });
  });

  test.each([
    { name: 'cut', hex: request.slice(0, -2) },
    { name: 'of another protocol', hex: request.replace('0800', '86dd') },
    { name: 'with addresses of another length', hex: request.replace('0604', '0804') },
  ])('$name', ({ hex }) => {
    expect(parsePacketHeader(bytesFromHex(hex), ETHERTYPE.ARP)).toBeUndefined();
  });
});

describe('bytes of any kind', () => {
  const kinds = fc.constantFrom(undefined, ...Object.values(ETHERTYPE), 0x8100);

  test('never throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.constantFrom(0x40, 0x45, 0x4f, 0x60),
        kinds,
        (bytes, first, kind) => {
          if (bytes.length > 0) bytes[0] = first;
          const header = parsePacketHeader(bytes, kind);
          if (header !== undefined) expect(typeof header.source).toBe(typeof header.destination);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('chains of extension headers, cut anywhere, never throw and end', () => {
    const extension = fc.tuple(
      fc.constantFrom(0, 43, 44, 51, 60),
      fc.nat(3),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
    );
    fc.assert(
      fc.property(fc.array(extension, { maxLength: 12 }), fc.nat(500), (chain, cut) => {
        const bytes = chain.flatMap(([, length, body], index) => [
          chain[index + 1]?.[0] ?? 6,
          length,
          ...body.slice(2),
        ]);
        const packet = new Uint8Array([0x60, 0, 0, 0, 0, 0, chain[0]?.[0] ?? 6, 64, ...new Uint8Array(32), ...bytes]);
        const header = parsePacketHeader(packet.subarray(0, cut));
        expect(header === undefined).toBe(cut < 40);
      }),
      { numRuns: 1000 },
    );
  });

  test('a view of a larger buffer is read within its bounds', () => {
    const whole = v4('06', '12340050');
    expect(parsePacketHeader(whole.subarray(0, 20))).toEqual({ ...ADDRESSES_4, protocol: 6 });
  });
});
