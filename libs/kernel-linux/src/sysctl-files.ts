/**
 * Switches that netlink cannot set: those of IPv6, and conf/all. /proc/sys/net shows the namespace of whoever opens a
 * file, so each access enters the namespace, synchronously.
 */
import { type NetnsRef, withNetns } from '@canal/linux-ffi';
import type { ActualSysctl, DesiredSysctl, SysctlName } from '@canal/model';
import type { InterfaceName, IpFamily } from 'net-types';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';

export interface SysctlFiles {
  /** The values of conf/all that are there. */
  readAll(): ActualSysctl[];
  /** How long the node waits before it answers for another on that device; nothing when there is no such device. */
  readDelays(link: InterfaceName): ActualSysctl[];
  /** Throws what the file system throws: EROFS, EACCES, ENOENT. */
  write(sysctl: DesiredSysctl): void;
  readonly writable: boolean;
  readonly ipv6: boolean;
}

const ALL: readonly { readonly family: IpFamily; readonly name: SysctlName }[] = [
  { family: 4, name: 'forwarding' },
  { family: 4, name: 'rp_filter' },
  { family: 6, name: 'forwarding' },
];

/** `directory`: a mount of /proc/sys/net. Such a mount too shows the namespace of whoever opens a file below it. */
export function createSysctlFiles(netns: NetnsRef | undefined, directory = '/proc/sys/net'): SysctlFiles {
  function inside<T>(callback: () => T extends PromiseLike<unknown> ? never : T): T {
    return netns === undefined ? callback() : withNetns<T>(netns, callback);
  }
  return {
    readAll: () => inside(() => ALL.flatMap((sysctl) => readOne(directory, { ...sysctl, link: 'all' }))),
    readDelays: (link) =>
      inside(() => ([4, 6] as const).flatMap((family) => readOne(directory, { link, family, name: 'proxy_delay' }))),
    write: (sysctl) => {
      inside(() => writeSysctl(directory, sysctl));
    },
    get writable() {
      return inside(() => isWritable(pathOf(directory, { link: 'all', family: 4, name: 'forwarding' })));
    },
    get ipv6() {
      return inside(() => existsSync(`${directory}/ipv6`));
    },
  };
}

function readOne(directory: string, sysctl: Omit<ActualSysctl, 'value'>): ActualSysctl[] {
  const path = pathOf(directory, sysctl);
  try {
    return [{ ...sysctl, value: Number(readFileSync(path, 'latin1').trim()) }];
  } catch (error) {
    // No IPv6, or no /proc: then there is no such switch.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function writeSysctl(directory: string, sysctl: DesiredSysctl): undefined {
  writeFileSync(pathOf(directory, sysctl), `${sysctl.value}\n`);
}

function pathOf(directory: string, { link, family, name }: Pick<DesiredSysctl, 'link' | 'family' | 'name'>): string {
  return `${directory}/ipv${family}/${name === 'proxy_delay' ? 'neigh' : 'conf'}/${link}/${name}`;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
