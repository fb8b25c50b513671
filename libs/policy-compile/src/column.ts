/** Numbers of one size by index; it grows as it is written. */
export class Column<T extends Uint8Array | Int32Array | Uint32Array | Float64Array> {
  readonly #make: (length: number) => T;
  #numbers: T;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#numbers = make(256);
  }

  /** What was never written is 0 or not there. */
  get(index: number): number {
    return this.#numbers[index] as number;
  }

  set(index: number, value: number): void {
    const { length } = this.#numbers;
    if (index >= length) {
      const grown = this.#make(Math.max(index + 1, length + (length >> 1)));
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers[index] = value;
  }
}
