import { expect, test } from 'vitest';
import { NetlinkError } from 'netlink-ts';
import { probeKernelFeature, probeLinkKind } from './kernel-feature.ts';

const notSupported = (): never => {
  throw new NetlinkError({ operation: 'new thing', errno: 95 });
};

test('a device kind that every kernel of ours has is available', () => {
  expect(probeLinkKind('veth')).toMatchObject({ available: true });
});

test("a device kind that no kernel has is unavailable, with the kernel's words", () => {
  const { available, reason } = probeLinkKind('nonsense');
  expect(available).toBe(false);
  expect(reason).toContain('EOPNOTSUPP');
});

test('absence in a kernel that is new enough is a failure', () => {
  expect(() => probeKernelFeature({ name: 'x', since: '4.0', use: notSupported })).toThrow(/must have x/);
  expect(probeKernelFeature({ name: 'x', since: '99.0', use: notSupported }).available).toBe(false);
});

test('any other error is no reason to skip', () => {
  const use = (): never => {
    throw new NetlinkError({ operation: 'new thing', errno: 22 });
  };
  expect(() => probeKernelFeature({ name: 'x', use })).toThrow('EINVAL');
});
