import { expect, test } from 'vitest';
import { LinuxError } from './linux-error.ts';
import { networkRefusal } from './ping.ts';

// Numbers of include/uapi/asm-generic/errno.h: what sendto gives, not what this library calls it.
test.each([
  { errno: 105, refusal: 'ENOBUFS' },
  { errno: 99, refusal: 'EADDRNOTAVAIL' },
  { errno: 12, refusal: 'ENOMEM' },
  { errno: 101, refusal: 'ENETUNREACH' },
  { errno: 1, refusal: 'EPERM' },
  { errno: 9, refusal: undefined },
  { errno: 14, refusal: undefined },
])('errno $errno of a send is the refusal $refusal of the network', ({ errno, refusal }) => {
  expect(networkRefusal(new LinuxError('sendto', errno, 'ICMP'))).toBe(refusal);
});
