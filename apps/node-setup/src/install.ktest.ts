/** The installer as an init container runs it, on hosts of every kind; judged by what the host's plugin answers then. */
import { spawn } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mount, MS } from '@canal/linux-ffi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canalBinary, FakeHost, type FakeLibc, otherVersion } from './testing/fake-host.ts';

let directory: string;
/** Another version of the plugin. */
let other: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-install-'));
  other = otherVersion(directory);
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const sha256 = (path: string): string => Bun.CryptoHasher.hash('sha256', readFileSync(path), 'hex');
const filesIn = (host: FakeHost): string[] => readdirSync(host.binDir).sort();
const placed = (host: FakeHost): string => sha256(join(host.binDir, 'canal'));

/** Puts the other version there, as an earlier install did. */
function withOld(host: FakeHost): string {
  expect(host.installAs(other).exitCode).toBe(0);
  return placed(host);
}

describe('on a host that can run it', () => {
  test('plugin and loopback are there, root’s, 0755, one file on disk; the hash is in the log', () => {
    using host = new FakeHost();
    const { exitCode, log } = host.install();
    expect(exitCode).toBe(0);
    expect(filesIn(host)).toEqual(['canal', 'loopback']);
    const [canal, loopback] = [lstatSync(join(host.binDir, 'canal')), lstatSync(join(host.binDir, 'loopback'))];
    expect({ mode: canal.mode & 0o7777, uid: canal.uid, gid: canal.gid }).toEqual({ mode: 0o755, uid: 0, gid: 0 });
    expect(loopback.ino).toBe(canal.ino);
    expect(log).toContainEqual(expect.objectContaining({ sha256: sha256(canalBinary()), outcome: 'installed' }));
    for (const name of filesIn(host)) expect(host.answers(name)).toContain('supportedVersions');
  });

  test('again changes nothing but a wrong mode', () => {
    using host = new FakeHost();
    host.install();
    const before = statSync(join(host.binDir, 'canal'));
    expect(host.run(['chmod', '4777', join(host.binDir, 'canal')]).exitCode).toBe(0);
    const { exitCode, log } = host.install();
    const after = statSync(join(host.binDir, 'canal'));
    expect(exitCode).toBe(0);
    expect(log).toContainEqual(expect.objectContaining({ outcome: 'unchanged' }));
    expect({ ino: after.ino, mtimeMs: after.mtimeMs, mode: after.mode & 0o7777 }).toEqual({
      ino: before.ino,
      mtimeMs: before.mtimeMs,
      mode: 0o755,
    });
  });

  test('a new version takes the place of the old one, loopback goes with it, nothing else is left', () => {
    using host = new FakeHost();
    withOld(host);
    expect(host.install().log).toContainEqual(expect.objectContaining({ outcome: 'replaced' }));
    expect(placed(host)).toBe(sha256(canalBinary()));
    expect(sha256(join(host.binDir, 'loopback'))).toBe(sha256(canalBinary()));
    expect(filesIn(host)).toEqual(['canal', 'loopback']);
  });

  test('a loopback of others is never touched, not by an upgrade either', () => {
    using host = new FakeHost();
    writeFileSync(join(host.binDir, 'loopback'), 'somebody’s');
    withOld(host);
    const { log } = host.install();
    expect(readFileSync(join(host.binDir, 'loopback'), 'utf8')).toBe('somebody’s');
    expect(log).toContainEqual(expect.objectContaining({ outcome: 'foreign' }));
  });

  test('--no-loopback', () => {
    using host = new FakeHost();
    expect(host.install('--no-loopback').exitCode).toBe(0);
    expect(filesIn(host)).toEqual(['canal']);
  });

  test('the directory may be a link of the host, and may be given with the mount in front', () => {
    using host = new FakeHost();
    mkdirSync(join(host.root, 'usr/libexec/cni'), { recursive: true });
    symlinkSync('/usr/libexec/cni', join(host.root, 'opt/linked'));
    expect(host.install(`--bin-dir=${host.root}/opt/linked`).exitCode).toBe(0);
    expect(readdirSync(join(host.root, 'usr/libexec/cni')).sort()).toEqual(['canal', 'loopback']);
  });

  test('two at once: both succeed', async () => {
    using host = new FakeHost();
    const start = async (binary: string): Promise<number | null> => {
      const child = spawn(binary, ['node-setup', 'install', `--host-root=${host.root}`], { stdio: 'ignore' });
      return await new Promise((resolve) => child.once('exit', resolve));
    };
    expect(await Promise.all([start(canalBinary()), start(other)])).toEqual([0, 0]);
    expect(host.answers()).toContain('supportedVersions');
    expect(filesIn(host)).toEqual(['canal', 'loopback']);
  });

  test('without CAP_SYS_CHROOT the host is only looked at, and that is said', () => {
    using host = new FakeHost();
    const argv = [canalBinary(), 'node-setup', 'install', `--host-root=${host.root}`];
    const { exitCode, log } = host.run(['setpriv', '--bounding-set=-sys_chroot', '--inh-caps=-sys_chroot', ...argv]);
    expect(exitCode).toBe(0);
    expect(log).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: expect.stringContaining('CAP_SYS_CHROOT') as string }),
    );
    expect(host.answers()).toContain('supportedVersions');
  });
});

