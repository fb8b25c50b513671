import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './build-image.ts';
import { ElfError, parseElf } from './elf.ts';
import { GLIBC_FLOOR, newerThanFloor } from './glibc-floor.ts';

let directory: string;
let binary: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-elf-'));
  binary = join(directory, 'canal');
  const built = Bun.spawnSync([process.execPath, 'apps/canal/build.ts', '--outfile', binary], { cwd: ROOT });
  expect(built.stderr.toString()).toBe('');
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function readelf(...args: string[]): string {
  return Bun.spawnSync(['readelf', '--wide', ...args]).stdout.toString();
}

describe('the binary that lands on hosts', () => {
  test(`needs no symbol newer than glibc ${GLIBC_FLOOR}`, () => {
    const needs = parseElf(readFileSync(binary));
    expect(newerThanFloor(needs)).toEqual([]);
    // It is dynamic: else there would be nothing to compare.
    expect(needs.versions.get('libc.so.6')).toContain('GLIBC_2.17');
  });

  test('needs the C library and nothing else', () => {
    const { machine, libraries } = parseElf(readFileSync(binary));
    const loader = machine === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2';
    expect(libraries.toSorted()).toEqual(
      [loader, 'libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0'].toSorted(),
    );
  });
});

// readelf(1) of binutils is the judge; a program of the machine has other needs than ours.
describe.each([
  ['canal', () => binary],
  ['a program of the machine', () => Bun.which('tar') ?? ''],
])('%s, as readelf sees it', (_name, path) => {
  test('libraries and loader', () => {
    const { libraries, interpreter } = parseElf(readFileSync(path()));
    const dynamic = readelf('--dynamic', path());
    expect(libraries).toEqual([...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1]));
    expect(readelf('--program-headers', path())).toContain(`interpreter: ${String(interpreter)}]`);
  });

  test('versions of symbols, by library', () => {
    const needs = readelf('--version-info', path()).split('Version needs section')[1] ?? '';
    const expected = new Map<string, string[]>();
    let last: string[] = [];
    for (const line of needs.split('\n')) {
      const library = /File: (\S+)/.exec(line)?.[1];
      const version = /Name: (\S+)/.exec(line)?.[1];
      if (library !== undefined) expected.set(library, (last = []));
      else if (version !== undefined) last.push(version);
    }
    expect(expected.size).toBeGreaterThan(0);
    expect(parseElf(readFileSync(path())).versions).toEqual(expected);
  });
});

test.each([
  [['GLIBC_2.2.5', 'GLIBC_2.17'], []],
  [['GLIBC_2.18', 'GLIBC_2.9'], ['libc.so.6 GLIBC_2.18']],
  [
    ['GLIBC_2.17.1', 'GLIBC_3.0'],
    ['libc.so.6 GLIBC_2.17.1', 'libc.so.6 GLIBC_3.0'],
  ],
  [
    ['GLIBC_PRIVATE', 'GLIBCXX_3.4'],
    ['libc.so.6 GLIBC_PRIVATE', 'libc.so.6 GLIBCXX_3.4'],
  ],
])(`of %j a host with glibc ${GLIBC_FLOOR} lacks %j`, (versions, expected) => {
  const needs = { machine: 'amd64', libraries: [], versions: new Map([['libc.so.6', versions]]) } as const;
  expect(newerThanFloor(needs)).toEqual(expected);
});

test('what is no ELF file, or half of one, is an ElfError and no crash', () => {
  const whole = readFileSync(Bun.which('tar') ?? '');
  expect(() => parseElf(new Uint8Array())).toThrow(ElfError);
  expect(() => parseElf(Buffer.from('#!/bin/sh\n'.repeat(10)))).toThrow('no ELF file');
  for (const length of [4, 63, 64, 100, 400, 1000, 3000])
    expect(() => parseElf(whole.subarray(0, length))).toThrow(ElfError);
  const narrow = Buffer.from(whole);
  narrow[4] = 1;
  expect(() => parseElf(narrow)).toThrow('64-bit');
});
