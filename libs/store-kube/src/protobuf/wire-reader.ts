import { StoreError } from '@canal/store-port';

/** How a field is written (protobuf.dev/programming-guides/encoding). Groups are not used by Kubernetes. */
export const WIRE = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;

/** Of 64 bits, seven a byte. */
export const MAX_VARINT_BYTES = 10;

/** Reads the fields of one protobuf message in place. Throws StoreError `unavailable` for what is no such message. */
export class WireReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;
  /** Of the field that `next` came to. */
  number = 0;
  wire = 0;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Goes to the next field; false at the end of the message. Its value is then read or skipped. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.varint();
    this.wire = tag % 8;
    this.number = Math.floor(tag / 8);
    return true;
  }

  /** An unsigned varint, exact below 2^53; int32 and int64 of Kubernetes are positive where they are read. */
  varint(): number {
    let value = 0;
    let unit = 1;
    for (let length = 0; length < MAX_VARINT_BYTES; length += 1) {
      if (this.#at >= this.#end) throw malformed('a number is cut short');
      const byte = this.#bytes[this.#at] ?? 0;
      this.#at += 1;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 0x80;
    }
    throw malformed('a number is too long');
  }

  text(): string {
    const [start, end] = this.#span();
    for (let at = start; at < end; at += 1) {
      if ((this.#bytes[at] ?? 0) >= 0x80) return this.#bytes.toString('utf8', start, end);
    }
    // Most are short and plain: half the time.
    return this.#bytes.toString('latin1', start, end);
  }

  message(): WireReader {
    const [start, end] = this.#span();
    return new WireReader(this.#bytes, start, end);
  }

  bytes(): Buffer {
    const [start, end] = this.#span();
    return this.#bytes.subarray(start, end);
  }

  skip(): void {
    switch (this.wire) {
      case WIRE.VARINT:
        this.varint();
        return;
      case WIRE.BYTES:
        this.#span();
        return;
      case WIRE.FIXED64:
        this.#forward(8);
        return;
      case WIRE.FIXED32:
        this.#forward(4);
        return;
      default:
        throw malformed(`field ${this.number} has wire type ${this.wire}`);
    }
  }

  #span(): readonly [start: number, end: number] {
    if (this.wire !== WIRE.BYTES) throw malformed(`field ${this.number} has wire type ${this.wire}, expected bytes`);
    const length = this.varint();
    const start = this.#at;
    this.#forward(length);
    return [start, this.#at];
  }

  #forward(length: number): void {
    if (this.#at + length > this.#end) throw malformed(`field ${this.number} is cut short`);
    this.#at += length;
  }
}

export function malformed(what: string): StoreError {
  return new StoreError('unavailable', `the API server's protobuf cannot be read: ${what}`);
}
