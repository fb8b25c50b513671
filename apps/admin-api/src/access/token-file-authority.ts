/** Without Kubernetes: who a token is stands in a file. What the file does not say clearly nobody may do. */
import { readFileSync, statSync } from 'node:fs';
import type { Clock, Logger } from '@canal/runtime-port';
import { type Role, ROLES } from '@canal/admin-schema';
import { ProblemError } from '../handler.ts';
import { mayAct } from './access-rules.ts';
import type { Authority, Subject } from './authority.ts';
import { tokenHash } from './bearer-token.ts';
import { parseTokenTable, type TokenTable } from './token-table.ts';

export interface TokenFileDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

interface TokenSubject extends Subject {
  /** Undefined: of a certificate of no role. */
  readonly role: Role | undefined;
}

/** How often it is looked whether the file has changed. */
const LOOK_MS = 1_000;
const MAX_FILE_BYTES = 1 << 20;
const OF_OTHERS = 0o007;

export function createTokenFileAuthority(path: string, { clock, log }: TokenFileDeps): Authority<TokenSubject> {
  let table: TokenTable = { ok: false, problem: 'not read yet' };
  let version = '';
  let lookedAt = -Infinity;

  function current(): TokenTable {
    const now = clock.nowMs();
    if (now - lookedAt < LOOK_MS) return table;
    lookedAt = now;
    const found = versionOf(path);
    if (found === version) return table;
    version = found;
    table = readTable(path);
    if (table.ok) log.info({ file: path, tokens: table.entries.size }, 'token file read');
    else log.error({ file: path, problem: table.problem }, 'token file cannot be used: nobody is let in');
    return table;
  }

  return {
    authenticate(token) {
      const read = current();
      if (!read.ok) {
        const problem = new ProblemError(
          'unavailable',
          'the token file cannot be used: the log of the server says why',
        );
        return Promise.reject(problem);
      }
      const key = tokenHash(token);
      const entry = read.entries.get(key);
      return Promise.resolve(entry && { ...entry, key });
    },
    identify: ({ user, groups, fingerprint }) => ({
      user,
      key: `certificate ${fingerprint}`,
      credential: `X509SHA256=${fingerprint}`,
      role: ROLES.findLast((role) => groups.includes(`canal-${role}`)),
    }),
    isAllowed: ({ role }, _access, needed) => Promise.resolve(role !== undefined && mayAct(role, needed)),
  };
}

function versionOf(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return 'absent';
  }
}

function readTable(path: string): TokenTable {
  try {
    const { mode, size } = statSync(path);
    if ((mode & OF_OTHERS) !== 0) {
      const problem = `others may reach it (mode ${(mode & 0o777).toString(8)}): chmod o= it, and make new tokens`;
      return { ok: false, problem };
    }
    if (size > MAX_FILE_BYTES)
      return { ok: false, problem: `it has ${size} bytes: expected at most ${MAX_FILE_BYTES}` };
    return parseTokenTable(readFileSync(path, 'utf8'));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    return { ok: false, problem: `it cannot be read: ${code}` };
  }
}
