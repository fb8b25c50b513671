const MAX_WAITING_BYTES = 1024 * 1024;

/** What waits for a client that reads slower than it is answered: in order, and bounded. */
export class WaitingBytes {
  readonly #write: (bytes: Uint8Array) => number;
  readonly #waiting: Uint8Array[] = [];
  #bytes = 0;

  /** `write` gives how many bytes it took; less than all: flush() when there is room again. */
  constructor(write: (bytes: Uint8Array) => number) {
    this.#write = write;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** False: it is left out. One is always taken, however long: lists of policies can be. */
  push(bytes: Uint8Array): boolean {
    if (!this.isEmpty && this.#bytes + bytes.length > MAX_WAITING_BYTES) return false;
    this.append(bytes);
    return true;
  }

  /** Whatever waits already. */
  append(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#waiting.length === 1) this.flush();
  }

  flush(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const written = Math.max(0, this.#write(first));
      this.#bytes -= written;
      if (written < first.length) {
        this.#waiting[0] = first.subarray(written);
        return;
      }
      this.#waiting.shift();
    }
  }
}
