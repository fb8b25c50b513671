import { type IpFamily, type Mac, macFromBytes, type Vni } from 'net-types';
import { stableHash } from './stable-hash.ts';

/**
 * The MAC of a node's vxlan device: locally administered, unicast, and the same whenever it is asked for, so that a
 * lost device comes back under the address that its peers already know.
 */
export function deriveVtepMac(nodeName: string, vni: Vni, family: IpFamily): Mac {
  const text = `${nodeName}|${vni}|${family}`;
  const high = stableHash(text, 1);
  const low = stableHash(text, 2);
  const bytes = [high >>> 8, high, low >>> 24, low >>> 16, low >>> 8, low].map((byte) => byte & 0xff);
  const mac = macFromBytes(Uint8Array.from(bytes, (byte, index) => (index === 0 ? (byte & 0xfc) | 0x02 : byte)));
  if (mac === undefined) throw new RangeError('six bytes make a MAC');
  return mac;
}
