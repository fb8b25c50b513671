import type { Brand } from './brand.ts';
import { err, ok, type ParseError, type Result } from './result.ts';

/** An EUI-48 address as six lower-case pairs with colons: `0a:58:0a:f4:01:05`. */
export type Mac = Brand<string, 'Mac'>;

const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;

/** Reads colon-separated pairs of either case; canonical form is lower case. */
export function parseMac(text: string): Result<Mac, ParseError> {
  const lower = text.toLowerCase();
  if (MAC.test(lower) && text.length === 17) return ok(lower as Mac);
  return err({ input: text, expected: 'a MAC address such as 0a:58:0a:f4:01:05' });
}

export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (pair) => parseInt(pair, 16));
}

/** The address in six bytes; undefined for any other length. */
export function macFromBytes(bytes: Uint8Array): Mac | undefined {
  if (bytes.length !== 6) return undefined;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') as Mac;
}

/** The lowest bit of the first byte: group addresses can be no interface's own. */
export function isUnicastMac(mac: Mac): boolean {
  return (parseInt(mac.slice(0, 2), 16) & 1) === 0 && mac !== '00:00:00:00:00:00';
}
