import { malformed, WIRE, type WireReader } from './wire-reader.ts';

/** The fields of a message that are read, by number, under the names that they have in JSON; all others are skipped. */
export type MessageShape = ReadonlyMap<number, FieldShape>;

export interface FieldShape {
  readonly name: string;
  readonly type: 'text' | 'boolean' | 'integer' | 'time' | 'texts-by-key' | MessageShape;
  readonly repeated?: boolean;
  /** The only keys of `texts-by-key` that are read; default: all. */
  readonly keys?: ReadonlySet<string>;
}

type Fields = Record<string, unknown>;

/**
 * The object as JSON would have it. Kubernetes writes texts that are not set as empty ones, which JSON leaves out: so do
 * we. Numbers and booleans that are not set come as 0 and false.
 */
export function readMessage(reader: WireReader, shape: MessageShape): Fields {
  const object: Fields = {};
  while (reader.next()) {
    const field = shape.get(reader.number);
    if (field === undefined) reader.skip();
    else if (field.type === 'texts-by-key') readEntry(reader, object, field);
    else {
      const value = readValue(reader, field);
      if (field.repeated === true) listOf(object, field.name).push(value);
      else if (value !== '') object[field.name] = value;
    }
  }
  return object;
}

function readValue(reader: WireReader, { name, type }: FieldShape): unknown {
  switch (type) {
    case 'text':
      return reader.text();
    case 'boolean':
      return readNumber(reader, name) !== 0;
    case 'integer':
      return readNumber(reader, name);
    case 'time':
      return readTime(reader.message());
    case 'texts-by-key':
      throw new Error('read entry by entry');
    default:
      return readMessage(reader.message(), type);
  }
}

function readNumber(reader: WireReader, name: string): number {
  if (reader.wire !== WIRE.VARINT) throw malformed(`${name} has wire type ${reader.wire}, expected a number`);
  return reader.varint();
}

/** meta/v1 Time: seconds since the epoch; empty for one that is not set, or is none. */
function readTime(reader: WireReader): string {
  let seconds: number | undefined;
  while (reader.next()) {
    if (reader.number === 1) seconds = readNumber(reader, 'seconds');
    else reader.skip();
  }
  const time = new Date((seconds ?? Number.NaN) * 1000);
  return Number.isNaN(time.getTime()) ? '' : time.toISOString().replace('.000Z', 'Z');
}

/** One entry of a map: a message of key and value. */
function readEntry(reader: WireReader, object: Fields, { name, keys }: FieldShape): void {
  const entry = reader.message();
  let [key, value] = ['', ''];
  while (entry.next()) {
    if (entry.number === 1) key = entry.text();
    else if (entry.number === 2 && keys?.has(key) !== false) value = entry.text();
    else entry.skip();
  }
  if (keys?.has(key) === false) return;
  // Not by assignment: `__proto__` is a key like any other here, and for the reader of labels to refuse.
  const map = (object[name] ??= {}) as Fields;
  Object.defineProperty(map, pooled(key), {
    value: pooled(value),
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

function listOf(object: Fields, name: string): unknown[] {
  return (object[name] ??= []) as unknown[];
}

/** Keys and values of labels repeat from pod to pod: one text for all, as JSON.parse gives them. */
function pooled(text: string): string {
  const known = pool.get(text);
  if (known !== undefined) return known;
  if (pool.size >= POOL_SIZE) pool.clear();
  pool.set(text, text);
  return text;
}

const POOL_SIZE = 4_096;
const pool = new Map<string, string>();
