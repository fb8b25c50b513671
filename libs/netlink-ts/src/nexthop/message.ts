import { objectCodec, type InputOf, type ObjectOf } from '../wire/object-codec.ts';
import { nexthopTable } from './attributes.ts';
import { nexthopHeader } from './header.ts';

export const nexthopCodec = objectCodec('nexthop', nexthopHeader, nexthopTable);

/** A nexthop object as the kernel describes it. */
export type Nexthop = ObjectOf<typeof nexthopCodec>;

/** A nexthop object in a request. */
export type NexthopInput = InputOf<typeof nexthopCodec>;
