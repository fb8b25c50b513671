/**
 * Switches that netlink cannot set: those of IPv6, and conf/all. /proc/sys/net shows the namespace of whoever opens a
 * file, so each access enters the namespace, synchronously.
 */
import { type NetnsRef, withNetns } from '@canal/linux-ffi';
import type { ActualSysctl, DesiredSysctl, SysctlName } from '@canal/model';
import type { IpFamily } from 'net-types';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';

export interface SysctlFiles {
  /** The values of conf/all that are there. */
  readAll(): ActualSysctl[];
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
    readAll: () => inside(() => ALL.flatMap(({ family, name }) => readOne(directory, family, name))),
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

function readOne(directory: string, family: IpFamily, name: SysctlName): ActualSysctl[] {
  const path = pathOf(directory, { link: 'all', family, name });
  try {
    return [{ link: 'all', family, name, value: Number(readFileSync(path, 'latin1').trim()) }];
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
  return `${directory}/ipv${family}/conf/${link}/${name}`;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
