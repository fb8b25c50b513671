import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesFromHex } from '../testing/captured.ts';
import { formatWireDump } from './wire-dump.ts';

test('header fields in words, payload in groups of four bytes', () => {
  const datagram = bytesFromHex(
    `30000000 10000506 01000000 00000000 0000000000000000 0000000000000000 00000000 0700030076300000 01020304
     10000000 03000200 01000000 67120000`,
  );
  expect(formatWireDump('sent', datagram)).toBe(
    [
      '> len=48 type=16 flags=0x605 seq=1 port=0',
      '    00000000 00000000 00000000 00000000',
      '    00000000 07000300 76300000 01020304',
      '> len=16 type=3 flags=0x2 seq=1 port=4711',
      '',
    ].join('\n'),
  );
});

test('what is no message is dumped as it is', () => {
  expect(formatWireDump('received', Uint8Array.of(1, 2, 3, 4, 5))).toBe(
    '? 5 bytes that are no message\n    01020304 05\n',
  );
});

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (datagram) => formatWireDump('sent', datagram).endsWith('\n')),
  );
});
