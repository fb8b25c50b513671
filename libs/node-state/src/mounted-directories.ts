/**
 * Directories of the host that are mounted into the agent's container, one by one. When such a directory is deleted or
 * renamed on the host and made anew, the mount stays with the old one: what is written there reaches nobody. Only a new
 * start of the container mounts the new one.
 */
import type { Clock } from '@canal/runtime-port';

const POLL_MS = 3_000;
/** The Event is on its way to the API server when the agent ends. */
const TELL_MS = 2_000;

export interface MountWatchDeps {
  /** Content of /proc/self/mountinfo. */
  readonly readMountinfo: () => string;
  readonly clock: Clock;
  /** Telemetry's ProblemLog. */
  readonly problems: { update(source: string, complaints: readonly MountComplaint[]): void };
}

export interface MountComplaint {
  readonly key: string;
  readonly severity: 'error';
  readonly event: 'HostDirectoryReplaced';
  readonly message: string;
}

/** Resolves when the signal aborts. Throws when one of the directories, a mount of its own, is not the host's any more. */
export async function watchMountedDirectories(
  directories: readonly string[],
  deps: MountWatchDeps,
  signal: AbortSignal,
): Promise<void> {
  const first = mountRoots(deps.readMountinfo());
  const mounted = new Map([...first].filter(([point]) => directories.includes(point)));
  try {
    // On the host itself there is none: each write looks its directory up by name.
    if (mounted.size === 0) await aborted(signal);
    else throw new Error(await lossOf(mounted, deps, signal));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Resolves with what to say when one of the mounts does not show what it showed. */
async function lossOf(
  mounted: ReadonlyMap<string, string>,
  { readMountinfo, clock, problems }: MountWatchDeps,
  signal: AbortSignal,
): Promise<string> {
  for (;;) {
    const now = mountRoots(readMountinfo());
    const lost = [...mounted].find(([point, root]) => now.get(point) !== root)?.[0];
    if (lost !== undefined) {
      const message =
        `${lost} is a mount of a directory of the host that was deleted or renamed there (${now.get(lost) ?? 'not mounted'}): ` +
        `the agent ends, so that the kubelet mounts the new one. Traffic goes on meanwhile`;
      problems.update('mounts', [{ key: lost, severity: 'error', event: 'HostDirectoryReplaced', message }]);
      await clock.sleep(TELL_MS, signal);
      return message;
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/**
 * Mount points with the directory that each shows, by its path on its file system (proc_pid_mountinfo(5), fields 5 and 4).
 * The kernel gives the path as it is now: renamed, or with `//deleted` behind.
 */
export function mountRoots(mountinfo: string): ReadonlyMap<string, string> {
  const roots = new Map<string, string>();
  for (const line of mountinfo.split('\n')) {
    const [, , , root, point] = line.split(' ');
    // Of two mounts on one point the later line lies on top.
    if (root !== undefined && point !== undefined) roots.set(unescape(point), unescape(root));
  }
  return roots;
}

/** Blanks and the like stand there as \040. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
