import { objectCodec, type InputOf, type ObjectOf } from '../wire/object-codec.ts';
import { neighbourTable } from './attributes.ts';
import { neighbourHeader } from './header.ts';

export const neighbourCodec = objectCodec('neighbour', neighbourHeader, neighbourTable);

/** An ARP or ND entry, or with family AF_BRIDGE a forwarding entry, as the kernel describes it. */
export type Neighbour = ObjectOf<typeof neighbourCodec>;

/** An entry in a request. */
export type NeighbourInput = InputOf<typeof neighbourCodec>;
