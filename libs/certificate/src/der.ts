/**
 * DER (X.690) as far as X.509 certificates need it: what is written here is only encoded, never decoded.
 * Every function returns the whole tag-length-value.
 */
export type Der = Uint8Array;

export function sequence(...parts: readonly Der[]): Der {
  return tagged(0x30, concat(parts));
}

/** SET OF with one member, the only use that names have here (more would have to be sorted). */
export function setOfOne(part: Der): Der {
  return tagged(0x31, part);
}

/** Non-negative INTEGER from big-endian bytes. */
export function unsignedInteger(bytes: Uint8Array): Der {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const trimmed = bytes.subarray(start);
  // A leading one-bit would read as negative.
  const negative = (trimmed[0] ?? 0) >= 0x80;
  return tagged(0x02, negative ? concat([Uint8Array.of(0), trimmed]) : trimmed);
}

export function smallInteger(value: number): Der {
  return unsignedInteger(Uint8Array.of((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255));
}

export function boolean(value: boolean): Der {
  return tagged(0x01, Uint8Array.of(value ? 0xff : 0x00));
}

/** BIT STRING; `unusedBits` counts those at the end of the last byte. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Der {
  return tagged(0x03, concat([Uint8Array.of(unusedBits), bytes]));
}

export function octetString(bytes: Uint8Array): Der {
  return tagged(0x04, bytes);
}

export function utf8String(text: string): Der {
  return tagged(0x0c, new TextEncoder().encode(text));
}

/** OBJECT IDENTIFIER from dotted text. */
export function objectIdentifier(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return tagged(0x06, Uint8Array.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). */
export function time(date: Date): Der {
  const digits = date
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '');
  const generalized = date.getUTCFullYear() >= 2050;
  return tagged(generalized ? 0x18 : 0x17, new TextEncoder().encode(generalized ? digits : digits.slice(2)));
}

/** Context-specific tag: `constructed` when it holds whole values (EXPLICIT), primitive when it replaces a tag (IMPLICIT). */
export function context(tag: number, content: Uint8Array, constructed: boolean): Der {
  return tagged(0x80 | (constructed ? 0x20 : 0) | tag, content);
}

function tagged(tag: number, content: Uint8Array): Der {
  return concat([Uint8Array.of(tag), length(content.length), content]);
}

function length(value: number): Uint8Array {
  if (value < 0x80) return Uint8Array.of(value);
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Uint8Array.from([0x80 | bytes.length, ...bytes]);
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
