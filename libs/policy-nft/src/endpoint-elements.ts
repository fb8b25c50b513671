/** What an endpoint is in the static sets and maps. Pods come and go by these elements alone. */
import type { RuleEndpoint } from '@canal/rules-ast';
import { elementKey, interfaceNameBytes, NFPROTO, NFT_VERDICT, type NftElement } from 'netlink-ts';
import { ipFamily, type IpFamily, ipToBytes } from 'net-types';

export interface SetElement {
  /** NFPROTO of the table. */
  readonly family: number;
  readonly set: string;
  readonly element: NftElement;
}

export function endpointElements(endpoint: RuleEndpoint): SetElement[] {
  const { hostInterface, ingress, egress } = endpoint;
  const link = interfaceNameBytes(hostInterface);
  const elements: SetElement[] = [inet('pods', { key: link })];
  for (const address of endpoint.addresses) {
    const family = ipFamily(address);
    const key = ipToBytes(address);
    elements.push(inet(`owners${family}`, { key: elementKey(link, key) }), inet(`local${family}`, { key }));
    if (family === 4) {
      elements.push({ family: NFPROTO.ARP, set: 'owners4', element: { key: elementKey(link, key) } });
    }
    if (ingress !== undefined || egress !== undefined) elements.push(inet(`isolated${family}`, { key }));
    if (ingress !== undefined) elements.push(inet(`ingress${family}`, jumpElement(key, ingress)));
    if (egress !== undefined) elements.push(inet(`egress${family}`, jumpElement(key, egress)));
    for (const other of endpoint.addresses) {
      if (ipFamily(other) === family) elements.push(inet(`self${family}`, { key: elementKey(key, ipToBytes(other)) }));
    }
  }
  return elements;
}

type StaticSet = 'pods' | `${'owners' | 'local' | 'isolated' | 'ingress' | 'egress' | 'self'}${IpFamily}`;

function inet(set: StaticSet, element: NftElement): SetElement {
  return { family: NFPROTO.INET, set, element };
}

function jumpElement(key: Uint8Array, chain: string): NftElement {
  return { key, data: { verdict: { code: NFT_VERDICT.JUMP, chain } } };
}
