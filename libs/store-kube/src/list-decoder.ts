import { StoreError } from '@canal/store-port';

/**
 * Reads a Kubernetes list (`{"kind":…,"metadata":{…},"items":[{…},…]}`) from a byte stream, one item at a time: each is
 * parsed and handed over as it completes, so that a page of 500 large objects never stands in memory as a whole.
 */
export class ListDecoder {
  readonly #onItem: (item: unknown) => void;
  readonly #maxItemBytes: number;
  /** Everything but the items: parsed at the end for the list's metadata. */
  readonly #frame = new ByteSink();
  readonly #item = new ByteSink();
  #depth = 0;
  #inItems = false;
  #inString = false;
  #escaped = false;

  constructor(onItem: (item: unknown) => void, maxItemBytes: number) {
    this.#onItem = onItem;
    this.#maxItemBytes = maxItemBytes;
  }

  push(chunk: Uint8Array): void {
    // `start` is where the span begins that belongs to the current sink.
    let start = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.#atItemLevel()) {
          start = at;
        } else if (byte === OPEN_BRACKET && this.#depth === 1) {
          this.#frame.add(chunk.subarray(start, at));
          start = at;
          this.#inItems = ITEMS_KEY.test(this.#frame.tail(ITEMS_KEY_BYTES));
          if (this.#inItems) {
            this.#frame.add(EMPTY_ARRAY);
            start = at + 1;
          }
        }
        this.#depth += 1;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth -= 1;
        if (this.#atItemLevel()) {
          this.#item.add(chunk.subarray(start, at + 1));
          start = at + 1;
          this.#finishItem();
        } else if (this.#inItems && this.#depth === 1) {
          this.#inItems = false;
          start = at + 1;
        }
      }
    }
    this.#keepRest(chunk, start);
  }

  /** The list without its items; throws when the stream ended early or was no JSON. */
  finish(): unknown {
    if (this.#depth !== 0 || this.#inString) throw new StoreError('unavailable', 'list answer was cut short');
    return parseJson(this.#frame.take(), 'list');
  }

  /** Between two items: what stands here (commas, blanks) belongs to no sink. */
  #atItemLevel(): boolean {
    return this.#inItems && this.#depth === 2;
  }

  #keepRest(chunk: Uint8Array, start: number): void {
    if (this.#atItemLevel()) return;
    const sink = this.#inItems ? this.#item : this.#frame;
    sink.add(chunk.subarray(start));
    if (sink.size > this.#maxItemBytes) {
      throw new StoreError('unavailable', `list item is longer than ${String(this.#maxItemBytes)} bytes`);
    }
  }

  #finishItem(): void {
    this.#onItem(parseJson(this.#item.take(), 'list item'));
  }
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StoreError('unavailable', `${what} is not JSON`, { cause: error });
  }
}

/** Collects spans of chunks; the common case, one span, is not copied. */
class ByteSink {
  #parts: Uint8Array[] = [];
  size = 0;

  add(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.size += part.length;
  }

  take(): string {
    const [only] = this.#parts;
    const bytes = this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
    this.#parts = [];
    this.size = 0;
    return new TextDecoder().decode(bytes);
  }

  /** The last bytes as text. */
  tail(bytes: number): string {
    const joined = Buffer.concat(this.#parts);
    this.#parts = [joined];
    return joined.subarray(-bytes).toString('latin1');
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const EMPTY_ARRAY = new TextEncoder().encode('[]');
/** Longer runs of blanks around the key than fit here are not written by any server. */
const ITEMS_KEY_BYTES = 64;
const ITEMS_KEY = /"items"\s*:\s*$/;
