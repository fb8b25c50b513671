import { describe, expect, test } from 'vitest';
import { hostFault, type HostFacts, type HostRun, newestGlibc } from './host-fault.ts';

const FACTS: HostFacts = { noexec: false, binDir: '/opt/cni/bin', glibc: '2.36' };

describe('hostFault', () => {
  test.each<[string, Partial<HostRun>, Partial<HostFacts>, RegExp]>([
    [
      'a loader that misses a version',
      { exitCode: 1, stderr: "/x/.canal.new: /lib64/libc.so.6: version `GLIBC_2.17' not found (required by /x)" },
      { glibc: '2.12' },
      /^host glibc 2\.12 is too old: 2\.17 is needed \(the loader misses GLIBC_2\.17\)$/,
    ],
    ['musl', { execError: 'ENOENT' }, { glibc: undefined, muslLoader: '/lib/ld-musl-x86_64.so.1' } as never, /musl/],
    ['no loader at all', { execError: 'ENOENT' }, {}, /no program loader/],
    ['noexec', { execError: 'EACCES' }, { noexec: true }, /\/opt\/cni\/bin is on a file system mounted noexec/],
    ['a security module', { execError: 'EACCES' }, {}, /forbidden \(EACCES\)/],
    ['another processor', { execError: 'ENOEXEC' }, {}, /another processor/],
    ['an old processor', { signal: 'SIGILL' }, {}, /AVX2/],
    [
      'no executable memory',
      { exitCode: 70, stderr: 'cannot bind libc.so.6: … (no MemoryDenyWriteExecute)' },
      {},
      /writable and executable/,
    ],
    ['silence', { timedOut: true, signal: 'SIGKILL' }, {}, /did not answer/],
    [
      'anything else',
      { exitCode: 3, stderr: 'a\nb\nc\nlast words\n' },
      {},
      /exit code 3 on the host: b \| c \| last words/,
    ],
  ])('%s', (_name, run, facts, says) => {
    const fault = hostFault({ stderr: '', ...run }, { ...FACTS, ...facts });
    expect(fault.message).toMatch(says);
    expect(fault.cure).not.toBe('');
  });
});

test('newestGlibc compares numbers, not text, and passes over private versions', () => {
  expect(newestGlibc('GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_2.4\0GLIBC_PRIVATE\0')).toBe('2.17');
  expect(newestGlibc('no libc at all')).toBeUndefined();
});
