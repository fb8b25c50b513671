/** By which addresses nodes know each other, and pods the nodes: what the policy agent and its explanations go by. */
import { type Ip, ok, parseIp, type Result } from 'net-types';
import type { AnnotationKeys } from './annotation-keys.ts';
import { parseNode } from './node.ts';

/** What one Node object tells. */
export interface NodeAddressRecord {
  /** From these it sends to the tunnels' ports. */
  readonly addresses: readonly Ip[];
  /**
   * The first of each block of its pods: its tunnel device has it (flannel's rule), and pods of other nodes see the node
   * by it. Not for the guard: it stands inside the tunnel's packets, never outside of them.
   */
  readonly tunnelAddresses: readonly Ip[];
}

/** A reader of Node objects; the error is one sentence with all that is wrong. What is no address is passed over. */
export function nodeAddressReader(keys: AnnotationKeys): (object: unknown) => Result<NodeAddressRecord, string> {
  // What peers send from and to: by flannel's rules it need not be an address of the Node's status.
  const published = [keys.publicIp, keys.publicIpv6, keys.publicIpOverwrite, keys.publicIpv6Overwrite];
  const keep = new Set(published);
  return (object) => {
    const node = parseNode(object, keep);
    if (!node.ok) return node;
    const { internalIps, annotations, podCidrs } = node.value;
    const texts = [...internalIps, ...published.map((key) => annotations[key])];
    return ok({ addresses: addressesOf(texts), tunnelAddresses: podCidrs.map(({ ip }) => ip) });
  };
}

function addressesOf(texts: readonly (string | undefined)[]): readonly Ip[] {
  const addresses = new Set<Ip>();
  for (const text of texts) {
    const ip = text === undefined ? undefined : parseIp(text);
    if (ip?.ok === true) addresses.add(ip.value);
  }
  return [...addresses];
}
