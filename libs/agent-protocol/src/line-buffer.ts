const LINE_FEED = 0x0a;

/** Bytes of a stream in, whole lines out: UTF-8, without their line feed. Holds no more than one line. */
export class LineBuffer {
  readonly #maxBytes: number;
  readonly #decoder = new TextDecoder();
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #overflowed = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A line was longer than the limit. It is lost, and so is what came after it. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** The lines that these bytes end. The bytes may be used again afterwards. */
  push(chunk: Uint8Array): readonly string[] {
    const lines: string[] = [];
    for (let from = 0; from < chunk.length;) {
      const end = chunk.indexOf(LINE_FEED, from);
      if (!this.#keep(chunk.subarray(from, end < 0 ? chunk.length : end)) || end < 0) break;
      lines.push(this.#take());
      from = end + 1;
    }
    return lines;
  }

  /** False when the line is too long by now. */
  #keep(bytes: Uint8Array): boolean {
    this.#bytes += bytes.length;
    this.#overflowed ||= this.#bytes > this.#maxBytes;
    if (this.#overflowed) this.#parts = [];
    else this.#parts.push(bytes.slice());
    return !this.#overflowed;
  }

  #take(): string {
    const line = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const part of this.#parts) {
      line.set(part, offset);
      offset += part.length;
    }
    this.#parts = [];
    this.#bytes = 0;
    return this.#decoder.decode(line);
  }
}
