/** Files that say who asks, and whom to trust. What is in them is in no message. */
import { readFileSync } from 'node:fs';
import { UsageError } from '../report-error.ts';

/** Throws UsageError. */
export function readTokenFile(path: string, flag: string): string {
  const token = readFile(path, flag, 'a file with a token').trim();
  if (/^[\x21-\x7e]{1,65536}$/.test(token)) return token;
  throw new UsageError(`${flag}: there is no token in ${path}`, 'it must hold the token alone: one line, no blanks');
}

/** Throws UsageError. */
export function readAuthorityFile(path: string, flag: string): string {
  const pem = readFile(path, flag, "the file of an authority's certificate");
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw new UsageError(`${flag}: there is no certificate in ${path}`, 'it must be in PEM: -----BEGIN CERTIFICATE-----');
}

function readFile(path: string, flag: string, wanted: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new UsageError(`${flag}: ${path} cannot be read: ${code}`, `name ${wanted} that you may read`);
  }
}
