import type { AttributeCodec } from '../wire/attribute-codec.ts';
import { be32 } from '../wire/scalars.ts';

/** A signed number of four bytes in network order, as hook priorities and verdicts are. */
export const be32Signed: AttributeCodec<number> = {
  encode: (writer, value) => writer.be32(value >>> 0),
  decode: (source, start, end) => {
    const value = be32.decode(source, start, end);
    return value === undefined ? undefined : value | 0;
  },
};
