/** Runs a program of the host with the host's C library, and says why it cannot. */
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { execInRoot, isLinuxError, mountOptionsOf, openNetlinkConnection } from '@canal/linux-ffi';
import { expectedRun, type Fault, hostFault, type HostFacts, type HostRun, newestGlibc } from './host-fault.ts';
import { hostPathOf, resolveInRoot } from './host-path.ts';

const TIMEOUT_MS = 20_000;
/** Exit code of `exec-in-root` itself: 0..2 and 126.. are used by what it starts. */
const EXIT_NOT_STARTED = 97;

export type HostProof =
  | { readonly type: 'proven' }
  | { readonly type: 'fault'; readonly fault: Fault }
  /** Without CAP_SYS_CHROOT, or /proc there: the host's files alone were looked at, and they say nothing against it. */
  | { readonly type: 'looked-at' };

/** Whether the host runs the binary as a plugin and with all that plugins need. `root`: where the host's / is. */
export function proveOnHost(root: string, path: string): HostProof {
  // A compiled program finds itself by /proc/self/exe.
  if (!existsSync(join(root, 'proc/self/exe'))) return lookAtHost(root, path);
  for (const { args, env, isGood } of ATTEMPTS) {
    const run = runOnHost(root, path, args, env);
    if (run.notPermitted) return lookAtHost(root, path);
    if (run.exitCode === 0 && isGood(run.stdout)) continue;
    return { type: 'fault', fault: hostFault(run, factsOf(root, path)) };
  }
  return { type: 'proven' };
}

function lookAtHost(root: string, path: string): HostProof {
  const facts = factsOf(root, path);
  const run = expectedRun(facts);
  return run === undefined ? { type: 'looked-at' } : { type: 'fault', fault: hostFault(run, facts) };
}

const ATTEMPTS: readonly Attempt[] = [
  // What a runtime does first.
  { args: [], env: { CNI_COMMAND: 'VERSION' }, isGood: (stdout) => stdout.includes('supportedVersions') },
  // VERSION touches nothing: this one calls into libc and opens a netlink socket.
  { args: ['node-setup', 'self-test'], env: {}, isGood: () => true },
];

interface Attempt {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly isGood: (stdout: string) => boolean;
}

interface FinishedRun extends HostRun {
  readonly stdout: string;
  readonly notPermitted: boolean;
}

function runOnHost(
  root: string,
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): FinishedRun {
  const command = [process.execPath, 'node-setup', 'exec-in-root', root, hostPathOf(root, path), ...args];
  const startedMs = performance.now();
  const child = Bun.spawnSync(command, { env: { ...env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, timeout: TIMEOUT_MS });
  const stderr = child.stderr.toString();
  const failure = child.exitCode === EXIT_NOT_STARTED ? parseStartFailure(stderr) : undefined;
  return {
    stdout: child.stdout.toString(),
    stderr,
    ...(child.signalCode === undefined ? { exitCode: child.exitCode } : { signal: String(child.signalCode) }),
    timedOut: child.signalCode !== undefined && performance.now() - startedMs >= TIMEOUT_MS,
    ...(failure !== undefined && { execError: failure.code }),
    notPermitted: failure?.operation === 'chroot' && failure.code === 'EPERM',
  };
}

interface StartFailure {
  readonly operation: string;
  readonly code: string;
}

function parseStartFailure(stderr: string): StartFailure {
  const [, operation = '', code = ''] = /^not-started ([a-z]+) ([A-Z0-9]+)$/m.exec(stderr) ?? [];
  return { operation, code };
}

/** `node-setup exec-in-root ROOT PATH ARGS…`: the inner half. Returns only when it fails. */
export function execInRootProgram([root = '', ...argv]: readonly string[]): number {
  const names = Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  try {
    return execInRoot(root, argv, Object.fromEntries(names) as Record<string, string>);
  } catch (error) {
    if (!isLinuxError(error, 'EPERM', 'EACCES', 'ENOENT', 'ENOEXEC', 'ENOTDIR', 'ELOOP', 'ENOMEM', 'EIO', 'EINVAL'))
      throw error;
    writeSync(2, `not-started ${error.operation} ${error.code}\n`);
    return EXIT_NOT_STARTED;
  }
}

/** `node-setup self-test`: what the plugin needs beside files. Throws what the host forbids. */
export function selfTest(): number {
  openNetlinkConnection()[Symbol.dispose]();
  return 0;
}

const LIBC_PATHS = [
  '/lib64/libc.so.6',
  '/usr/lib64/libc.so.6',
  '/lib/x86_64-linux-gnu/libc.so.6',
  '/lib/aarch64-linux-gnu/libc.so.6',
  '/usr/lib/libc.so.6',
  '/lib/libc.so.6',
];
const MUSL_PATHS = ['/lib/ld-musl-x86_64.so.1', '/lib/ld-musl-aarch64.so.1'];

function factsOf(root: string, path: string): HostFacts {
  const binDir = hostPathOf(root, path).replace(/\/[^/]*$/, '');
  const glibc = firstOf(LIBC_PATHS, (libc) => newestGlibc(readFileSync(resolveInRoot(root, libc), 'latin1')));
  const muslLoader = firstOf(MUSL_PATHS, (loader) => {
    readFileSync(resolveInRoot(root, loader));
    return loader;
  });
  const options = mountOptionsOf(readFileSync('/proc/self/mountinfo', 'utf8'), path);
  return {
    noexec: options?.has('noexec') === true,
    binDir,
    ...(glibc !== undefined && { glibc }),
    ...(muslLoader !== undefined && { muslLoader }),
  };
}

/** The first answer of those paths that can be read. */
function firstOf(paths: readonly string[], ask: (path: string) => string | undefined): string | undefined {
  for (const path of paths) {
    try {
      const answer = ask(path);
      if (answer !== undefined) return answer;
    } catch {
      // Not there, or unreadable: the next one.
    }
  }
  return undefined;
}
