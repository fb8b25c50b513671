import type { InterfaceAddress, IpFamily } from 'net-types';
import type { NetlinkConnection } from '../connection/connection.ts';
import type { NetlinkRequest } from '../connection/request.ts';
import { familyNumber, familyOfIp } from '../rtnetlink/family.ts';
import { RTM } from '../rtnetlink/message-types.ts';
import { objectQuery, objectRequest } from '../rtnetlink/object-request.ts';
import { NLM_F } from '../wire/message.ts';
import { type Address, addressCodec, type AddressInput } from './message.ts';

export interface AddressFilter {
  readonly family?: IpFamily;
  /** Device. */
  readonly index?: number;
}

/** The fields of an ordinary address of a device. */
export function addressInput(index: number, address: InterfaceAddress): AddressInput {
  const { ip, prefixLen } = address;
  return { family: familyOfIp(ip), index, prefixLen, local: ip, address: ip };
}

/** Adds an address to a device; fails with EEXIST if it is there. With NLM_F.CREATE | NLM_F.REPLACE it need not be new. */
export function newAddress(address: AddressInput, flags: number = NLM_F.CREATE | NLM_F.EXCL): NetlinkRequest {
  return objectRequest('new address', RTM.NEWADDR, flags, addressCodec, address);
}

export function delAddress(address: AddressInput): NetlinkRequest {
  return objectRequest('delete address', RTM.DELADDR, 0, addressCodec, address);
}

export function listAddresses(connection: NetlinkConnection, filter: AddressFilter = {}): Address[] {
  const { family, index = 0 } = filter;
  const request = { family: familyNumber(family), index };
  const query = objectQuery('list addresses', RTM.GETADDR, RTM.NEWADDR, addressCodec, request);
  const addresses = connection.dump(query);
  // Kernels before 5.0 do not know strict checking and send all.
  return index === 0 ? addresses : addresses.filter((address) => address.index === index);
}
