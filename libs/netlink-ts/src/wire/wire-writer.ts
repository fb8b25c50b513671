import { align4, LITTLE_ENDIAN } from './byte-order.ts';

/** Size of struct nlmsghdr and of struct nlattr (linux/netlink.h). */
export const MESSAGE_HEADER_BYTES = 16;
export const ATTRIBUTE_HEADER_BYTES = 4;

const ATTRIBUTE_MAX_BYTES = 0xffff;
const textEncoder = new TextEncoder();

/**
 * One growing buffer that messages and attributes are written into, front to back. It is reused between requests: no
 * attribute allocates anything. Lengths are patched in when a message or attribute ends.
 */
export class WireWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(initialBytes = 4096) {
    this.#bytes = new Uint8Array(initialBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written, as a view: valid until the next write or reset. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets everything, or everything after the given length. */
  reset(length = 0): void {
    this.#length = length;
  }

  u8(value: number): void {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
  }

  u16(value: number): void {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, LITTLE_ENDIAN);
  }

  /** Takes negative numbers too: the low 32 bits are written. */
  u32(value: number): void {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, LITTLE_ENDIAN);
  }

  u64(value: bigint): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value, LITTLE_ENDIAN);
  }

  be16(value: number): void {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, false);
  }

  be32(value: number): void {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, false);
  }

  be64(value: bigint): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value, false);
  }

  bytes(value: Uint8Array): void {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
  }

  /** UTF-8 text without terminator. */
  text(value: string): void {
    this.bytes(textEncoder.encode(value));
  }

  zeros(count: number): void {
    const at = this.#grow(count);
    this.#bytes.fill(0, at, at + count);
  }

  /** Room for a fixed structure, zeroed; the structure's codec fills it through `view`. */
  reserve(count: number): number {
    const at = this.#length;
    this.zeros(count);
    return at;
  }

  /** The view over the whole buffer; only valid until the next write, which may move the buffer. */
  get view(): DataView {
    return this.#view;
  }

  /** Starts a message; give the returned mark to `endMessage`. Requests leave the port id zero. */
  beginMessage(type: number, flags: number, sequence: number, portId = 0): number {
    const at = this.#grow(MESSAGE_HEADER_BYTES);
    this.#view.setUint16(at + 4, type, LITTLE_ENDIAN);
    this.#view.setUint16(at + 6, flags, LITTLE_ENDIAN);
    this.#view.setUint32(at + 8, sequence, LITTLE_ENDIAN);
    this.#view.setUint32(at + 12, portId, LITTLE_ENDIAN);
    return at;
  }

  endMessage(mark: number): void {
    this.#view.setUint32(mark, this.#length - mark, LITTLE_ENDIAN);
    this.zeros(align4(this.#length) - this.#length);
  }

  /** Adds flags to a message that was written before. */
  orFlags(mark: number, flags: number): void {
    this.#view.setUint16(mark + 6, this.#view.getUint16(mark + 6, LITTLE_ENDIAN) | flags, LITTLE_ENDIAN);
  }

  /** Overwrites one byte that was written before. */
  patchU8(at: number, value: number): void {
    this.#view.setUint8(at, value);
  }

  /** Starts an attribute of that type (flag bits included); give the returned mark to `endAttribute`. */
  beginAttribute(type: number): number {
    const at = this.#grow(ATTRIBUTE_HEADER_BYTES);
    this.#view.setUint16(at + 2, type, LITTLE_ENDIAN);
    return at;
  }

  endAttribute(mark: number): void {
    const length = this.#length - mark;
    if (length > ATTRIBUTE_MAX_BYTES) throw new RangeError(`a netlink attribute holds 65531 bytes, not ${length - 4}`);
    this.#view.setUint16(mark, length, LITTLE_ENDIAN);
    this.zeros(align4(this.#length) - this.#length);
  }

  /** Makes room for `count` more bytes and returns where they start. */
  #grow(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = needed;
    return at;
  }
}
