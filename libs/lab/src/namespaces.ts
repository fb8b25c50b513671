/** The lab's network namespaces: mounted where `ip netns` looks for them, under names no other lab can have. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createNetns, netnsIdentity, openNetlinkConnection, removeNetns, withNetns } from '@canal/linux-ffi';
import { type NetlinkConnection } from 'netlink-ts';
import { livingPids } from './processes.ts';
import { namespacePrefix } from './topology.ts';

const NETNS_DIRECTORY = '/run/netns';

/** `/run/netns/NAME`, as CNI_NETNS and `ip netns exec NAME` want it. */
export function namespacePath(name: string): string {
  return `${NETNS_DIRECTORY}/${name}`;
}

/** Makes the namespace unless it is there. Throws LinuxError EPERM without root. */
export function ensureNamespace(name: string): void {
  const path = namespacePath(name);
  if (netnsIdentity(path) !== undefined) return;
  // What a killed creation left: a mount point without a mount.
  removeNetns(path);
  createNetns(path);
}

export function removeNamespace(name: string): void {
  removeNetns(namespacePath(name));
}

export function namespaceExists(name: string): boolean {
  return netnsIdentity(namespacePath(name)) !== undefined;
}

/** Every namespace of the lab, half-made ones among them. */
export function listNamespaces(lab: string): readonly string[] {
  const prefix = namespacePrefix(lab);
  try {
    return readdirSync(NETNS_DIRECTORY).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

/** Where `lab up` tries out what the machine can do: named after its process. */
export function probePath(): string {
  return namespacePath(`${probePrefix()}${process.pid}`);
}

/** Another PID namespace that shares the directory (a container's) has other processes under the same numbers. */
function probePrefix(): string {
  const { ino } = statSync('/proc/self/ns/pid');
  return `canal-probe-${ino}-`;
}

/** Removes the probes of processes of this PID namespace that were killed while they tried. */
export function removeDeadProbes(): void {
  if (process.getuid?.() !== 0) return;
  let names: readonly string[];
  try {
    names = readdirSync(NETNS_DIRECTORY);
  } catch {
    return;
  }
  // Read after the names: a probe that was made since then is not among them.
  const prefix = probePrefix();
  const living = new Set(livingPids().map((pid) => `${prefix}${pid}`));
  for (const name of names) if (name.startsWith(prefix) && !living.has(name)) removeNamespace(name);
}

type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

/** Runs the callback in the namespace: synchronous, or what it starts would be elsewhere (see linux-ffi). */
export function inNamespace<T>(name: string, callback: () => Synchronous<T>): Synchronous<T> {
  return withNetns(namespacePath(name), callback);
}

/** A connection to the kernel's routing in the namespace; dispose it. */
export function rtnetlinkIn(name: string): NetlinkConnection {
  return openNetlinkConnection({ netns: namespacePath(name) });
}

/** A process that keeps a namespace alive although its name is gone. */
export interface Occupant {
  readonly pid: number;
  readonly command: string;
  readonly namespace: string;
}

/** Who is inside the namespaces: what users started there themselves with `ip netns exec`, for instance. */
export function findOccupants(names: readonly string[]): readonly Occupant[] {
  const wanted = new Map<string, string>();
  for (const name of names) {
    const identity = netnsIdentity(namespacePath(name));
    if (identity !== undefined) wanted.set(identity, name);
  }
  if (wanted.size === 0) return [];
  return livingPids().flatMap((pid) => {
    const namespace = wanted.get(namespaceOfProcess(pid) ?? '');
    return namespace === undefined ? [] : [{ pid, namespace, command: commandOf(pid) }];
  });
}

/** Undefined when the process is gone, or guarded even from root (a container's PID 1). */
function namespaceOfProcess(pid: number): string | undefined {
  try {
    return netnsIdentity(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}
