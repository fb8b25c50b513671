/** A host's root as an init container sees it: a directory with a C library, /proc, and nothing else. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { bindMount, MNT_DETACH, unmount } from '@canal/linux-ffi';

/** The program under test: CANAL_BINARY, or what the build made. */
export function canalBinary(): string {
  const path = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
  if (existsSync(path)) return realpathSync(path);
  throw new Error(`${path} is not there: build it by "npm run build"`);
}

/** The same program with another hash: the runtime does not look behind its own end. */
export function otherVersion(directory: string): string {
  const path = join(directory, 'canal-other');
  writeFileSync(path, Buffer.concat([readFileSync(canalBinary()), Buffer.from('another version\n')]), { mode: 0o755 });
  return path;
}

export type FakeLibc = 'host' | 'old' | 'musl' | 'none';

export interface SetupRun {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** The log, a line an object. */
  readonly log: readonly Record<string, unknown>[];
}

export class FakeHost implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'canal-host-'));
  readonly binDir = join(this.root, 'opt/cni/bin');
  readonly #mounts: string[] = [];

  constructor(libc: FakeLibc = 'host') {
    for (const directory of ['opt/cni/bin', 'proc', 'var/lib'])
      mkdirSync(join(this.root, directory), { recursive: true });
    this.#copyLibc(libc);
    this.bind('/proc', join(this.root, 'proc'));
  }

  bind(source: string, target: string): void {
    bindMount(source, target);
    this.mounted(target);
  }

  /** Something that the test has mounted, to be taken away. */
  mounted(path: string): void {
    this.#mounts.push(path);
  }

  #copyLibc(libc: FakeLibc): void {
    if (libc === 'none') return;
    if (libc === 'musl') {
      mkdirSync(join(this.root, 'lib'));
      writeFileSync(join(this.root, 'lib/ld-musl-x86_64.so.1'), '');
      return;
    }
    for (const path of neededFiles(canalBinary())) {
      const target = join(this.root, path);
      mkdirSync(dirname(target), { recursive: true });
      if (libc === 'old' && basename(path) === 'libc.so.6') writeFileSync(target, olderThan13(path));
      else copyFileSync(realpathSync(path), target);
    }
  }

  install(...args: readonly string[]): SetupRun {
    return this.installAs(canalBinary(), ...args);
  }

  installAs(binary: string, ...args: readonly string[]): SetupRun {
    return this.run([binary, 'node-setup', 'install', `--host-root=${this.root}`, ...args]);
  }

  run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): SetupRun {
    const [program = '', ...args] = argv;
    const { status, signal, stdout, stderr } = spawnSync(program, args, { env: { PATH: process.env['PATH'], ...env } });
    const log = stderr
      .toString()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    return { exitCode: status, signal, stdout: stdout.toString(), log: log.map((line) => JSON.parse(line) as never) };
  }

  /** What the plugin at this name answers on that host. */
  answers(name = 'canal'): string {
    const argv = ['chroot', this.root, `/opt/cni/bin/${name}`];
    return this.run(argv, { CNI_COMMAND: 'VERSION' }).stdout;
  }

  [Symbol.dispose](): void {
    for (const path of this.#mounts.reverse()) unmount(path, MNT_DETACH);
    rmSync(this.root, { recursive: true });
  }
}

/** The loader and the libraries that a program asks for, as ldd(1) tells. */
function neededFiles(binary: string): readonly string[] {
  const text = spawnSync('ldd', [binary], { encoding: 'utf8' }).stdout;
  return [...text.matchAll(/(\/\S+\.so\S*) \(0x/g)].map(([, path = '']) => path);
}

/** As that of 2010 would say: the names of all versions after 2.12 are others, so that no program finds them. */
function olderThan13(libc: string): Buffer {
  const text = readFileSync(realpathSync(libc), 'latin1');
  return Buffer.from(
    text.replace(/GLIBC_2\.(1[3-9]|[2-9][0-9])\0/g, (_, minor: string) => `GLIBC_1.${minor}\0`),
    'latin1',
  );
}
