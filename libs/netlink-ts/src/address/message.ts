import type { InterfaceAddress } from 'net-types';
import { objectCodec, type InputOf, type ObjectOf } from '../wire/object-codec.ts';
import { addressTable } from './attributes.ts';
import { addressHeader } from './header.ts';

export const addressCodec = objectCodec('address', addressHeader, addressTable);

/** An address of a device as the kernel describes it. */
export type Address = ObjectOf<typeof addressCodec>;

/** An address in a request. */
export type AddressInput = InputOf<typeof addressCodec>;

/** The device's own address with its prefix length; undefined for a message that has none (anycast, multicast). */
export function interfaceAddressOf(address: AddressInput): InterfaceAddress | undefined {
  const ip = address.local ?? address.address;
  return ip === undefined ? undefined : { ip, prefixLen: address.prefixLen ?? 0 };
}
