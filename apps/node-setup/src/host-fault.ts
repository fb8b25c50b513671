/** Why the host does not run the plugin, found from what came of running it: pure, so that every case has a test. */

/** The binary is linked against nothing newer: every distribution since RHEL 7 and Debian 8 has it. */
export const GLIBC_NEEDED = '2.17';

export interface HostRun {
  /** Absent when a signal ended it. */
  readonly exitCode?: number;
  readonly signal?: string;
  readonly timedOut?: boolean;
  readonly stderr: string;
  /** errno name of the exec itself, when not even the loader ran. */
  readonly execError?: string;
}

/** What the installer knows of the host besides. */
export interface HostFacts {
  /** Newest GLIBC_ version that the host's libc.so.6 defines. */
  readonly glibc?: string;
  /** Path of musl's loader, when there is one. */
  readonly muslLoader?: string;
  readonly noexec: boolean;
  readonly binDir: string;
}

export interface Fault {
  readonly message: string;
  readonly cure: string;
}

const RUNS_ON_HOST = 'The CNI plugin runs on the host, with its C library';

export function hostFault(run: HostRun, facts: HostFacts): Fault {
  const { execError, stderr } = run;
  if (execError !== undefined) return execFault(execError, facts);
  const wanted = /version [`'"](GLIBC_[0-9.]+)'? ?not found/.exec(stderr)?.[1];
  if (wanted !== undefined || /libc\.so\.6: .*not found|libc\.so\.6: cannot open/.test(stderr)) {
    const found =
      facts.glibc === undefined ? 'the host has an older glibc or none' : `host glibc ${facts.glibc} is too old`;
    return {
      message: `${found}: ${GLIBC_NEEDED} is needed${wanted === undefined ? '' : ` (the loader misses ${wanted})`}`,
      cure: `${RUNS_ON_HOST}: this node needs a distribution with glibc ${GLIBC_NEEDED} or newer`,
    };
  }
  if (/MemoryDenyWriteExecute|executable memory/i.test(stderr)) {
    return {
      message: 'the host forbids memory that is writable and executable, which calls into libc need',
      cure:
        'Allow it: MemoryDenyWriteExecute=no in the unit of the container runtime, or the SELinux permission execmem ' +
        '(docs/security.md, "Executable memory")',
    };
  }
  if (run.signal === 'SIGILL') {
    return {
      message: 'the processor lacks instructions that this build uses (AVX2)',
      cure: 'Use the image built for older processors: its tag ends in -baseline',
    };
  }
  if (run.timedOut === true) {
    return { message: 'the plugin did not answer on the host in time', cure: 'See whether the node is overloaded' };
  }
  const how = run.signal === undefined ? `ended with exit code ${run.exitCode ?? '?'}` : `was ended by ${run.signal}`;
  const last = stderr.trim().split('\n').slice(-3).join(' | ').slice(0, 500);
  return {
    message: `the plugin ${how} on the host${last === '' ? '' : `: ${last}`}`,
    cure: 'Report it, with this line',
  };
}

function execFault(code: string, { muslLoader, noexec, binDir, glibc }: HostFacts): Fault {
  if (code === 'EACCES' || code === 'EPERM') {
    return noexec
      ? {
          message: `${binDir} is on a file system mounted noexec: nothing can be started from there`,
          cure: 'Mount it without noexec, or set another directory: cni-bin-dir in the ConfigMap, and in the container runtime',
        }
      : {
          message: `starting a program in ${binDir} is forbidden (${code})`,
          cure: 'Look into the audit log of the host: SELinux, AppArmor or fapolicyd has refused it',
        };
  }
  if (code === 'ENOEXEC') {
    return {
      message: `this image is for ${process.arch}, the host has another processor`,
      cure: 'Use the image of the host’s processor',
    };
  }
  if (code === 'ENOENT' && muslLoader !== undefined && glibc === undefined) {
    return {
      message: `the host has the C library musl (${muslLoader}), and the plugin needs glibc ${GLIBC_NEEDED} or newer`,
      cure: `${RUNS_ON_HOST}: this node needs a distribution with glibc, or its compatibility package (Alpine: gcompat is not enough)`,
    };
  }
  if (code === 'ENOENT') {
    return {
      message: 'the host has no program loader for glibc (ld-linux)',
      cure: `${RUNS_ON_HOST}: this node needs a distribution with glibc ${GLIBC_NEEDED} or newer`,
    };
  }
  return { message: `the host cannot start the plugin: ${code}`, cure: 'Report it, with this line' };
}

/** How a run would end, as far as the host's files tell: what is left to do without the right to run programs there. */
export function expectedRun({ noexec, glibc, muslLoader }: HostFacts): HostRun | undefined {
  if (noexec) return { stderr: '', execError: 'EACCES' };
  if (glibc === undefined) return muslLoader === undefined ? undefined : { stderr: '', execError: 'ENOENT' };
  const [needed, found] = [GLIBC_NEEDED, glibc].map((version) => version.split('.').map(Number));
  if (needed === undefined || found === undefined || !isNewer(needed, found)) return undefined;
  return { stderr: `libc.so.6: version \`GLIBC_${GLIBC_NEEDED}' not found`, exitCode: 1 };
}

/** The newest GLIBC_ version that a libc.so.6 names, from its bytes as latin1 text. */
export function newestGlibc(text: string): string | undefined {
  let newest: readonly number[] | undefined;
  for (const [, version = ''] of text.matchAll(/GLIBC_(2\.[0-9]{1,3}(?:\.[0-9]{1,3})?)(?![0-9.])/g)) {
    const parts = version.split('.').map(Number);
    if (newest === undefined || isNewer(parts, newest)) newest = parts;
  }
  return newest?.join('.');
}

function isNewer(a: readonly number[], b: readonly number[]): boolean {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
