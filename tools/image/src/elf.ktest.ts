/** The binary that ships, its ELF headers read by us and by readelf(1). */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './build-image.ts';
import { parseElf } from './elf.ts';
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

test(`the check finds symbols newer than glibc ${GLIBC_FLOOR} in a program of this machine`, () => {
  expect(newerThanFloor(parseElf(readFileSync(Bun.which('tar') ?? ''))).join()).toContain('libc.so.6 GLIBC_2.');
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
