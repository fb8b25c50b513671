/** Uids of pods: an RFC 9562 UUID in lower case, as the API server makes them, takes 16 bytes; others are kept as text. */
import { Column } from './column.ts';

const UUID_LENGTH = 36;
const WORDS = 4;

export class UidColumn {
  /** Four a slot; all zero: kept as text. */
  readonly #words = new Column((length) => new Uint32Array(length));
  readonly #texts = new Map<number, string>();
  readonly #parsed = new Uint32Array(WORDS);

  set(slot: number, uid: string): void {
    if (parseUuid(uid, this.#parsed)) {
      this.#texts.delete(slot);
    } else {
      this.#texts.set(slot, uid);
      this.#parsed.fill(0);
    }
    for (let index = 0; index < WORDS; index++) this.#words.set(slot * WORDS + index, this.#parsed[index] as number);
  }

  clear(slot: number): void {
    this.#texts.delete(slot);
  }

  is(slot: number, uid: string): boolean {
    if (!parseUuid(uid, this.#parsed)) return this.#texts.get(slot) === uid;
    return this.#parsed.every((word, index) => this.#words.get(slot * WORDS + index) === word);
  }

  get(slot: number): string {
    const text = this.#texts.get(slot);
    if (text !== undefined) return text;
    const word = (index: number): string =>
      this.#words
        .get(slot * WORDS + index)
        .toString(16)
        .padStart(8, '0');
    const hex = word(0) + word(1) + word(2) + word(3);
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }
}

/** Fills in four words; false when the text is no such UUID, or the one of zeros alone, which is no pod's. */
function parseUuid(text: string, into: Uint32Array): boolean {
  if (text.length !== UUID_LENGTH) return false;
  let digits = 0;
  let word = 0;
  let any = 0;
  for (let index = 0; index < UUID_LENGTH; index++) {
    const unit = text.charCodeAt(index);
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      if (unit !== 0x2d) return false;
      continue;
    }
    const digit = unit <= 0x39 ? unit - 0x30 : unit >= 0x61 ? unit - 0x57 : -1;
    if (digit < 0 || digit > 15) return false;
    word = (word << 4) | digit;
    any |= digit;
    if (++digits % 8 === 0) into[digits / 8 - 1] = word;
  }
  return any !== 0;
}
