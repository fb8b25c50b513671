import { forEachMessage, type MessageFrame } from '../wire/message.ts';
import { WireSource } from '../wire/wire-source.ts';

/** Bytes from hexadecimal text; blanks are ignored. */
export function bytesFromHex(hex: string): Uint8Array {
  const digits = hex.replaceAll(/\s/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) throw new TypeError('hexadecimal digits in pairs expected');
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    parseInt(digits.slice(index * 2, index * 2 + 2), 16),
  );
}

/** The messages of a captured datagram, given in hexadecimal. */
export function capturedMessages(hex: string): readonly MessageFrame[] {
  const frames: MessageFrame[] = [];
  forEachMessage(new WireSource(bytesFromHex(hex)), (frame) => {
    frames.push(frame);
  });
  return frames;
}
