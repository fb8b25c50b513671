import type { NetlinkQuery, NetlinkRequest } from '../connection/request.ts';
import type { ObjectCodec } from '../wire/object-codec.ts';

/** A request whose body is one object. */
export function objectRequest<Input>(
  operation: string,
  type: number,
  flags: number,
  codec: ObjectCodec<unknown, Input>,
  value: Input,
): NetlinkRequest {
  return { operation, type, flags, writeBody: (writer) => codec.encode(writer, value) };
}

/** A get or dump whose answers are messages of type `replyType`. */
export function objectQuery<Decoded, Input>(
  operation: string,
  type: number,
  replyType: number,
  codec: ObjectCodec<Decoded, Input>,
  value: Input,
): NetlinkQuery<Decoded> {
  return {
    operation,
    type,
    flags: 0,
    writeBody: (writer) => codec.encode(writer, value),
    decode: (frame) =>
      frame.type === replyType ? codec.decode(frame.source, frame.payloadStart, frame.payloadEnd) : undefined,
  };
}
