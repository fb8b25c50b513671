/** What is wrong with a JSON text before it is parsed: parsers take the last of equal members, and say nothing. */
export interface JsonTextProblems {
  readonly tooDeep: boolean;
  /** Names of members that occur twice in one object. */
  readonly duplicates: readonly string[];
}

/** One pass over the text. The text need not be valid: the parser that follows judges that. */
export function inspectJsonText(text: string, maxDepth: number): JsonTextProblems {
  const duplicates: string[] = [];
  /** Names seen in each open object; undefined for open lists. */
  const open: (Set<string> | undefined)[] = [];
  let expectsName = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case OPEN_BRACE:
        open.push(new Set());
        expectsName = true;
        break;
      case OPEN_BRACKET:
        open.push(undefined);
        expectsName = false;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        open.pop();
        expectsName = false;
        break;
      case COMMA:
        expectsName = open.at(-1) !== undefined;
        break;
      case QUOTE: {
        const end = endOfString(text, at);
        const names = open.at(-1);
        if (expectsName && names !== undefined) {
          const name = unescapeName(text.slice(at, end + 1));
          if (names.has(name)) duplicates.push(name);
          names.add(name);
          expectsName = false;
        }
        at = end;
        break;
      }
    }
    if (open.length > maxDepth) return { tooDeep: true, duplicates };
  }
  return { tooDeep: false, duplicates };
}

/** Index of the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text.charCodeAt(at);
    if (char === BACKSLASH) at += 1;
    else if (char === QUOTE) return at;
  }
  return text.length;
}

/** Two spellings of one name (`\\u0061` and `a`) are one name. */
function unescapeName(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
