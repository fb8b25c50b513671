/**
 * Starts the programs of an unpacked image in a chroot of it, in namespaces of their own: whatever the image
 * lacks shows here. /proc is mounted, as every container runtime does. Another processor's programs run under qemu-user,
 * of which Debian's static build is put into the chroot.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './command.ts';
import { unpackDebianPackages } from './debian-packages.ts';
import { ImageError } from './image-error.ts';
import type { Architecture, Variant } from './variant.ts';

export interface StartedProgram {
  readonly name: string;
  readonly milliseconds: number;
  /** Undefined when it did what was expected. */
  readonly failure?: string;
}

interface Attempt {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Must be in what it prints. */
  readonly expected: string;
}

const CANAL = '/usr/local/bin/canal';
const HOST = 'api.cluster.test';
const ADDRESS = '192.0.2.7';
const LIMIT_MS = 120_000;

const ATTEMPTS: readonly Attempt[] = [
  { name: 'the node agent', args: [CANAL, 'flanneld', '--help'], expected: 'kube-subnet-mgr' },
  { name: 'a link to it', args: ['/usr/local/bin/flanneld', '--help'], expected: 'kube-subnet-mgr' },
  { name: 'the command line', args: [CANAL, 'canalctl', '--help'], expected: 'Usage: canalctl' },
  { name: 'the CNI plugin', args: [CANAL], env: { CNI_COMMAND: 'VERSION' }, expected: 'supportedVersions' },
  {
    name: 'system calls, netlink',
    args: [CANAL, '-e', callsOf('libc.so.6')],
    env: { BUN_BE_BUN: '1' },
    expected: 'netlink socket, JIT',
  },
  {
    name: 'name of the API server',
    args: [CANAL, '-e', `console.log((await require('node:dns').promises.lookup('${HOST}')).address)`],
    env: { BUN_BE_BUN: '1' },
    expected: ADDRESS,
  },
];

/** The runtime inside of the binary, asked for what the agent lives on: a socket by way of bun:ffi, compiled code. */
function callsOf(library: string): string {
  return `const { dlopen } = require('bun:ffi');
    const { symbols } = dlopen('${library}', { socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' } });
    if (symbols.socket(16, 3, 0) < 0) throw new Error('no netlink socket');
    let sum = 0; for (let i = 0; i < 3e6; i++) sum = (sum * 31 + i) | 0;
    console.log('netlink socket, JIT', sum);`;
}

/** @param directory the unpacked layer; files that the kubelet would mount are written there */
export function startPrograms(directory: string, variant: Variant, version: string): readonly StartedProgram[] {
  writeFileSync(join(directory, 'etc/hosts'), `127.0.0.1 localhost\n${ADDRESS} ${HOST}\n`);
  mkdirSync(join(directory, 'proc'), { recursive: true });
  const emulator = emulatorFor(variant, directory);
  const all = [{ name: 'the version', args: [CANAL, '--version'], expected: version }, ...ATTEMPTS];
  return all.map((attempt) => start(directory, emulator, attempt));
}

function start(directory: string, emulator: readonly string[], attempt: Attempt): StartedProgram {
  // The runtime reads its stack's bounds in /proc/self/maps and aborts without.
  const enter = ['--net', '--mount', '--pid', '--fork', '--kill-child', `--mount-proc=${join(directory, 'proc')}`];
  // An unprivileged user may do this too, in a user namespace.
  if (process.getuid?.() !== 0) enter.push('--map-root-user');
  const began = performance.now();
  const result = spawnSync('unshare', [...enter, 'chroot', directory, ...emulator, ...attempt.args], {
    encoding: 'utf8',
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    env: { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...attempt.env },
  });
  const milliseconds = Math.round(performance.now() - began);
  const { name, expected } = attempt;
  if (result.error !== undefined) return { name, milliseconds, failure: result.error.message };
  const said = `${result.stdout}${result.stderr}`.trim();
  if (result.status === 0 && said.includes(expected)) return { name, milliseconds };
  return { name, milliseconds, failure: `ended with ${String(result.status ?? result.signal)}: ${said.slice(0, 800)}` };
}

const EMULATORS: Readonly<Record<Architecture, string>> = { amd64: 'qemu-x86_64-static', arm64: 'qemu-aarch64-static' };

/** The words to put before a command; none when this processor runs it. */
function emulatorFor({ architecture, baseline }: Variant, directory: string): readonly string[] {
  const own = process.arch === 'x64' ? 'amd64' : process.arch;
  if (architecture === own && !baseline) return [];
  const host = own === 'amd64' || own === 'arm64' ? own : undefined;
  if (host === undefined) throw new ImageError(`no qemu-user for ${own} is known here`);
  const program = EMULATORS[architecture];
  using debian = unpackDebianPackages(host, ['qemu-user-static']);
  copyFileSync(join(debian.packages[0]?.directory ?? '', 'usr/bin', program), join(directory, program));
  // Nehalem is of 2008 and has neither AVX nor AVX2.
  return [`/${program}`, ...(baseline ? ['-cpu', 'Nehalem'] : [])];
}

/** Unpacks the layer of an archive with tar(1) and not with anything of ours. */
export function unpackArchive(archive: string, directory: string): void {
  const outer = join(directory, 'archive');
  const root = join(directory, 'root');
  mkdirSync(outer);
  mkdirSync(root);
  command('tar', ['-xf', archive, '-C', outer]);
  const manifest = JSON.parse(readFileSync(join(outer, 'manifest.json'), 'utf8')) as readonly { Layers: string[] }[];
  for (const layer of manifest[0]?.Layers ?? []) command('tar', ['-xf', join(outer, layer), '-C', root]);
  rmSync(outer, { recursive: true });
}
