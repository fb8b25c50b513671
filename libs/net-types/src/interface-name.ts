import type { Brand } from './brand.ts';
import { err, ok, type ParseError, type Result } from './result.ts';

/** A network interface name the kernel takes (net/core/dev.c dev_valid_name): 1..15 bytes, no '/', ':' or blank. */
export type InterfaceName = Brand<string, 'InterfaceName'>;

const NAME = /^[\x21-\x2e\x30-\x39\x3b-\x7e]{1,15}$/;

/** Stricter than the kernel in one point: printable ASCII alone, so that a name is safe in a log and a path. */
export function parseInterfaceName(text: string): Result<InterfaceName, ParseError> {
  if (NAME.test(text) && text !== '.' && text !== '..') return ok(text as InterfaceName);
  return err({ input: text, expected: 'an interface name of 1 to 15 printable characters without "/", ":" or blanks' });
}
