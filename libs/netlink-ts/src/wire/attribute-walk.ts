import { NLA_TYPE_MASK, type UnknownAttribute } from './attribute-codec.ts';
import { align4 } from './byte-order.ts';
import { DecodeError } from './decode-error.ts';
import type { WireSource } from './wire-source.ts';
import { ATTRIBUTE_HEADER_BYTES, type WireWriter } from './wire-writer.ts';

/**
 * Calls `visit` for each attribute in [start, end):
 *
 *     0       2       4              len   align4(len)
 *     | len   | type  | payload ...  | pad |
 *
 * The padding of the last one may be missing. Anything that does not add up is a DecodeError.
 */
export function forEachAttribute(
  source: WireSource,
  start: number,
  end: number,
  visit: (rawType: number, payloadStart: number, payloadEnd: number) => void,
): void {
  let at = start;
  while (at < end) {
    if (end - at < ATTRIBUTE_HEADER_BYTES) {
      throw new DecodeError('', at, `an attribute header of 4 bytes expected, ${end - at} left`);
    }
    const length = source.u16(at);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > end) {
      throw new DecodeError('', at, `attribute length ${length} is not within 4..${end - at}`);
    }
    visit(source.u16(at + 2), at + ATTRIBUTE_HEADER_BYTES, at + length);
    at += align4(length);
  }
}

export function attributeType(rawType: number): number {
  return rawType & NLA_TYPE_MASK;
}

export function writeUnknownAttributes(writer: WireWriter, attributes: readonly UnknownAttribute[]): void {
  for (const { type, bytes } of attributes) {
    const mark = writer.beginAttribute(type);
    writer.bytes(bytes);
    writer.endAttribute(mark);
  }
}
