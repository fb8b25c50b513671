/** Ends all processes of a cgroup or of a network namespace, whatever they are called. */
import { existsSync, statSync } from 'node:fs';

import { cgroupProcesses, removeCgroup, thawCgroup } from './cgroup.ts';
import { ClusterError } from './failure.ts';
import { endProcesses, identify, networkOf, processesWhere } from './process.ts';

/** Ends every process of a cgroup tree and removes it. */
export async function killCgroup(name: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    // runc freezes a container for a moment; ended itself in that moment, it leaves one that no signal reaches.
    thawCgroup(name);
    const pids = cgroupProcesses(name);
    await endProcesses(identify(pids), 0);
    if (removeCgroup(name)) return;
    if (Date.now() > deadline) throw new ClusterError('failed', `cgroup ${name} still has processes ${pids.join(' ')}`);
    await Bun.sleep(50);
  }
}

/**
 * Ends every process of the network namespace that a file keeps. A file that keeps none (its mount is gone) is left alone,
 * and so are the processes of the machine's own namespace.
 */
export async function killNetwork(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const kept = statSync(path);
  const own = statSync('/proc/self/ns/net');
  if (kept.dev !== own.dev || kept.ino === own.ino) return;
  await endProcesses(identify(processesWhere((pid) => networkOf(pid) === `net:[${kept.ino}]`)), 0);
}
