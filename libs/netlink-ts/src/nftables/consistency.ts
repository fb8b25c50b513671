/** Reading and changing while others change as well: each committed transaction has a number, the generation. */
import type { NetlinkConnection } from '../connection/connection.ts';
import { errnoNumber } from '../connection/errno.ts';
import { NetlinkError } from '../connection/netlink-error.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { changeNftables, getNftGeneration } from './requests.ts';

const DEFAULT_ATTEMPTS = 10;

/**
 * What `read` gives, with the generation that all of it belongs to: it is called again when a transaction was committed
 * meanwhile, by anybody. After `attempts` a NetlinkError with code EINTR.
 */
export function readNftables<T>(
  connection: NetlinkConnection,
  read: () => T,
  attempts: number = DEFAULT_ATTEMPTS,
): { readonly value: T; readonly generation: number } {
  let generation = getNftGeneration(connection);
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const value = read();
    const now = getNftGeneration(connection);
    if (now === generation) return { value, generation };
    generation = now;
  }
  const cause = new Error(`nf_tables changed during each of ${attempts} readings`);
  throw new NetlinkError({ operation: 'read nf_tables', errno: errnoNumber('EINTR'), cause });
}

/**
 * Runs the requests that `plan` makes of what it reads, as one transaction that holds only for what was read: when
 * anybody has changed anything meanwhile, `plan` is called again. No requests: nothing is done. Throws the NetlinkError
 * of the last attempt, or at once one that another attempt would not mend.
 */
export function updateNftables(
  connection: NetlinkConnection,
  plan: () => readonly NetlinkRequest[],
  attempts: number = DEFAULT_ATTEMPTS,
): void {
  for (let attempt = 1; ; attempt++) {
    const generation = getNftGeneration(connection);
    const requests = plan();
    if (requests.length === 0) return;
    try {
      changeNftables(connection, requests, { generation });
      return;
    } catch (error) {
      if (attempt >= attempts || !isClash(error)) throw error;
    }
  }
}

/** ERESTART: another generation. EAGAIN, EBUSY: the kernel was about to load a module, or to make a set's table larger. */
const CLASHES: readonly string[] = ['ERESTART', 'EAGAIN', 'EBUSY'];

function isClash(error: unknown): boolean {
  return error instanceof NetlinkError && CLASHES.includes(error.code);
}
