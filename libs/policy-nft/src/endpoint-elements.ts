/** What an endpoint is in the static sets and maps. Pods come and go by these elements alone. */
import type { RuleEndpoint } from '@canal/rules-ast';
import { elementKey, interfaceNameBytes, NFPROTO, NFT_VERDICT, type NftElement } from 'netlink-ts';
import { ipFamily, ipToBytes, macToBytes } from 'net-types';
import { DIRECTIONS, isolatedSet } from './chain-names.ts';
import type { KernelFamilies } from './kernel-families.ts';

export interface SetElement {
  /** NFPROTO of the table. */
  readonly family: number;
  readonly set: string;
  readonly element: NftElement;
}

export function endpointElements(endpoint: RuleEndpoint, { arp, bridge }: KernelFamilies): SetElement[] {
  if (endpoint.mode === 'bridge' && !bridge) return isolated(endpoint);
  const guard = endpoint.mode === 'routed' ? routedGuard(endpoint) : bridgeGuard(endpoint);
  return [...guard, ...judged(endpoint)].filter(({ family }) => {
    return family === NFPROTO.ARP ? arp : family !== NFPROTO.BRIDGE || bridge;
  });
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
    // The node sends to a pod by its port itself, past the bridge; judge asks whether it is the pod's.
    ...addresses.flatMap((address) => {
      const owner = { set: `owners${ipFamily(address)}`, element: { key: elementKey(link, ipToBytes(address)) } };
      return [family, NFPROTO.INET].map((each) => ({ family: each, ...owner }));
    }),
  ];
}

/** A pod that cannot be guarded: nobody knows what is from it, and to it nothing goes. */
function isolated({ addresses }: RuleEndpoint): SetElement[] {
  return addresses.flatMap((address) =>
    DIRECTIONS.map((direction) => ({
      family: NFPROTO.INET,
      set: isolatedSet(direction, ipFamily(address)),
      element: { key: ipToBytes(address) },
    })),
  );
}

/** By addresses, so alike in both modes. */
function judged(endpoint: RuleEndpoint): SetElement[] {
  const { addresses } = endpoint;
  const elements: SetElement[] = [];
  const add = (set: string, element: NftElement): void => {
    elements.push({ family: NFPROTO.INET, set, element });
  };
  for (const address of addresses) {
    const family = ipFamily(address);
    const key = ipToBytes(address);
    add(`local${family}`, { key });
    // Of routed pods too: whatever else is on the bridge must not bring their addresses.
    elements.push({ family: NFPROTO.BRIDGE, set: `local${family}`, element: { key } });
    for (const direction of DIRECTIONS) {
      const chain = endpoint[direction];
      if (chain === undefined) continue;
      add(isolatedSet(direction, family), { key });
      add(`${direction}${family}`, { key, data: { verdict: { code: NFT_VERDICT.GOTO, chain } } });
    }
    for (const other of addresses) {
      if (ipFamily(other) === family) add(`self${family}`, { key: elementKey(key, ipToBytes(other)) });
    }
  }
  return elements;
}
