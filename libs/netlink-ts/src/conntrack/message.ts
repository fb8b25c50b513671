import { nfgenmsg } from '../nfnetlink/header.ts';
import { type InputOf, objectCodec, type ObjectOf } from '../wire/object-codec.ts';
import { conntrackTable } from './attributes.ts';

export const conntrackCodec = objectCodec('conntrack', nfgenmsg, conntrackTable);

/** A flow as the kernel tracks it. `family` is an NFPROTO. */
export type Conntrack = ObjectOf<typeof conntrackCodec>;

/** A flow in a request. */
export type ConntrackInput = InputOf<typeof conntrackCodec>;
