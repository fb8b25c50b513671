import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { encodeEchoRequest, internetChecksum, judgeEchoDatagram } from './icmp-echo.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
/** An IPv4 header of 20 bytes; only the header length matters here. */
const IPV4_HEADER = '45000054 00004000 40010000 0a000002 0a000001';

test('the checksum of RFC 1071 §3: an example worked by hand', () => {
  // 0001 + f203 + f4f5 + f6f7 = 2ddf0, folded ddf2, complemented 220d.
  expect(internetChecksum(bytes('0001f203f4f5f6f7'))).toBe(0x220d);
});

test('a message with its checksum in place sums to zero', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(0xffff), fc.nat(200), (identifier, sequence, payloadBytes) => {
      expect(internetChecksum(encodeEchoRequest(4, identifier, sequence, payloadBytes))).toBe(0);
    }),
  );
});

describe('what a datagram says about request 0x1234, sequence 1', () => {
  test.each([
    { name: 'an IPv4 reply', family: 4, hex: `${IPV4_HEADER} 00000000 12340001`, answer: { type: 'reply' } },
    { name: 'an IPv6 reply', family: 6, hex: '81000000 12340001', answer: { type: 'reply' } },
    { name: 'a reply to somebody else', family: 4, hex: `${IPV4_HEADER} 00000000 12350001`, answer: undefined },
    { name: 'a reply to an earlier request', family: 4, hex: `${IPV4_HEADER} 00000000 12340000`, answer: undefined },
    { name: 'our own request on loopback', family: 4, hex: `${IPV4_HEADER} 08000000 12340001`, answer: undefined },
    {
      name: 'an IPv4 error that quotes it',
      family: 4,
      hex: `${IPV4_HEADER} 03010000 00000000 ${IPV4_HEADER} 08000000 12340001`,
      answer: { type: 'error', reason: 'unreachable (code 1)' },
    },
    {
      name: 'an IPv6 error that quotes it',
      family: 6,
      hex: `02000000 00000578 ${'60'.padEnd(80, '0')} 80000000 12340001`,
      answer: { type: 'error', reason: 'packet too big (code 0)' },
    },
    {
      name: 'an error about another packet',
      family: 4,
      hex: `${IPV4_HEADER} 03010000 00000000 ${IPV4_HEADER} 08000000 12350001`,
      answer: undefined,
    },
    {
      name: 'an IPv4 header with options',
      family: 4,
      hex: `46${IPV4_HEADER.slice(2)} 00000000 00000000 12340001`,
      answer: { type: 'reply' },
    },
    { name: 'a cut header', family: 4, hex: '4500', answer: undefined },
    { name: 'nothing', family: 6, hex: '', answer: undefined },
  ] as const)('$name', ({ family, hex, answer }) => {
    expect(judgeEchoDatagram(family, bytes(hex), 0x1234, 1)).toEqual(answer);
  });
});

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.constantFrom(4 as const, 6 as const), fc.uint8Array({ maxLength: 120 }), (family, datagram) => {
      judgeEchoDatagram(family, datagram, 1, 1);
    }),
  );
});
