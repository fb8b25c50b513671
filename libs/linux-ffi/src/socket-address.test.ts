import { parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { decodeSocketIp, encodeSocketAddress } from './socket-address.ts';

test.each(['10.1.2.3', 'fd00::1'])('%s goes in and comes out', (text) => {
  const ip = unwrap(parseIp(text));
  const padded = new Uint8Array(28);
  padded.set(encodeSocketAddress(ip, 53));
  expect(decodeSocketIp(padded)).toBe(ip);
});

test('the layout of struct sockaddr_in', () => {
  expect([...encodeSocketAddress(unwrap(parseIp('10.1.2.3')), 0x1234)].slice(2, 8)).toEqual([0x12, 0x34, 10, 1, 2, 3]);
});

test('an unknown family has no address', () => {
  expect(decodeSocketIp(new Uint8Array(28))).toBeUndefined();
});