describe('on a host that cannot run it', () => {
  test.each<[FakeLibc, RegExp]>([
    ['old', /host glibc 2\.12 is too old: 2\.17 is needed/],
    ['musl', /musl \(\/lib\/ld-musl-x86_64\.so\.1\)/],
    ['none', /no program loader for glibc/],
  ])('libc %s: exit code 1, it says why, and nothing is left', (libc, says) => {
    using host = new FakeHost(libc);
    writeFileSync(join(host.binDir, 'canal'), 'the old one');
    const { exitCode, log } = host.install();
    expect(exitCode).toBe(1);
    expect(log.at(-1)).toMatchObject({ level: 'error', code: 'host' });
    expect(log.at(-1)?.['msg']).toMatch(says);
    expect(log.at(-1)?.['cure']).toMatch(/glibc/);
    expect(filesIn(host)).toEqual(['canal']);
    expect(readFileSync(join(host.binDir, 'canal'), 'utf8')).toBe('the old one');
  });

  test('without the right to run it, an old C library is found all the same', () => {
    using host = new FakeHost('old');
    const argv = [canalBinary(), 'node-setup', 'install', `--host-root=${host.root}`];
    const { exitCode, log } = host.run(['setpriv', '--bounding-set=-sys_chroot', '--inh-caps=-sys_chroot', ...argv]);
    expect(exitCode).toBe(1);
    expect(log.at(-1)?.['msg']).toMatch(/host glibc 2\.12 is too old/);
  });

  test('a directory mounted noexec', () => {
    using host = new FakeHost();
    mount('tmpfs', host.binDir, 'tmpfs', MS.NOEXEC);
    host.mounted(host.binDir);
    const { exitCode, log } = host.install();
    expect(exitCode).toBe(1);
    expect(log.at(-1)?.['msg']).toMatch(/\/opt\/cni\/bin is on a file system mounted noexec/);
    expect(filesIn(host)).toEqual([]);
  });

  test('a read-only directory', () => {
    using host = new FakeHost();
    mount('tmpfs', host.binDir, 'tmpfs', MS.RDONLY);
    host.mounted(host.binDir);
    const { exitCode, log } = host.install();
    expect(exitCode).toBe(1);
    expect(log.at(-1)).toMatchObject({ code: 'files', msg: '/opt/cni/bin is read-only' });
  });

  test('executable memory forbidden: the installer itself says so', () => {
    using host = new FakeHost();
    // Without memory that is writable and executable the runtime has no JIT: the same state from inside.
    const run = spawnWithout(host);
    expect(run.exitCode).not.toBe(0);
    expect(run.stderr).toContain('MemoryDenyWriteExecute');
    expect(filesIn(host)).toEqual([]);
  });
});

