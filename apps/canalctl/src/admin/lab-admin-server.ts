/** The admin API of a lab, as the files in the lab's directory tell. */
import { readFileSync } from 'node:fs';
import type { AdminServer } from '@canal/admin-client';
import { DEFAULT_STATE_ROOT, labPaths } from '@canal/lab';
import { AdminAccessError } from './admin-access-error.ts';

/** Throws AdminAccessError, and LabError for what is no name of a lab. */
export function labAdminServer(stateRoot: string, lab: string): AdminServer {
  const { address, token, authority } = labPaths(stateRoot === '' ? DEFAULT_STATE_ROOT : stateRoot, lab).adminApi;
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch (cause) {
      const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
      if (code === 'EACCES')
        throw new AdminAccessError(`the files of the lab "${lab}" are for root alone`, 'run it as root');
      throw new AdminAccessError(`the lab "${lab}" has no admin API`, NEXT_STEP, { cause, isPassing: true });
    }
  };
  const [url, shown, ca] = [read(address), read(token), read(authority)];
  return { url, token: () => shown, ca };
}

const NEXT_STEP =
  '"canalctl lab list" shows the labs; "canalctl lab up" with the options that made a lab starts its admin API again';
