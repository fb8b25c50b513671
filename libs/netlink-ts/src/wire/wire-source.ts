import { LITTLE_ENDIAN } from './byte-order.ts';
import { DecodeError } from './decode-error.ts';

const textDecoder = new TextDecoder();

/**
 * Received bytes, read by offset. It copies nothing: what outlives the receive buffer (`copy`, `text`) is copied on
 * the way out. Every read checks its bounds and throws a DecodeError.
 */
export class WireSource {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  u8(at: number): number {
    this.#check(at, 1);
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    this.#check(at, 2);
    return this.#view.getUint16(at, LITTLE_ENDIAN);
  }

  u32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, LITTLE_ENDIAN);
  }

  s32(at: number): number {
    this.#check(at, 4);
    return this.#view.getInt32(at, LITTLE_ENDIAN);
  }

  u64(at: number): bigint {
    this.#check(at, 8);
    return this.#view.getBigUint64(at, LITTLE_ENDIAN);
  }

  be16(at: number): number {
    this.#check(at, 2);
    return this.#view.getUint16(at, false);
  }

  be32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, false);
  }

  be64(at: number): bigint {
    this.#check(at, 8);
    return this.#view.getBigUint64(at, false);
  }

  /** The bytes from start to end, copied. */
  copy(start: number, end: number): Uint8Array<ArrayBuffer> {
    this.#check(start, end - start);
    // Not slice(): that of a Node Buffer shares its memory, and the receive buffer is used again.
    return new Uint8Array(this.bytes.subarray(start, end));
  }

  /** UTF-8 text up to the first zero byte or the end. Kernel names may be any bytes: bad UTF-8 becomes U+FFFD. */
  text(start: number, end: number): string {
    this.#check(start, end - start);
    const zero = this.bytes.indexOf(0, start);
    return textDecoder.decode(this.bytes.subarray(start, zero >= 0 && zero < end ? zero : end));
  }

  #check(at: number, count: number): void {
    if (at < 0 || count < 0 || at + count > this.bytes.length) {
      throw new DecodeError('', at, `${count} bytes expected, ${Math.max(0, this.bytes.length - at)} left`);
    }
  }
}
