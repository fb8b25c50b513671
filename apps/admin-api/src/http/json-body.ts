/** A request's body: bytes to JSON, in bounds that are looked at before anything is built of it. */
import { ProblemError } from '../handler.ts';

export const MAX_BODY_BYTES = 1 << 20;
export const MAX_DEPTH = 32;

/** Throws ProblemError: `too-large`, or `bad-request`. */
export function parseJsonBody(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_BODY_BYTES)
    throw new ProblemError('too-large', `the body has more than ${MAX_BODY_BYTES} bytes`);
  if (depthOf(bytes) > MAX_DEPTH) {
    throw new ProblemError('too-large', `the body is nested deeper than ${MAX_DEPTH} objects and lists`);
  }
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(bytes));
  } catch {
    // Without the runtime's words: they repeat what was sent.
    throw new ProblemError('bad-request', 'the body is no JSON in UTF-8');
  }
  if (hasPrototypeKey(value))
    throw new ProblemError('bad-request', 'the body has a field __proto__, which nothing needs');
  return value;
}

// A byte order mark is not JSON (RFC 8259 §8.1).
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/** How deep objects and lists are in one another, as far as the text is JSON; stops counting beyond the limit. */
function depthOf(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < bytes.length && deepest <= MAX_DEPTH; index++) {
    const byte = bytes[index];
    if (inString) {
      if (byte === BACKSLASH) index++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) deepest = Math.max(deepest, ++depth);
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  return deepest;
}

/** JSON.parse makes a field of it; whoever copies the object later would set its prototype. */
function hasPrototypeKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Object.hasOwn(value, '__proto__')) return true;
  return Object.values(value).some(hasPrototypeKey);
}
