/**
 * <stateDir>/sysctls.json: what the host's network switches were before canal changed them, so that an uninstall can put
 * them back. They are void after a boot, and so is the record: it holds the boot's id.
 *
 * Two switches change others with them (ip-sysctl): conf/all/forwarding sets that of every device and of conf/default, and
 * IPv4's turns conf/all/accept_redirects over as well; those are recorded with it. Switches of devices that are gone by then
 * need no restoring.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { NetworkKernel } from '@canal/kernel-port';
import type { DesiredSysctl, NetworkOperation } from '@canal/model';
import { removeIfPresent, writeFileAtomic } from './atomic-file.ts';
import { errnoOf, ioError } from './node-state-error.ts';
import { readIfPresent } from './present-file.ts';

export interface SysctlRecordOptions {
  readonly stateDir: string;
  /** Where /proc/sys/net is. It shows the network namespace of this process. */
  readonly netDir: string;
  readonly bootId: string;
}

export interface SysctlChange {
  /** As sysctl(8) takes it: `net.ipv4.conf.all.forwarding`. Dots in a device's name are written as slashes. */
  readonly name: string;
  /** Before canal. */
  readonly original: string;
  readonly present: string;
}

export interface SysctlRecord {
  readonly path: string;
  /** To be called before the switches are written. The first value that was seen counts. Throws NodeStateError. */
  beforeChange(sysctls: readonly DesiredSysctl[]): void;
  /** What is recorded of this boot and is otherwise now. */
  changes(): readonly SysctlChange[];
  /** Puts one back. Throws what the file system throws. */
  restore(change: SysctlChange): void;
  /** False when there was none. */
  remove(): boolean;
}

const FILE = 'sysctls.json';

type Values = Readonly<Record<string, string>>;

export function createSysctlRecord({ stateDir, netDir, bootId }: SysctlRecordOptions): SysctlRecord {
  const path = `${stateDir}/${FILE}`;
  let known: Values | undefined;
  const values = (): Values => (known ??= readValues(readIfPresent(path), bootId));
  const present = (key: string): string | undefined => readSwitch(`${netDir}/${key}`);
  const changes = (): readonly SysctlChange[] =>
    Object.entries(values())
      .flatMap(([key, original]): SysctlChange[] => {
        const now = present(key);
        return now === undefined || now === original ? [] : [{ name: nameOf(key), original, present: now }];
      })
      .sort(byReach);
  const write = ({ name, original }: SysctlChange): void => writeFileSync(`${netDir}/${keyOf(name)}`, `${original}\n`);
  return {
    path,
    changes,
    beforeChange(sysctls) {
      const keys = new Set(sysctls.flatMap((sysctl) => affectedKeys(netDir, sysctl)));
      const fresh = [...keys].flatMap((key): [string, string][] => {
        const value = Object.hasOwn(values(), key) ? undefined : present(key);
        return value === undefined ? [] : [[key, value]];
      });
      if (fresh.length === 0) return;
      const next = { ...values(), ...Object.fromEntries(fresh) };
      const text = `${JSON.stringify({ version: 1, bootId, values: next }, undefined, 2)}\n`;
      createDirectory(stateDir);
      writeFileAtomic(stateDir, FILE, text, { mode: 0o600, survives: 'process' });
      known = next;
    },
    restore(change) {
      write(change);
      if (rank(change.name) > 0) return;
      // It has changed others, some of which were right until now.
      for (const other of changes()) if (rank(other.name) > 0) write(other);
    },
    remove: () => removeIfPresent(path),
  };
}

/** The kernel with a record kept of what its switches were. A record that cannot be kept stops nothing. */
export function recordingSysctls(
  kernel: NetworkKernel,
  record: Pick<SysctlRecord, 'beforeChange'>,
  onFailure: (error: unknown) => void,
): NetworkKernel {
  const before = (operations: readonly NetworkOperation[]): void => {
    const sysctls = operations.flatMap((operation) => (operation.type === 'sysctl-set' ? [operation.sysctl] : []));
    if (sysctls.length === 0) return;
    try {
      record.beforeChange(sysctls);
    } catch (error) {
      onFailure(error);
    }
  };
  return {
    features: () => kernel.features(),
    readSnapshot: (scope) => kernel.readSnapshot(scope),
    apply: (operations, signal) => {
      before(operations);
      return kernel.apply(operations, signal);
    },
    monitor: (scope, signal) => kernel.monitor(scope, signal),
    listInterfaces: () => kernel.listInterfaces(),
    listDefaultRoutes: () => kernel.listDefaultRoutes(),
    pathsTo: (addresses) => kernel.pathsTo(addresses),
    close: () => kernel.close(),
  };
}

/** Paths below /proc/sys/net that the write may change. */
function affectedKeys(netDir: string, { family, link, name }: DesiredSysctl): string[] {
  if (name === 'proxy_delay') return [`ipv${family}/neigh/${link}/${name}`];
  const conf = `ipv${family}/conf`;
  if (link !== 'all' || name !== 'forwarding') return [`${conf}/${link}/${name}`];
  const devices = namesOf(`${netDir}/${conf}`);
  const forwarding = devices.map((device) => `${conf}/${device}/forwarding`);
  // A host that begins to route keeps listening to its own router (accept_ra 2), see kernel-linux.
  const others =
    family === 4 ? [`${conf}/all/accept_redirects`] : devices.map((device) => `${conf}/${device}/accept_ra`);
  return [...forwarding, ...others];
}

function namesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw ioError(directory, 'list', error);
  }
}

/** Undefined when the kernel has no such switch, or no such device any more. */
function readSwitch(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'EINVAL') return undefined;
    throw ioError(path, 'read', error);
  }
}

/** conf/all first: it changes all others, which are put back after it. */
function byReach(a: SysctlChange, b: SysctlChange): number {
  return rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1);
}

function rank(name: string): number {
  if (name.endsWith('.conf.all.forwarding')) return 0;
  return name.includes('.conf.all.') ? 1 : 2;
}

/** sysctl(8): the separators change places. */
function nameOf(key: string): string {
  return `net.${swap(key)}`;
}

function keyOf(name: string): string {
  return swap(name.slice('net.'.length));
}

function swap(text: string): string {
  return text.replace(/[./]/g, (found) => (found === '.' ? '/' : '.'));
}

/** Nothing for a record of another boot, and for one that a power cut tore: the boot after it made it void. */
function readValues(text: string | undefined, bootId: string): Values {
  try {
    const record = JSON.parse(text ?? '{}') as { bootId?: unknown; values?: unknown };
    if (record.bootId !== bootId || typeof record.values !== 'object' || record.values === null) return {};
    return Object.fromEntries(Object.entries(record.values).filter(([key, value]) => isEntry(key, value)));
  } catch {
    return {};
  }
}

/** Keys become paths that are written. */
function isEntry(key: string, value: unknown): boolean {
  return /^ipv[46]\/(?:conf|neigh)\/[^/]+\/[a-z_]+$/.test(key) && !key.includes('/../') && typeof value === 'string';
}

function createDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw ioError(directory, 'create', error);
  }
}
