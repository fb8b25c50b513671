/**
 * How large answers of agents may be. What is read of JSON takes up to fifty times the memory of its text, and seconds of
 * everybody's time: whoever has taken over one node must not end the admin API by it.
 */
const KIB = 1_024;
const DEFAULT_BYTES = 8 * 1_024 * KIB;
/** Several times what the largest nodes of the largest clusters say. Of flows it is a line. */
const MAX_BYTES: Readonly<Record<string, number>> = {
  'network-status': 256 * KIB,
  status: 256 * KIB,
  peers: 4 * 1_024 * KIB,
  addresses: 4 * 1_024 * KIB,
  explain: 4 * 1_024 * KIB,
  flows: 32 * KIB,
};

/** Of a line, by the question's `op`. */
export function maxAnswerBytes(op: string): number {
  return Object.hasOwn(MAX_BYTES, op) ? (MAX_BYTES[op] ?? DEFAULT_BYTES) : DEFAULT_BYTES;
}

/** Shorter ones do no harm, whatever is in them. */
const SMALL_CHARS = 16 * KIB;
/** An item of a list has a hundred characters, and two objects or lists. */
const CHARS_AN_OBJECT = 16;
/** A number that is one item, or a text, has its comma. */
const CHARS_A_VALUE = 4;
const MAX_DEPTH = 32;

/** What a line has too much of, before anything is made of it; undefined: it may be read. */
export function excessOf(line: string): string | undefined {
  if (line.length <= SMALL_CHARS) return undefined;
  let [depth, objects, values] = [0, 0, 0];
  for (let at = 0; at < line.length; at++) {
    switch (line.charCodeAt(at)) {
      // Texts may hold what users wrote.
      case QUOTE:
        at = endOfText(line, at);
        break;
      case OPEN_LIST:
      case OPEN_OBJECT:
        objects++;
        if (++depth > MAX_DEPTH) return `it is nested deeper than ${MAX_DEPTH} objects and lists`;
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth--;
        break;
      case COMMA:
        values++;
        break;
    }
  }
  const isMuch = objects > line.length / CHARS_AN_OBJECT || values > line.length / CHARS_A_VALUE;
  return isMuch ? 'it has more objects, lists and values than any agent tells' : undefined;
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Where its closing quote is; the end of the line without one. */
function endOfText(line: string, start: number): number {
  for (let end = line.indexOf('"', start + 1); end >= 0; end = line.indexOf('"', end + 1)) {
    let escapes = 0;
    while (line.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return line.length;
}
