import { parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { RTNH_F } from '../route/constants.ts';
import { capturedMessages } from '../testing/captured.ts';
import { type Nexthop, nexthopCodec } from './message.ts';

const decodeAll = (hex: string): Nexthop[] =>
  capturedMessages(hex).map(({ source, payloadStart, payloadEnd }) =>
    nexthopCodec.decode(source, payloadStart, payloadEnd),
  );
const ip = (text: string) => unwrap(parseIp(text));

// `strace -e write=3 COMMAND`, iproute2 6.1.
test.each<{ command: string; hex: string; nexthop: Nexthop }>([
  {
    command: 'ip nexthop add id 10 via 10.1.0.7 dev v0 onlink proto 203',
    hex: `30000000 68000506 625f016b 00000000 0200cb00 04000000 08000100 0a000000 08000600 0a010007 08000500 03000000`,
    nexthop: { family: 2, scope: 0, protocol: 203, flags: RTNH_F.ONLINK, id: 10, gateway: ip('10.1.0.7'), oif: 3 },
  },
  {
    command: 'ip nexthop add id 11 blackhole',
    hex: '24000000 68000506 625f016b 00000000 02000000 00000000 08000100 0b000000 04000400',
    nexthop: { family: 2, scope: 0, protocol: 0, flags: 0, id: 11, blackhole: true },
  },
  {
    command: 'ip nexthop add id 12 group 10,3/13',
    hex: `34000000 68000506 625f016b 00000000 00000000 00000000 08000100 0c000000
          14000200 0a000000 02000000 0d000000 00000000`,
    nexthop: {
      family: 0,
      scope: 0,
      protocol: 0,
      flags: 0,
      id: 12,
      group: [
        { id: 10, weight: 2 },
        { id: 13, weight: 0 },
      ],
    },
  },
])('$command', ({ hex, nexthop }) => {
  expect(decodeAll(hex)).toEqual([nexthop]);
});

// Linux 6.18, `strace -e read=3 ip nexthop`.
test('the answer of the kernel to a listing', () => {
  const nexthops = decodeAll(`
    30000000 68000200 645f016b 2c180000 02fdcb00 04000000 08000100 0a000000 08000500 03000000 08000600 0a010007
    24000000 68000200 645f016b 2c180000 02000000 00000000 08000100 0b000000 04000400
    44000000 68000200 645f016b 2c180000 00000000 00000000 08000100 0c000000 06000300 00000000
    14000200 0a000000 02000000 0d000000 00000000 08000e00 00000080`);
  expect(nexthops).toMatchObject([
    { id: 10, protocol: 203, scope: 253, oif: 3, gateway: ip('10.1.0.7') },
    { id: 11, blackhole: true },
    {
      id: 12,
      groupType: 0,
      opFlags: 0x8000_0000,
      group: [
        { id: 10, weight: 2 },
        { id: 13, weight: 0 },
      ],
    },
  ]);
  expect(nexthops.some(({ unknown }) => unknown !== undefined)).toBe(false);
});