function spawnWithout(host: FakeHost): { exitCode: number; stderr: string } {
  const { exitCode, stderr } = Bun.spawnSync([canalBinary(), 'node-setup', 'install', `--host-root=${host.root}`], {
    env: { BUN_JSC_useJIT: '0' },
  });
  return { exitCode, stderr: stderr.toString() };
}

describe('what happens on the way', () => {
  test('a full disk: it says how much is free, the old one stays and works', () => {
    using host = new FakeHost();
    mount('tmpfs', host.binDir, 'tmpfs', 0, 'size=200m');
    host.mounted(host.binDir);
    const old = withOld(host);
    const { exitCode, log } = host.install();
    expect(exitCode).toBe(1);
    expect(log.at(-1)).toMatchObject({ code: 'files' });
    expect(log.at(-1)?.['msg']).toMatch(/no room for the plugin in \/opt\/cni\/bin: \d+ MiB are free/);
    expect(placed(host)).toBe(old);
    expect(host.answers()).toContain('supportedVersions');
    expect(filesIn(host)).toEqual(['canal', 'loopback']);
    expect(statfsSync(host.binDir).bavail).toBeGreaterThan(0);
  });

  test('SIGKILL at any moment leaves the old one or the new one, working; the next install ends well', async () => {
    using host = new FakeHost();
    const old = withOld(host);
    const fresh = sha256(canalBinary());
    const seen = new Set<string>();
    const startedMs = performance.now();
    expect(host.installAs(other).exitCode).toBe(0);
    const wholeMs = performance.now() - startedMs + 500;
    // Later and later, on a machine that has become slower since the whole was measured, too.
    for (let round = 0; round < 16 || (seen.size < 2 && round < 64); round++) {
      const toNew = placed(host) === old;
      const child = spawn(toNew ? canalBinary() : other, ['node-setup', 'install', `--host-root=${host.root}`], {
        stdio: 'ignore',
      });
      const exited = new Promise((resolve) => child.once('exit', resolve));
      await Bun.sleep((wholeMs * (round + 1)) / 16);
      child.kill('SIGKILL');
      await exited;
      const found = placed(host);
      expect([old, fresh]).toContain(found);
      seen.add(found);
      expect(host.answers()).toContain('supportedVersions');
    }
    expect(seen.size).toBe(2);
    expect(host.install().exitCode).toBe(0);
    expect(placed(host)).toBe(fresh);
    expect(filesIn(host)).toEqual(['canal', 'loopback']);
  }, 300_000);

  test('what died between the rename and the proof, with a file that does not work, is taken back', () => {
    using host = new FakeHost();
    const old = withOld(host);
    linkSync(join(host.binDir, 'canal'), join(host.binDir, '.canal.old'));
    rmSync(join(host.binDir, 'canal'));
    writeFileSync(join(host.binDir, 'canal'), 'no program', { mode: 0o755 });
    const { log } = host.installAs(other);
    expect(log).toContainEqual(expect.objectContaining({ recovered: 'restored', outcome: 'unchanged' }));
    expect(placed(host)).toBe(old);
    expect(filesIn(host)).toEqual(['canal', 'loopback']);
  });
});

test.each<[string, string[], RegExp]>([
  ['no such command', ['instal'], /"instal" is no command/],
  ['an unknown flag', ['install', '--bindir=/x'], /--bindir/],
  ['a relative path', ['install', '--bin-dir=opt'], /--bin-dir: "opt": expected an absolute path/],
])('%s is exit code 2', (_name, args, says) => {
  const child = Bun.spawnSync([canalBinary(), 'node-setup', ...args]);
  expect(child.exitCode).toBe(2);
  expect(child.stderr.toString()).toMatch(says);
});
