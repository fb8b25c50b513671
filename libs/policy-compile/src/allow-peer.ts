/** Whom a rule allows, freed from the policy that it stands in. */
import type { LabelSelector, PolicyPeer } from '@canal/model';
import { type Cidr, cidrContainsCidr, cidrsOverlap, compareCidr, formatCidr } from 'net-types';

export type AllowPeer = { readonly type: 'any' } | PodPeer | BlockPeer;

export interface PodPeer {
  readonly type: 'pods';
  /** The name of one namespace, or a selector of namespaces. */
  readonly namespaces: string | LabelSelector;
  readonly pods: LabelSelector;
}

export interface BlockPeer {
  readonly type: 'block';
  readonly cidr: Cidr;
  /** Within `cidr`, none within another, in order. */
  readonly except: readonly Cidr[];
}

export const ANY_PEER: AllowPeer = { type: 'any' };

/** Undefined: it is nobody, because the exceptions cover the whole block. */
export function allowPeerOf(peer: PolicyPeer, namespace: string): AllowPeer | undefined {
  if (peer.type === 'pods') {
    return {
      type: 'pods',
      namespaces: peer.namespaces === 'own' ? namespace : peer.namespaces,
      pods: peer.pods,
    };
  }
  if (peer.except.some((except) => cidrContainsCidr(except, peer.cidr))) return undefined;
  const except = outermostBlocks(peer.except.filter((block) => cidrsOverlap(block, peer.cidr)));
  return { type: 'block', cidr: peer.cidr, except };
}

/** In order, without those that lie in another. */
export function outermostBlocks(blocks: readonly Cidr[]): readonly Cidr[] {
  const outermost: Cidr[] = [];
  for (const block of [...blocks].sort(compareCidr)) {
    // In this order a block follows whatever contains it, with nothing but its brothers between.
    const before = outermost.at(-1);
    if (before === undefined || !cidrContainsCidr(before, block)) outermost.push(block);
  }
  return outermost;
}

/** Equal texts mean the same peers. */
export function allowPeerText(peer: AllowPeer): string {
  switch (peer.type) {
    case 'any':
      return 'any';
    case 'pods': {
      const namespaces = typeof peer.namespaces === 'string' ? peer.namespaces : selectorText(peer.namespaces);
      return `pods ${namespaces} ${selectorText(peer.pods)}`;
    }
    case 'block':
      return `block ${blocksText([peer.cidr])} except ${blocksText(peer.except)}`;
  }
}

export function blocksText(blocks: readonly Cidr[]): string {
  return blocks.map(formatCidr).join(',');
}

/** Begins with a bracket, which no name of a namespace does. */
export function selectorText(selector: LabelSelector): string {
  return JSON.stringify(
    selector.map((requirement) => [
      requirement.key,
      requirement.operator,
      ...('values' in requirement ? requirement.values : []),
    ]),
  );
}
