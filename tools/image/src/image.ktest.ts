/** The image of this machine's processor, built twice and judged by tar, sha256sum, nm and a chroot of its files. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archiveOf, imageTree, type ImageArchive, type ImageTree } from './build-image.ts';
import { startPrograms, unpackArchive } from './start-programs.ts';
import { parseVariant } from './variant.ts';

const variant = parseVariant(undefined, undefined, process.arch);
let directory: string;
let root: string;
let tree: ImageTree;
let archive: ImageArchive;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-image-test-'));
  root = join(directory, 'root');
  tree = imageTree(variant);
  archive = archiveOf(variant, tree);
  writeFileSync(join(directory, 'image.tar'), Buffer.concat(archive.chunks));
  unpackArchive(join(directory, 'image.tar'), directory);
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const run = (...argv: string[]): string => Bun.spawnSync(argv, { cwd: directory }).stdout.toString();

test('a second build from the sources gives the same digest', () => {
  const again = imageTree(variant);
  // The commit of a working copy may change under way; everything else may not.
  expect(archiveOf(variant, { ...again, source: tree.source }).digest).toBe(archive.digest);
});

test('the layer that the archive holds has the digest that its configuration names', () => {
  const [manifest] = JSON.parse(run('tar', '-xOf', 'image.tar', 'manifest.json')) as [
    { Config: string; Layers: [string] },
  ];
  const config = JSON.parse(run('tar', '-xOf', 'image.tar', manifest.Config)) as { rootfs: { diff_ids: string[] } };
  const layer = run('sh', '-c', `tar -xOf image.tar ${manifest.Layers[0]} | sha256sum`).split(' ')[0];
  expect(config.rootfs.diff_ids).toEqual([`sha256:${String(layer)}`]);
  expect(archive.diffId).toBe(`sha256:${String(layer)}`);
});

test('the binary, its C library, certificates, a user and records; below 130 MB', () => {
  const libraries = run('find', 'root/lib', '-name', '*.so.*', '-printf', '%f\n').trim().split('\n').toSorted();
  expect(libraries.filter((name) => !name.startsWith('ld-linux'))).toEqual([
    'libc.so.6',
    'libdl.so.2',
    'libm.so.6',
    'libpthread.so.0',
  ]);
  const programs = run('find', 'root', '-type', 'f', '-perm', '-u+x', '-not', '-name', '*.so.*').trim().split('\n');
  expect(programs).toEqual(['root/usr/local/bin/canal']);
  const others = run('find', 'root', '-type', 'f', '-not', '-perm', '-u+x', '-printf', '%P\n').trim().split('\n');
  expect(others.toSorted()).toEqual([
    'etc/group',
    'etc/nsswitch.conf',
    'etc/os-release',
    'etc/passwd',
    'etc/ssl/certs/ca-certificates.crt',
    'usr/share/doc/ca-certificates/copyright',
    'usr/share/doc/canal/LICENSE',
    'usr/share/doc/canal/THIRD-PARTY',
    'usr/share/doc/libc6/copyright',
    'var/lib/dpkg/status.d/ca-certificates',
    'var/lib/dpkg/status.d/libc6',
  ]);
  expect(run('find', 'root', '-perm', '/6000', '-o', '-perm', '-o+w', '-not', '-type', 'l')).toBe('');
  expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toContain('canal:x:65532:65532:');
  expect(archive.size).toBeLessThan(130e6);
});

test('openssl reads more than a hundred authorities in the bundle', () => {
  const bundle = 'root/etc/ssl/certs/ca-certificates.crt';
  const subjects = run('sh', '-c', `openssl crl2pkcs7 -nocrl -certfile ${bundle} | openssl pkcs7 -print_certs -noout`);
  expect(subjects.match(/^subject=/gm)?.length).toBeGreaterThan(100);
});

describe('in a chroot of nothing but the image', () => {
  test('every program starts, makes system calls, compiles and finds a name in /etc/hosts', () => {
    const started = startPrograms(root, variant, tree.source.version);
    expect(started.filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(started.length).toBeGreaterThanOrEqual(7);
  });

  test('a program that the image lacks a library for does not start', () => {
    const [library, aside] = [run('find', 'root/lib', '-name', 'libm.so.6').trim(), 'libm.so.6'];
    expect(library).not.toBe('');
    run('mv', library, aside);
    const started = startPrograms(root, variant, tree.source.version);
    run('mv', aside, library);
    expect(existsSync(join(directory, library))).toBe(true);
    expect(started.filter(({ failure }) => failure?.includes('libm.so.6') !== true)).toEqual([]);
  });

  test('a name of the API server is found by DNS', () => {
    // A server of one answer, 192.0.2.53, in the same network namespace; the image's resolver asks it.
    const server = `const socket = await Bun.udpSocket({ port: 53, hostname: '127.0.0.1', socket: { data(s, query, port, host) {
      const end = query.indexOf(0, 12) + 5; const isA = query[end - 3] === 1;
      const head = Buffer.from(query.subarray(0, end)); head[2] = 0x81; head[3] = 0x80; head[7] = isA ? 1 : 0; head.fill(0, 8, 12);
      const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 53]);
      s.send(isA ? Buffer.concat([head, answer]) : head, port, host); } } });
      const asked = Bun.spawn(['chroot', ${JSON.stringify(root)}, '/usr/local/bin/canal', '-e',
        "console.log((await require('node:dns').promises.lookup('kubernetes.dns.test', { family: 4 })).address)"],
        { env: { ...process.env, BUN_BE_BUN: '1' }, stderr: 'inherit' });
      console.log(await new Response(asked.stdout).text()); process.exit(0);`;
    writeFileSync(join(root, 'etc/resolv.conf'), 'nameserver 127.0.0.1\n');
    const inside = `mount -t proc proc ${root}/proc && ip link set lo up && exec "$0" -e "$1"`;
    const answer = run('unshare', '--net', '--mount', 'sh', '-c', inside, process.execPath, server);
    expect(answer.trim()).toBe('192.0.2.53');
  });
});
