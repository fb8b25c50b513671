/** Fixed C structures: message headers and structures inside attributes, each field with its byte offset. */
import type { AttributeCodec } from './attribute-codec.ts';
import { LITTLE_ENDIAN } from './byte-order.ts';
import { DecodeError } from './decode-error.ts';
import type { WireSource } from './wire-source.ts';
import type { WireWriter } from './wire-writer.ts';

export interface StructField<T> {
  readonly offset: number;
  readonly bytes: number;
  readonly zero: T;
  read(source: WireSource, at: number): T;
  write(view: DataView, at: number, value: T): void;
}

export type StructSchema = Readonly<Record<string, StructField<unknown>>>;

export type StructValue<S> = { readonly [K in keyof S]: S[K] extends StructField<infer T> ? T : never };

export interface Struct<S> extends AttributeCodec<StructValue<S>> {
  /** sizeof() in C. */
  readonly bytes: number;
  /** Writes the structure; fields that the value leaves out are zero. */
  encode(writer: WireWriter, value: Partial<StructValue<S>>): void;
  decode(source: WireSource, start: number, end: number): StructValue<S>;
  /** Reads the fields into an object that is being built. */
  decodeInto(source: WireSource, start: number, end: number, into: object): void;
}

export type StructOf<T> = T extends Struct<infer S> ? StructValue<S> : never;

export const u8At = (offset: number): StructField<number> => ({
  offset,
  bytes: 1,
  zero: 0,
  read: (source, at) => source.u8(at),
  write: (view, at, value) => view.setUint8(at, value),
});

export const u16At = (offset: number): StructField<number> => ({
  offset,
  bytes: 2,
  zero: 0,
  read: (source, at) => source.u16(at),
  write: (view, at, value) => view.setUint16(at, value, LITTLE_ENDIAN),
});

export const be16At = (offset: number): StructField<number> => ({
  offset,
  bytes: 2,
  zero: 0,
  read: (source, at) => source.be16(at),
  write: (view, at, value) => view.setUint16(at, value, false),
});

export const u32At = (offset: number): StructField<number> => ({
  offset,
  bytes: 4,
  zero: 0,
  read: (source, at) => source.u32(at),
  write: (view, at, value) => view.setUint32(at, value, LITTLE_ENDIAN),
});

export const s32At = (offset: number): StructField<number> => ({
  offset,
  bytes: 4,
  zero: 0,
  read: (source, at) => source.s32(at),
  write: (view, at, value) => view.setInt32(at, value, LITTLE_ENDIAN),
});

export const u64At = (offset: number): StructField<bigint> => ({
  offset,
  bytes: 8,
  zero: 0n,
  read: (source, at) => source.u64(at),
  write: (view, at, value) => view.setBigUint64(at, value, LITTLE_ENDIAN),
});

/**
 * A structure of `bytes` bytes. `minBytes` (default: all) is what the oldest kernel sends: fields beyond what arrived
 * read as zero. A newer kernel's longer structure is read as far as it is known here.
 */
export function struct<const S extends StructSchema>(bytes: number, schema: S, minBytes = bytes): Struct<S> {
  const fields = Object.entries(schema);
  const decodeInto = (source: WireSource, start: number, end: number, into: object): void => {
    if (end - start < minBytes) {
      throw new DecodeError('', start, `a structure of ${minBytes} bytes expected, ${end - start} found`);
    }
    const target = into as Record<string, unknown>;
    for (const [key, field] of fields) {
      const at = start + field.offset;
      target[key] = at + field.bytes <= end ? field.read(source, at) : field.zero;
    }
  };
  return {
    bytes,
    encode: (writer, value) => {
      const at = writer.reserve(bytes);
      const from = value as Record<string, unknown>;
      for (const [key, field] of fields) {
        const part = from[key];
        if (part !== undefined) field.write(writer.view, at + field.offset, part);
      }
    },
    decode: (source, start, end) => {
      const into = {};
      decodeInto(source, start, end, into);
      return into as StructValue<S>;
    },
    decodeInto,
  };
}
