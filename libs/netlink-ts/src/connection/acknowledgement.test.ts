import { expect, test } from 'vitest';
import { capturedMessages } from '../testing/captured.ts';
import { decodeAcknowledgement } from './acknowledgement.ts';

const acknowledgementOf = (hex: string) => {
  const [frame] = capturedMessages(hex);
  if (frame === undefined) throw new Error('no message');
  return decodeAcknowledgement(frame);
};

// Linux 6.18, `strace -e read=3 ip …`; iproute2 does not ask for capped acknowledgements, so the request is repeated.
test.each([
  {
    name: 'ip link set v0 up',
    hex: '24000000 02000001 4b5f016b c90b0000 00000000 2c000000 10000500 4b5f016b 00000000',
    errno: 0,
    extendedAck: undefined,
  },
  {
    name: 'ip nexthop add id 11 blackhole, with no device up',
    hex: `5c000000 02000002 4d5f016b f10d0000 9cffffff 24000000 68000506 4d5f016b 00000000 02000000 00000000 08000100
          0b000000 04000400 21000100 44657669636520666f72206e657874686f70206973206e6f7420757000 000000`,
    errno: 100,
    extendedAck: { message: 'Device for nexthop is not up' },
  },
  {
    name: 'ip route add 10.244.3.0/24 nhid 10, with no such object',
    hex: `60000000 02000002 4d5f016b 7a0e0000 eaffffff 2c000000 18000506 4d5f016b 00000000 02180000 fe030001 00000000
          08000100 0af40300 08001e00 0a000000 1e000100 4e657874686f7020696420646f6573206e6f7420657869737400 0000`,
    errno: 22,
    extendedAck: { message: 'Nexthop id does not exist' },
  },
  {
    name: 'ip link add br0 type bridge vlan_filtering 1, without support for it, cut off after the header',
    hex: '24000000 02000000 4b5f016b f60b0000 a1ffffff 54000000 10000506 4b5f016b 00000000',
    errno: 95,
    extendedAck: undefined,
  },
  { name: 'the end of a dump', hex: '14000000 03000200 4d5f016b a70e0000 00000000', errno: 0, extendedAck: undefined },
  {
    name: 'the end of a dump of an old kernel',
    hex: '10000000 03000200 4d5f016b a70e0000',
    errno: 0,
    extendedAck: undefined,
  },
])('$name', ({ hex, errno, extendedAck }) => {
  expect(acknowledgementOf(hex)).toEqual({ errno, extendedAck });
});

test('a positive error number, which no kernel sends, is no error', () => {
  expect(acknowledgementOf('14000000 03000200 00000000 00000000 05000000').errno).toBe(0);
});
