/** What an endpoint is in the static sets and maps. Pods come and go by these elements alone. */
import type { RuleEndpoint } from '@canal/rules-ast';
import { elementKey, interfaceNameBytes, NFPROTO, NFT_VERDICT, type NftElement } from 'netlink-ts';
import { ipFamily, ipToBytes, type Mac, macToBytes } from 'net-types';

export interface SetElement {
  /** NFPROTO of the table. */
  readonly family: number;
  readonly set: string;
  readonly element: NftElement;
}

export function endpointElements(endpoint: RuleEndpoint): SetElement[] {
  return [...(endpoint.mode === 'routed' ? routedGuard(endpoint) : bridgeGuard(endpoint)), ...judged(endpoint)];
}

function routedGuard({ hostInterface, addresses }: RuleEndpoint): SetElement[] {
  const link = interfaceNameBytes(hostInterface);
  return [
    { family: NFPROTO.INET, set: 'pods', element: { key: link } },
    { family: NFPROTO.ARP, set: 'pods', element: { key: link } },
    ...addresses.flatMap((address) => {
      const owner = { set: `owners${ipFamily(address)}`, element: { key: elementKey(link, ipToBytes(address)) } };
      const families = ipFamily(address) === 4 ? [NFPROTO.INET, NFPROTO.ARP] : [NFPROTO.INET];
      return families.map((family) => ({ family, ...owner }));
    }),
  ];
}

function bridgeGuard({ hostInterface, mac, addresses }: RuleEndpoint): SetElement[] {
  const family = NFPROTO.BRIDGE;
  const link = interfaceNameBytes(hostInterface);
  return [
    { family, set: 'pods', element: { key: link } },
    { family, set: 'macs', element: { key: elementKey(link, macToBytes(mac)) } },
    ...addresses.map((address) => {
      return { family, set: `owners${ipFamily(address)}`, element: { key: elementKey(link, ipToBytes(address)) } };
    }),
  ];
}

/** By addresses, so alike in both modes. */
function judged({ addresses, ingress, egress }: RuleEndpoint): SetElement[] {
  const elements: SetElement[] = [];
  const add = (set: string, element: NftElement): void => {
    elements.push({ family: NFPROTO.INET, set, element });
  };
  for (const address of addresses) {
    const family = ipFamily(address);
    const key = ipToBytes(address);
    add(`local${family}`, { key });
    if (ingress !== undefined || egress !== undefined) add(`isolated${family}`, { key });
    if (ingress !== undefined) add(`ingress${family}`, jumpElement(key, ingress));
    if (egress !== undefined) add(`egress${family}`, jumpElement(key, egress));
    for (const other of addresses) {
      if (ipFamily(other) === family) add(`self${family}`, { key: elementKey(key, ipToBytes(other)) });
    }
  }
  return elements;
}

function jumpElement(key: Uint8Array, chain: string): NftElement {
  return { key, data: { verdict: { code: NFT_VERDICT.JUMP, chain } } };
}

export function gatewayElements(mac: Mac | undefined): NftElement[] {
  return mac === undefined ? [] : [{ key: macToBytes(mac) }];
}
