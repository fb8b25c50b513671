/** Uids of pods: an RFC 9562 UUID in lower case, as the API server makes them, takes 16 bytes; others are kept as text. */
import { Column } from './column.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Stands for a uid that is kept as text. */
const NOT_A_UUID: UuidWords = [0, 0, 0, 0];

type UuidWords = readonly [number, number, number, number];

export class UidColumn {
  readonly #words = new Column((length) => new Uint32Array(length));
  readonly #texts = new Map<number, string>();

  set(slot: number, uid: string): void {
    const words = parseUuid(uid);
    if (words === undefined) this.#texts.set(slot, uid);
    else this.#texts.delete(slot);
    for (const [index, word] of (words ?? NOT_A_UUID).entries()) this.#words.set(slot * 4 + index, word);
  }

  clear(slot: number): void {
    this.#texts.delete(slot);
  }

  is(slot: number, uid: string): boolean {
    const words = parseUuid(uid);
    if (words === undefined) return this.#texts.get(slot) === uid;
    return words.every((word, index) => this.#words.get(slot * 4 + index) === word);
  }

  get(slot: number): string {
    const text = this.#texts.get(slot);
    if (text !== undefined) return text;
    const hex = [0, 1, 2, 3]
      .map((index) =>
        this.#words
          .get(slot * 4 + index)
          .toString(16)
          .padStart(8, '0'),
      )
      .join('');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }
}

/** Undefined too for the UUID of zeros alone, which is no pod's. */
function parseUuid(text: string): UuidWords | undefined {
  if (text.length !== 36 || !UUID.test(text)) return undefined;
  const words: UuidWords = [
    Number.parseInt(text.slice(0, 8), 16),
    Number.parseInt(text.slice(9, 13) + text.slice(14, 18), 16),
    Number.parseInt(text.slice(19, 23) + text.slice(24, 28), 16),
    Number.parseInt(text.slice(28), 16),
  ];
  return words.every((word) => word === 0) ? undefined : words;
}
