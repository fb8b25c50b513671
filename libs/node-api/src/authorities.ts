/** What a node publishes of its certificates. */
import { X509Certificate } from 'node:crypto';
import { err, ok, type Result } from 'net-types';

/** Of each agent one, and of each its last, and then some. */
const MAX_CHARS = 8_192;
const BLOCK = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g;

/** Certificates of authorities in PEM, and nothing else: one or more. The error says what was expected. */
export function readAuthorities(text: string): Result<string, string> {
  if (text.length > MAX_CHARS) return err(`${text.length} characters: expected at most ${MAX_CHARS}`);
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0 || text.replaceAll(BLOCK, '').trim() !== '') return err('expected certificates in PEM alone');
  if (!blocks.every(isAuthority)) return err('expected certificates of authorities');
  return ok(`${blocks.join('\n')}\n`);
}

function isAuthority(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca;
  } catch {
    return false;
  }
}
