/**
 * Names and MAC addresses of an attachment, from what the runtime calls it: so DEL finds the link of an ADD that died
 * before it wrote anything, and both ends can be given their neighbour entries without reading anything back.
 */
import { type ContainerId, type NetworkName } from '@canal/cni-spec';
import { HOST_VETH_PREFIX } from '@canal/model';
import { type InterfaceName, type Mac, parseInterfaceName, parseMac, unwrap } from 'net-types';

export interface PodIdentity {
  /** `cnl` and 11 hex digits: 44 bits of a SHA-256, so that no two of a node's pods meet by chance. */
  readonly hostInterface: InterfaceName;
  readonly hostMac: Mac;
  /** Same after a restart of the pod's sandbox only if the runtime keeps the id; addresses are never tied to it. */
  readonly containerMac: Mac;
}

const HASH_DIGITS = 11;
const MAC_DIGITS = 12;

export function podIdentity(network: NetworkName, containerId: ContainerId, name: InterfaceName): PodIdentity {
  // None of the three can hold a NUL, so different triples give different texts.
  const digest = sha256([network, containerId, name].join('\0'));
  return {
    hostInterface: unwrap(parseInterfaceName(HOST_VETH_PREFIX + digest.slice(0, HASH_DIGITS))),
    hostMac: localMac(digest.slice(16, 16 + MAC_DIGITS)),
    containerMac: localMac(digest.slice(28, 28 + MAC_DIGITS)),
  };
}

/** The bridge's MAC: fixed, because a bridge without one takes its ports' and pods would lose their gateway. */
export function bridgeMac(bridge: InterfaceName, gateway: string): Mac {
  return localMac(sha256(`${bridge}\0${gateway}`).slice(0, MAC_DIGITS));
}

/** Hex digits. In text from end to end: the runtime's byte buffers cost half a millisecond at first use. */
function sha256(text: string): string {
  return Bun.CryptoHasher.hash('sha256', text, 'hex');
}

/** Locally administered, unicast (IEEE 802: second-lowest bit of the first byte set, lowest clear). */
function localMac(digits: string): Mac {
  const first = (parseInt(digits.slice(0, 2), 16) & 0xfc) | 0x02;
  const pairs = [first.toString(16).padStart(2, '0')];
  for (let at = 2; at < MAC_DIGITS; at += 2) pairs.push(digits.slice(at, at + 2));
  return unwrap(parseMac(pairs.join(':')));
}
