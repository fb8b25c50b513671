import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tarArchive, type TarEntry } from './tar-archive.ts';

const file = (path: string, text = '', mode = 0o644): TarEntry => ({
  type: 'file',
  path,
  mode,
  content: new TextEncoder().encode(text),
});

const bytesOf = (entries: readonly TarEntry[]): Buffer => Buffer.concat(tarArchive(entries));
const digestOf = (entries: readonly TarEntry[]): string => createHash('sha256').update(bytesOf(entries)).digest('hex');

/** What GNU tar makes of the archive, a line for each entry. */
function listed(entries: readonly TarEntry[]): readonly string[] {
  return tar(entries, ['--list', '--verbose', '--full-time', '--utc', '--numeric-owner']).trimEnd().split('\n');
}

function tar(entries: readonly TarEntry[], args: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'canal-tar-'));
  try {
    const archive = join(directory, 'a.tar');
    writeFileSync(archive, bytesOf(entries));
    const child = Bun.spawnSync(['tar', ...args, '--file', archive], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    expect(child.stderr.toString()).toBe('');
    return child.stdout.toString();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('GNU tar reads files, folders and links, owned by root and of the epoch', () => {
  const entries: TarEntry[] = [
    file('etc/passwd', 'root:x:0:0\n'),
    { type: 'directory', path: 'etc', mode: 0o755 },
    { type: 'symlink', path: 'bin', target: '/usr/bin' },
    file('run', '#!/bin/sh\n', 0o755),
  ];
  expect(listed(entries).map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
    'lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 bin -> /usr/bin',
    'drwxr-xr-x 0/0 0 1970-01-01 00:00:00 etc/',
    '-rw-r--r-- 0/0 11 1970-01-01 00:00:00 etc/passwd',
    '-rwxr-xr-x 0/0 10 1970-01-01 00:00:00 run',
  ]);
  expect(tar(entries, ['--extract', '--to-stdout', 'etc/passwd'])).toBe('root:x:0:0\n');
});

test('the order of entries changes no byte, a content or a mode does', () => {
  const entries = [file('b', '2'), file('a', '1'), file('c', '3')];
  const digest = digestOf(entries);
  expect(digestOf(entries)).toBe(digest);
  expect(digestOf(entries.toReversed())).toBe(digest);
  expect(digestOf([file('b', '2'), file('a', '1'), file('c', '4')])).not.toBe(digest);
  expect(digestOf([file('b', '2'), file('a', '1'), file('c', '3', 0o755)])).not.toBe(digest);
});

test.each([
  ['the longest name', 'n'.repeat(100)],
  ['one more is divided at a slash', `${'d'.repeat(50)}/${'n'.repeat(60)}`],
  ['the longest prefix', `${'d'.repeat(155)}/${'n'.repeat(100)}`],
  ['a name that fits nowhere', 'n'.repeat(101)],
  ['a path that fits nowhere', `${'d'.repeat(200)}/${'e'.repeat(200)}/n`],
  ['letters of several bytes', `${'ä'.repeat(70)}/é`],
])('long paths: %s', (_name, path) => {
  expect(listed([file(path, 'x')])[0]?.endsWith(` ${path}`)).toBe(true);
});

test('long link targets and long folders', () => {
  const [target, path] = [`/${'t'.repeat(150)}`, 'f'.repeat(120)];
  expect(listed([{ type: 'symlink', path: 'link', target }])[0]).toContain(`link -> ${target}`);
  expect(listed([{ type: 'directory', path, mode: 0o755 }])[0]).toContain(`${path}/`);
});

test.each([0, 1, 511, 512, 513, 1024])('a content of %i bytes is padded to whole blocks', (size) => {
  const entries = [file('f', 'x'.repeat(size)), file('g', 'end')];
  expect(bytesOf(entries).length % 512).toBe(0);
  expect(tar(entries, ['--extract', '--to-stdout', 'g'])).toBe('end');
});

test('paths that repeat or are absolute are refused', () => {
  expect(() => tarArchive([file('a'), file('a')])).toThrow('two entries of the archive are called a');
  expect(() => tarArchive([file('/a')])).toThrow('must be relative');
});
