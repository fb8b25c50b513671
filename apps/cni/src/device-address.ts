import { type AddressInput, addressInput, IFA_F } from 'netlink-ts';
import { cidrLast, cidrOf, type InterfaceAddress, ipFamily } from 'net-types';

/** An address for a pod's interface or the bridge, as a request. */
export function deviceAddress(index: number, address: InterfaceAddress): AddressInput {
  const input = addressInput(index, address);
  // Nobody else can have the address, and waiting for the proof would cost the pod a second.
  if (ipFamily(address.ip) === 6) return { ...input, flags: IFA_F.NODAD };
  return address.prefixLen > 30 ? input : { ...input, broadcast: cidrLast(cidrOf(address.ip, address.prefixLen)) };
}
