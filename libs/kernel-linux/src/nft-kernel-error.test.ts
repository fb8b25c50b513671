import { KernelError } from '@canal/kernel-port';
import { errnoNumber, NetlinkError } from 'netlink-ts';
import { expect, test } from 'vitest';
import { nftKernelError } from './nft-kernel-error.ts';

test.each<{ name: string; code: string; request: string; expected: { code: string; message: RegExp } }>([
  {
    name: 'no permission',
    code: 'EPERM',
    request: 'new nft table',
    expected: { code: 'permission', message: /CAP_NET_ADMIN/ },
  },
  {
    name: 'no nf_tables',
    code: 'EINVAL',
    request: 'get nft generation',
    expected: { code: 'io', message: /CONFIG_NF_TABLES/ },
  },
  { name: 'no inet NAT', code: 'ENOENT', request: 'new nft chain', expected: { code: 'io', message: /Linux 5\.2/ } },
  {
    name: 'no masquerading',
    code: 'ENOENT',
    request: 'append nft rule',
    expected: { code: 'io', message: /CONFIG_NFT_MASQ/ },
  },
  {
    name: 'anything else',
    code: 'EBUSY',
    request: 'delete nft chain',
    expected: { code: 'io', message: /^nf_tables: write: delete nft chain: EBUSY \(16\)$/ },
  },
])('$name', ({ code, request, expected }) => {
  const cause = new NetlinkError({ operation: request, errno: errnoNumber(code) });
  const error = nftKernelError('write', cause);
  expect(error).toBeInstanceOf(KernelError);
  expect(error).toMatchObject({ code: expected.code, cause });
  expect(String(error)).toMatch(/nf_tables: write: /);
  expect(error instanceof Error ? error.message : '').toMatch(expected.message);
});

test('a KernelError and what is no error stay as they are', () => {
  const error = new KernelError('closed', 'closed');
  expect(nftKernelError('write', error)).toBe(error);
  expect(nftKernelError('write', 'text')).toBe('text');
});
