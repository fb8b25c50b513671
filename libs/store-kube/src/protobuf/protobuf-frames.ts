import { readEnvelope } from './envelope.ts';
import { STATUS } from './kubernetes-shapes.ts';
import type { MessageShape } from './message.ts';
import { malformed, WireReader } from './wire-reader.ts';

/** One event of a watch, its object as JSON would have it. */
export interface WatchEvent {
  readonly type: string;
  readonly object: Record<string, unknown>;
}

/**
 * Splits the body of a watch into its frames: four bytes of length, most significant first, and as many of content
 * (k8s.io/apimachinery/pkg/util/framer).
 */
export async function* readProtobufFrames(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Buffer, void> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const next = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    held = held.length === 0 ? next : Buffer.concat([held, next]);
    let at = 0;
    while (held.length - at >= LENGTH_BYTES) {
      const length = held.readUInt32BE(at);
      if (length > maxBytes) throw malformed(`a frame of ${length} bytes is longer than ${maxBytes}`);
      const end = at + LENGTH_BYTES + length;
      if (end > held.length) break;
      yield held.subarray(at + LENGTH_BYTES, end);
      at = end;
    }
    held = held.subarray(at);
  }
  // Whatever is left was cut off in the middle: the connection ended, and the resumed watch repeats it whole.
}

/** meta/v1 WatchEvent: the type, and the object in an envelope of its own. */
export function readWatchEvent(frame: Buffer, item: MessageShape): WatchEvent {
  const outer = new WireReader(frame);
  let type = '';
  let raw: Buffer | undefined;
  while (outer.next()) {
    if (outer.number === 1) type = outer.text();
    else if (outer.number === 2) raw = rawOf(outer.message());
    else outer.skip();
  }
  if (raw === undefined) throw malformed('an event without an object');
  return { type, object: readEnvelope(raw, (kind) => (kind === 'Status' ? STATUS : item)).object };
}

/** runtime.RawExtension. */
function rawOf(reader: WireReader): Buffer | undefined {
  let raw: Buffer | undefined;
  while (reader.next()) {
    if (reader.number === 1) raw = reader.bytes();
    else reader.skip();
  }
  return raw;
}

const LENGTH_BYTES = 4;
