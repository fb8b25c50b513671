import { formatInterfaceAddress, parseInterfaceAddress, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { capturedMessages } from '../testing/captured.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { IFA_F, RT_SCOPE } from './constants.ts';
import { type Address, addressCodec, interfaceAddressOf } from './message.ts';
import { addressInput } from './requests.ts';

const decodeAll = (hex: string): Address[] =>
  capturedMessages(hex).map(({ source, payloadStart, payloadEnd }) =>
    addressCodec.decode(source, payloadStart, payloadEnd),
  );
const ip = (text: string) => unwrap(parseIp(text));

// `strace -e write=3 ip addr add 10.1.0.1/24 brd + dev v0`, iproute2 6.1.
test('an IPv4 request of iproute2', () => {
  expect(
    decodeAll(`30000000 14000506 615f016b 00000000 02180000 03000000
               08000200 0a010001 08000100 0a010001 08000400 0a0100ff`),
  ).toEqual([
    {
      family: 2,
      prefixLen: 24,
      headerFlags: 0,
      scope: RT_SCOPE.UNIVERSE,
      index: 3,
      local: ip('10.1.0.1'),
      address: ip('10.1.0.1'),
      broadcast: ip('10.1.0.255'),
    },
  ]);
});

// Linux 6.18, `strace -e read=3 ip addr show dev v0`, after the above and
// `ip addr add fd00::1/64 dev v0 nodad valid_lft 100 preferred_lft 50`.
test('the answer of the kernel to a listing', () => {
  const addresses = decodeAll(`
    54000000 14002200 645f016b a5170000 02188000 03000000 08000100 0a010001 08000200 0a010001 08000400 0a0100ff
    07000300 76300000 08000800 80000000 14000600 ffffffff ffffffff 52a70600 52a70600
    48000000 14002200 645f016b a5170000 0a400200 03000000 14000100 fd000000000000000000000000000001
    14000600 31000000 63000000 5ca70600 5ca70600 08000800 02000000
    50000000 14002200 645f016b a5170000 0a4080fd 03000000 14000100 fe80000000000000000000fffe000001
    14000600 ffffffff ffffffff 1ea70600 1ea70600 08000800 80000000 05000b00 03000000`);
  expect(addresses.map((address) => formatInterfaceAddress(interfaceAddressOf(address)!))).toEqual([
    '10.1.0.1/24',
    'fd00::1/64',
    'fe80::ff:fe00:1/64',
  ]);
  expect(addresses).toMatchObject([
    { label: 'v0', flags: IFA_F.PERMANENT, cacheInfo: { validSeconds: 0xffff_ffff } },
    { flags: IFA_F.NODAD, cacheInfo: { preferredSeconds: 49, validSeconds: 99 } },
    { scope: RT_SCOPE.LINK, flags: IFA_F.PERMANENT, protocol: 3 },
  ]);
  expect(addresses.some(({ unknown }) => unknown !== undefined)).toBe(false);
});

test('an ordinary address is written as iproute2 writes it', () => {
  const writer = new WireWriter();
  addressCodec.encode(writer, addressInput(3, unwrap(parseInterfaceAddress('10.1.0.1/24'))));
  expect(Buffer.from(writer.written).toString('hex')).toBe(
    '02180000' + '03000000' + '080001000a010001' + '080002000a010001',
  );
});

test('an address that is none of the device has no interface address', () => {
  expect(interfaceAddressOf({ family: 10, prefixLen: 128, multicast: ip('ff02::1') })).toBeUndefined();
});
