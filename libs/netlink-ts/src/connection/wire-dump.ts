import { align4, LITTLE_ENDIAN } from '../wire/byte-order.ts';
import { MESSAGE_HEADER_BYTES } from '../wire/wire-writer.ts';

/**
 * A datagram as text: one line per message header, then its payload in hexadecimal, four bytes per group and sixteen
 * per line. Never throws: what cannot be framed is dumped as it is.
 */
export function formatWireDump(direction: 'sent' | 'received', datagram: Uint8Array): string {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const lines: string[] = [];
  let at = 0;
  while (datagram.length - at >= MESSAGE_HEADER_BYTES) {
    const length = view.getUint32(at, LITTLE_ENDIAN);
    if (length < MESSAGE_HEADER_BYTES || length > datagram.length - at) break;
    const type = view.getUint16(at + 4, LITTLE_ENDIAN);
    const flags = view.getUint16(at + 6, LITTLE_ENDIAN);
    const sequence = view.getUint32(at + 8, LITTLE_ENDIAN);
    const portId = view.getUint32(at + 12, LITTLE_ENDIAN);
    const mark = direction === 'sent' ? '>' : '<';
    lines.push(`${mark} len=${length} type=${type} flags=0x${flags.toString(16)} seq=${sequence} port=${portId}`);
    pushHex(lines, datagram.subarray(at + MESSAGE_HEADER_BYTES, at + length));
    at += align4(length);
  }
  if (at < datagram.length) {
    lines.push(`? ${datagram.length - at} bytes that are no message`);
    pushHex(lines, datagram.subarray(at));
  }
  return `${lines.join('\n')}\n`;
}

function pushHex(lines: string[], bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += 16) {
    const groups: string[] = [];
    for (let group = at; group < Math.min(at + 16, bytes.length); group += 4) {
      groups.push(Array.from(bytes.subarray(group, group + 4), (byte) => byte.toString(16).padStart(2, '0')).join(''));
    }
    lines.push(`    ${groups.join(' ')}`);
  }
}
