/** What of a lab is on the machine, asked of the machine rather than of the lab: for comparing before and after. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Inventory {
  readonly namespaces: readonly string[];
  readonly mounts: readonly string[];
  /** Command lines of living processes that name the lab or its files. */
  readonly processes: readonly string[];
  readonly files: readonly string[];
  /** All devices of the host's own namespace: a lab makes none there. */
  readonly hostLinks: readonly string[];
}

export function takeInventory(lab: string, stateRoot: string): Inventory {
  const prefix = `canal-${lab}.`;
  return {
    namespaces: list('/run/netns').filter((name) => name.startsWith(prefix)),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(prefix) || line.includes(stateRoot)),
    processes: list('/proc').flatMap((pid) => processOf(pid, stateRoot)),
    files: existsSync(stateRoot) ? [stateRoot, ...list(stateRoot).map((name) => join(stateRoot, name))] : [],
    hostLinks: list('/sys/class/net'),
  };
}

/** The lab's own programs all have a path below its state root among their arguments, or stand in a namespace of its. */
function processOf(pid: string, stateRoot: string): readonly string[] {
  if (!/^[0-9]+$/.test(pid) || Number(pid) === process.pid) return [];
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    // A killed process that its parent has not asked about yet has no command line.
    return command.includes(stateRoot) ? [command] : [];
  } catch {
    return [];
  }
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
