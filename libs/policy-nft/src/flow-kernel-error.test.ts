import { NetlinkError } from 'netlink-ts';
import { expect, test } from 'vitest';
import { flowKernelError } from './flow-kernel-error.ts';

const [EPERM, EINVAL, ENOMEM] = [1, 22, 12];

test.each([
  {
    operation: 'bind nflog group',
    errno: EPERM,
    code: 'permission',
    words: 'another program listens to NFLOG group 20',
  },
  { operation: 'bind nflog group', errno: EINVAL, code: 'io', words: 'CONFIG_NETFILTER_NETLINK_LOG' },
  { operation: 'list conntrack', errno: EPERM, code: 'permission', words: 'CAP_NET_ADMIN' },
  { operation: 'list conntrack', errno: EINVAL, code: 'io', words: 'CONFIG_NF_CT_NETLINK' },
])('$operation $errno says what to do', ({ operation, errno, code, words }) => {
  const cause = new NetlinkError({ operation, errno });
  const message = expect.stringMatching(`^${operation}: .*${words}`) as string;
  expect(flowKernelError(cause)).toMatchObject({ name: 'KernelError', code, message, cause });
});

test('what has no known cure stays as it is', () => {
  const busy = new NetlinkError({ operation: 'list conntrack', errno: ENOMEM });
  const bug = new TypeError('no such set');
  expect([flowKernelError(busy), flowKernelError(bug)]).toEqual([busy, bug]);
});
