/** What decides the members of a set. Texts are canonical: equal texts mean equal sets, now and later. */
import type { SetMember } from '@canal/rules-ast';
import { type AddressRange, rangesText } from './address-ranges.ts';
import { allowanceText, type Allowance } from './allow-list.ts';
import type { PodPeer } from './allow-peer.ts';

export type SetContent = AddressesContent | AddressPortsContent | BlocksContent;

/** Addresses of the pods that any of the peers is. */
export interface AddressesContent {
  readonly kind: 'addresses';
  readonly peers: readonly PodPeer[];
}

/** Addresses of the pods of each peer with the allowance's ports: those by number, and those that the pod declares. */
export interface AddressPortsContent {
  readonly kind: 'address-ports';
  readonly allowances: readonly Allowance[];
}

interface BlocksContent {
  readonly kind: 'blocks';
  /** Ascending, and none touches the next. */
  readonly ranges: readonly AddressRange[];
}

export const SET_ID_PREFIX: Readonly<Record<SetMember['kind'], string>> = {
  addresses: 'ad-',
  'address-ports': 'ap-',
  blocks: 'bl-',
};

export function setContentText(content: SetContent): string {
  switch (content.kind) {
    case 'addresses':
      return content.peers.map(({ text }) => text).join('\n');
    case 'address-ports':
      return content.allowances.map(allowanceText).join('\n');
    case 'blocks':
      return rangesText(content.ranges);
  }
}

/** The selectors of pods on which its members depend, each once. */
export function podPeersOf(content: SetContent): readonly PodPeer[] {
  switch (content.kind) {
    case 'addresses':
      return content.peers;
    case 'address-ports':
      return content.allowances.map(({ peer }) => peer).filter((peer) => peer.type === 'pods');
    case 'blocks':
      return [];
  }
}
