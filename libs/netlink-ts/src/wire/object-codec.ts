/** One kind of netlink object: a fixed header followed by attributes, flattened into one plain object. */
import type { AttributeTable, SchemaValue } from './attribute-table.ts';
import { align4 } from './byte-order.ts';
import { DecodeError } from './decode-error.ts';
import type { Struct, StructValue } from './struct.ts';
import type { WireSource } from './wire-source.ts';
import type { WireWriter } from './wire-writer.ts';

export interface ObjectCodec<Decoded, Input = Decoded> {
  readonly name: string;
  /** Writes header and attributes; header fields that are left out are zero. */
  encode(writer: WireWriter, value: Input): void;
  /** Reads a message's payload in [start, end): every header field, the attributes that are there. */
  decode(source: WireSource, start: number, end: number): Decoded;
}

/** What decoding gives. */
export type ObjectOf<C> = C extends ObjectCodec<infer Decoded, infer _> ? Decoded : never;

/** What encoding takes: header fields are optional. */
export type InputOf<C> = C extends { encode(writer: WireWriter, value: infer Input): void } ? Input : never;

export function objectCodec<H, S>(
  name: string,
  header: Struct<H>,
  table: AttributeTable<S>,
): ObjectCodec<StructValue<H> & SchemaValue<S>, Partial<StructValue<H>> & SchemaValue<S>> {
  const headerBytes = align4(header.bytes);
  return {
    name,
    encode: (writer, value) => {
      header.encode(writer, value);
      writer.zeros(headerBytes - header.bytes);
      table.encode(writer, value);
    },
    decode: (source, start, end) => {
      try {
        const object = {};
        header.decodeInto(source, start, end, object);
        table.decode(source, start + headerBytes, end, object);
        return object as StructValue<H> & SchemaValue<S>;
      } catch (error) {
        throw error instanceof DecodeError ? error.within(name) : error;
      }
    },
  };
}
