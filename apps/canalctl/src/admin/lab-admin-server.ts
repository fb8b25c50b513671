/** The admin API of a lab, as the lab's directory tells of it: `admin-api/address`, `token` and `ca.pem`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AdminServer } from '@canal/admin-client';
import { DEFAULT_STATE_ROOT, labPaths } from '@canal/lab';
import { AdminAccessError } from './admin-access-error.ts';

/** Throws AdminAccessError, and LabError for what is no name of a lab. */
export function labAdminServer(stateRoot: string, lab: string): AdminServer {
  const { root } = labPaths(stateRoot === '' ? DEFAULT_STATE_ROOT : stateRoot, lab);
  const read = (name: string): string => {
    try {
      return readFileSync(join(root, 'admin-api', name), 'utf8').trim();
    } catch (cause) {
      const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
      if (code === 'EACCES')
        throw new AdminAccessError(`the files of the lab "${lab}" are for root alone`, 'run it as root');
      throw new AdminAccessError(`the lab "${lab}" has no admin API`, NEXT_STEP, { cause, isPassing: true });
    }
  };
  const [url, token, ca] = [read('address'), read('token'), read('ca.pem')];
  return { url, token: () => token, ca };
}

const NEXT_STEP =
  '"canalctl lab list" shows the labs; "canalctl lab up" with the options that made a lab starts its admin API again';
