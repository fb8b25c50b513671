/** Codecs of single values. The name says the byte order where it is not the host's. */
import { type Ip, isIpv4, type Ipv4, type Ipv6, type Mac, macFromBytes } from 'net-types';
import type { AttributeCodec } from './attribute-codec.ts';
import { DecodeError } from './decode-error.ts';
import type { WireSource } from './wire-source.ts';
import type { WireWriter } from './wire-writer.ts';

export const u8: AttributeCodec<number> = {
  encode: (writer, value) => writer.u8(value),
  decode: (source, start, end) => (exactly(1, start, end), source.u8(start)),
};

export const u16: AttributeCodec<number> = {
  encode: (writer, value) => writer.u16(value),
  decode: (source, start, end) => (exactly(2, start, end), source.u16(start)),
};

export const u32: AttributeCodec<number> = {
  encode: (writer, value) => writer.u32(value),
  decode: (source, start, end) => (exactly(4, start, end), source.u32(start)),
};

export const s32: AttributeCodec<number> = {
  encode: (writer, value) => writer.u32(value),
  decode: (source, start, end) => (exactly(4, start, end), source.s32(start)),
};

export const u64: AttributeCodec<bigint> = {
  encode: (writer, value) => writer.u64(value),
  decode: (source, start, end) => (exactly(8, start, end), source.u64(start)),
};

export const be16: AttributeCodec<number> = {
  encode: (writer, value) => writer.be16(value),
  decode: (source, start, end) => (exactly(2, start, end), source.be16(start)),
};

export const be32: AttributeCodec<number> = {
  encode: (writer, value) => writer.be32(value),
  decode: (source, start, end) => (exactly(4, start, end), source.be32(start)),
};

export const be64: AttributeCodec<bigint> = {
  encode: (writer, value) => writer.be64(value),
  decode: (source, start, end) => (exactly(8, start, end), source.be64(start)),
};

/** A byte that is 0 or 1. */
export const bool8: AttributeCodec<boolean> = {
  encode: (writer, value) => writer.u8(value ? 1 : 0),
  decode: (source, start, end) => (exactly(1, start, end), source.u8(start) !== 0),
};

/** Presence alone is the value (NLA_FLAG): encode it by `true`, leave it out otherwise. */
export const flag: AttributeCodec<true> = {
  encode: () => undefined,
  decode: (_source, start, end) => (exactly(0, start, end), true),
};

/** NUL-terminated text, as interface names and kinds are. A missing terminator is accepted, as the kernel does. */
export const cstring: AttributeCodec<string> = {
  encode: (writer, value) => {
    writer.text(value);
    writer.u8(0);
  },
  decode: (source, start, end) => source.text(start, end),
};

/** Any bytes, copied. */
export const bytes: AttributeCodec<Uint8Array> = {
  encode: (writer, value) => writer.bytes(value),
  decode: (source, start, end) => source.copy(start, end),
};

/** A nest that is kept undecoded. */
export const nestBytes: AttributeCodec<Uint8Array> = { ...bytes, nested: true };

/** 4 or 16 bytes in network order: the length is the family. */
export const ip: AttributeCodec<Ip> = {
  encode: (writer, value) => writeIp(writer, value),
  decode: (source, start, end) => readIp(source, start, end),
};

/** An address of four bytes; any other length is kept as unknown. */
export const ipv4: AttributeCodec<Ipv4> = {
  encode: (writer, value) => writeIp(writer, value),
  decode: (source, start, end) => {
    const value = readIp(source, start, end);
    return value !== undefined && isIpv4(value) ? value : undefined;
  },
};

/** An address of sixteen bytes; any other length is kept as unknown. */
export const ipv6: AttributeCodec<Ipv6> = {
  encode: (writer, value) => writeIp(writer, value),
  decode: (source, start, end) => {
    const value = readIp(source, start, end);
    return value !== undefined && !isIpv4(value) ? value : undefined;
  },
};

/** A link-layer address of six bytes; tunnels have addresses of other lengths, which are kept as unknown. */
export const mac: AttributeCodec<Mac> = {
  encode: (writer, value) => {
    for (let at = 0; at < 17; at += 3)
      writer.u8(hexDigit(value.charCodeAt(at)) * 16 + hexDigit(value.charCodeAt(at + 1)));
  },
  decode: (source, start, end) => (end - start === 6 ? macFromBytes(source.bytes.subarray(start, end)) : undefined),
};

export function writeIp(writer: WireWriter, value: Ip): void {
  if (isIpv4(value)) writer.be32(value);
  else {
    writer.be64(value >> 64n);
    writer.be64(value & 0xffff_ffff_ffff_ffffn);
  }
}

/** The address of 4 or 16 bytes, undefined for any other length. */
export function readIp(source: WireSource, start: number, end: number): Ip | undefined {
  if (end - start === 4) return source.be32(start) as Ipv4;
  // Two 64-bit halves: ten times cheaper than sixteen single bytes as bigints.
  if (end - start === 16) return ((source.be64(start) << 64n) | source.be64(start + 8)) as Ipv6;
  return undefined;
}

function hexDigit(charCode: number): number {
  return charCode <= 57 ? charCode - 48 : charCode - 87;
}

function exactly(count: number, start: number, end: number): void {
  if (end - start !== count) throw new DecodeError('', start, `${count} bytes expected, ${end - start} found`);
}
