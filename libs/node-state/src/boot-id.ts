import { readFileSync } from 'node:fs';
import { ioError, NodeStateError } from './node-state-error.ts';

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';
/** A UUID in text; nothing more is asked of it than to differ from boot to boot. */
const UUID_CHARACTERS = 36;

/** The kernel's random id of this boot: what was recorded under another one belongs to sandboxes that are gone. */
export function readBootId(path: string = BOOT_ID_FILE): string {
  const text = readText(path).trim();
  if (text.length === UUID_CHARACTERS) return text;
  throw new NodeStateError('invalid', path, `${JSON.stringify(text.slice(0, 80))} is not a boot id (a UUID)`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw ioError(path, 'read', error);
  }
}
