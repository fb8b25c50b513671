/**
 * Reads a table of iptables-legacy (x_tables without nf_tables) as the kernel holds it: getsockopt(2) on any socket of the
 * family (linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h).
 *
 *     struct ipt_getinfo                                     struct ipt_get_entries
 *     0      32          36            56          76        0      32     40
 *     | name | valid hooks | hook entry | underflow | n, size |  | name | size | pad | entries …
 */
import type { IpFamily } from 'net-types';
import { readFileSync } from 'node:fs';
import { lastErrno, libc } from './libc.ts';
import { LinuxError } from './linux-error.ts';
import { type NetnsRef, withNetns } from './netns.ts';
import { closeFd, openSocket, SOCK } from './socket.ts';
import { AF_INET, AF_INET6 } from './socket-address.ts';

/** Offsets are counted in bytes from the first entry. */
export interface LegacyTable {
  /** Where the rules of each hook begin (NF_INET_*), and its policy stands; undefined for a hook that the table lacks. */
  readonly hooks: readonly (LegacyHook | undefined)[];
  /** struct ipt_entry or ip6t_entry, one behind the other, each with its matches and its target. */
  readonly entries: Uint8Array;
}

export interface LegacyHook {
  readonly first: number;
  readonly policy: number;
}

const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const IPPROTO_RAW = 255;
const GET_INFO = 64;
const GET_ENTRIES = 65;
const NAME_BYTES = 32;
const INFO_BYTES = 84;
const ENTRIES_HEADER_BYTES = 40;
const HOOKS = 5;
const EAGAIN = 11;
const ATTEMPTS = 5;

/**
 * The table, undefined when the namespace has none of that name. Asking the kernel for one that is not there would make
 * it, and hook it in; so the list of tables is looked at first. Throws LinuxError (EPERM without CAP_NET_ADMIN).
 */
export function readLegacyTable(family: IpFamily, table: string, netns?: NetnsRef): LegacyTable | undefined {
  const read = (): LegacyTable | undefined => (hasTable(family, table) ? readTable(family, table) : undefined);
  return netns === undefined ? read() : withNetns<LegacyTable | undefined>(netns, read);
}

/** The files tell of the namespace of the thread that reads. They are missing where the kernel has no iptables-legacy. */
function hasTable(family: IpFamily, table: string): boolean {
  const path = `/proc/thread-self/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`;
  try {
    return readFileSync(path, 'utf8').split('\n').includes(table);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

function readTable(family: IpFamily, table: string): LegacyTable {
  const fd = openSocket(family === 4 ? AF_INET : AF_INET6, SOCK.RAW, IPPROTO_RAW);
  try {
    for (let attempt = 1; ; attempt++) {
      const info = new DataView(ask(fd, family, GET_INFO, namedBuffer(table, INFO_BYTES)).buffer);
      const size = info.getUint32(INFO_BYTES - 4, true);
      const request = namedBuffer(table, ENTRIES_HEADER_BYTES + size);
      new DataView(request.buffer).setUint32(NAME_BYTES, size, true);
      try {
        const answer = ask(fd, family, GET_ENTRIES, request);
        return { hooks: hooksOf(info), entries: answer.subarray(ENTRIES_HEADER_BYTES) };
      } catch (error) {
        // Somebody replaced the table in between, and it has another size now.
        const changed = error instanceof LinuxError && error.errno === EAGAIN;
        if (!changed || attempt === ATTEMPTS) throw error;
      }
    }
  } finally {
    closeFd(fd);
  }
}

/** Integers are in host byte order; this runtime exists for little-endian machines alone. */
function hooksOf(info: DataView): (LegacyHook | undefined)[] {
  const valid = info.getUint32(NAME_BYTES, true);
  return Array.from({ length: HOOKS }, (_, hook) => {
    if ((valid & (1 << hook)) === 0) return undefined;
    const first = info.getUint32(NAME_BYTES + 4 + hook * 4, true);
    return { first, policy: info.getUint32(NAME_BYTES + 4 + (HOOKS + hook) * 4, true) };
  });
}

function namedBuffer(table: string, bytes: number): Uint8Array<ArrayBuffer> {
  const buffer = new Uint8Array(bytes);
  new TextEncoder().encodeInto(table, buffer.subarray(0, NAME_BYTES - 1));
  return buffer;
}

function ask(fd: number, family: IpFamily, option: number, buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const level = family === 4 ? IPPROTO_IP : IPPROTO_IPV6;
  const length = new Uint32Array([buffer.length]);
  if (libc().getsockopt(fd, level, option, buffer, length) < 0) {
    throw new LinuxError('getsockopt', lastErrno(), `iptables-legacy table of IPv${family}`);
  }
  return buffer;
}
