/**
 * Schemas of attributes: a table names each attribute type once, with its codec, and both directions and the
 * TypeScript type follow from it.
 *
 *     const addressAttributes = attributeTable({ local: attribute(IFA_LOCAL, ip), flags: attribute(IFA_FLAGS, u32) });
 *     type AddressAttributes = AttributesOf<typeof addressAttributes>;  // { local?: Ip; flags?: number; unknown?: … }
 */
import { type AttributeCodec, NLA_F_NESTED, type UnknownAttribute } from './attribute-codec.ts';
import { attributeType, forEachAttribute, writeUnknownAttributes } from './attribute-walk.ts';
import { DecodeError } from './decode-error.ts';
import type { WireSource } from './wire-source.ts';
import type { WireWriter } from './wire-writer.ts';

/** One row of a table. */
export interface AttributeEntry<T> {
  readonly type: number;
  readonly codec: AttributeCodec<T>;
}

type AttributeSchema = Readonly<Record<string, AttributeEntry<unknown>>>;

/** The object that a schema reads and writes: each attribute optional, what it does not name under `unknown`. */
export type SchemaValue<S> = { readonly [K in keyof S]?: S[K] extends AttributeEntry<infer T> ? T : never } & {
  readonly unknown?: readonly UnknownAttribute[];
};

export interface AttributeTable<S> {
  readonly schema: S;
  /** Writes the attributes that the value has, in the order of the schema, then the unknown ones. */
  encode(writer: WireWriter, value: SchemaValue<S>): void;
  /** Reads [start, end) into a new object, or adds to `into`. An attribute that occurs twice: the last one counts. */
  decode(source: WireSource, start: number, end: number, into?: object): SchemaValue<S>;
}

/** The value type of a table. */
export type AttributesOf<T> = T extends AttributeTable<infer S> ? SchemaValue<S> : never;

export function attribute<T>(type: number, codec: AttributeCodec<T>): AttributeEntry<T> {
  return { type, codec };
}

interface Field {
  readonly key: string;
  readonly type: number;
  readonly codec: AttributeCodec<unknown>;
}

interface CompiledTable {
  readonly fields: readonly Field[];
  readonly byType: readonly (Field | undefined)[];
}

/** The schema is worked through on first use: a program pays at its start only for the objects that it uses. */
export function attributeTable<const S extends AttributeSchema>(schema: S): AttributeTable<S> {
  let compiled: CompiledTable | undefined;
  return {
    schema,
    encode: (writer, value) => {
      compiled ??= compileSchema(schema);
      encodeFields(compiled.fields, writer, value);
    },
    decode: (source, start, end, into = {}) => {
      compiled ??= compileSchema(schema);
      return decodeFields(compiled.byType, source, start, end, into as Record<string, unknown>) as SchemaValue<S>;
    },
  };
}

function compileSchema(schema: AttributeSchema): CompiledTable {
  const fields: Field[] = [];
  const byType: (Field | undefined)[] = [];
  for (const [key, { type, codec }] of Object.entries(schema)) {
    if (byType[type] !== undefined) throw new TypeError(`attribute type ${type} is named twice`);
    const field = { key, type, codec };
    fields.push(field);
    byType[type] = field;
  }
  return { fields, byType };
}

/** A table as the payload of an attribute. */
export function nested<S>(table: AttributeTable<S>): AttributeCodec<SchemaValue<S>> {
  return {
    nested: true,
    encode: (writer, value) => table.encode(writer, value),
    decode: (source, start, end) => table.decode(source, start, end),
  };
}

/** A nest of attributes that all have the same type: `list(IFLA_ALT_IFNAME, cstring)`. */
export function list<T>(type: number, codec: AttributeCodec<T>): AttributeCodec<readonly T[]> {
  return {
    nested: true,
    encode: (writer, values) => {
      for (const value of values) encodeAttribute(writer, type, codec, value);
    },
    decode: (source, start, end) => {
      const values: (T | undefined)[] = [];
      forEachAttribute(source, start, end, (rawType, from, to) => {
        values.push(attributeType(rawType) === type ? codec.decode(source, from, to) : undefined);
      });
      const known = values.filter((value) => value !== undefined);
      return known.length === values.length ? known : undefined;
    },
  };
}

/** Writes one attribute; NLA_F_NESTED is added if the codec is one of nests. */
export function encodeAttribute<T>(writer: WireWriter, type: number, codec: AttributeCodec<T>, value: T): void {
  const mark = writer.beginAttribute(codec.nested === true ? type | NLA_F_NESTED : type);
  codec.encode(writer, value);
  writer.endAttribute(mark);
}

function encodeFields(fields: readonly Field[], writer: WireWriter, value: Record<string, unknown>): void {
  for (const { key, type, codec } of fields) {
    const part = value[key];
    if (part !== undefined) encodeAttribute(writer, type, codec, part);
  }
  const unknown = value['unknown'] as readonly UnknownAttribute[] | undefined;
  if (unknown !== undefined) writeUnknownAttributes(writer, unknown);
}

function decodeFields(
  byType: readonly (Field | undefined)[],
  source: WireSource,
  start: number,
  end: number,
  into: Record<string, unknown>,
): Record<string, unknown> {
  let unknown: UnknownAttribute[] | undefined;
  forEachAttribute(source, start, end, (rawType, from, to) => {
    const field = byType[attributeType(rawType)];
    const value = field === undefined ? undefined : decodeField(field, source, from, to);
    if (field !== undefined && value !== undefined) into[field.key] = value;
    else (unknown ??= []).push({ type: rawType, bytes: source.copy(from, to) });
  });
  if (unknown !== undefined) into['unknown'] = unknown;
  return into;
}

function decodeField(field: Field, source: WireSource, start: number, end: number): unknown {
  try {
    return field.codec.decode(source, start, end);
  } catch (error) {
    throw error instanceof DecodeError ? error.within(field.key) : error;
  }
}
