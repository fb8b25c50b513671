/** Whom a rule allows, freed from the policy that it stands in. */
import type { LabelSelector, PolicyPeer } from '@canal/model';
import { type Cidr, cidrContainsCidr, cidrsOverlap, compareCidr, formatCidr } from 'net-types';

export type AllowPeer = AnyPeer | PodPeer | BlockPeer;

export interface AnyPeer {
  readonly type: 'any';
  /** Equal texts mean the same peers, now and later. */
  readonly text: string;
}

export interface PodPeer {
  readonly type: 'pods';
  readonly text: string;
  /** The name of one namespace, or a selector of namespaces. */
  readonly namespaces: string | LabelSelector;
  readonly pods: LabelSelector;
}

export interface BlockPeer {
  readonly type: 'block';
  readonly text: string;
  readonly cidr: Cidr;
  /** Within `cidr`, none within another, in order. */
  readonly except: readonly Cidr[];
}

export const ANY_PEER: AllowPeer = { type: 'any', text: 'any' };

/** Undefined: it is nobody, because the exceptions cover the whole block. */
export function allowPeerOf(peer: PolicyPeer, namespace: string): AllowPeer | undefined {
  if (peer.type === 'pods') {
    const namespaces = peer.namespaces === 'own' ? namespace : peer.namespaces;
    const scope = typeof namespaces === 'string' ? namespaces : selectorText(namespaces);
    return { type: 'pods', text: `pods ${scope} ${selectorText(peer.pods)}`, namespaces, pods: peer.pods };
  }
  const { cidr } = peer;
  if (peer.except.some((except) => cidrContainsCidr(except, cidr))) return undefined;
  const except = outermostBlocks(peer.except.filter((block) => cidrsOverlap(block, cidr)));
  return { type: 'block', text: `block ${[cidr, ...except].map(formatCidr).join(' except ')}`, cidr, except };
}

/** In order, without those that lie in another. */
function outermostBlocks(blocks: readonly Cidr[]): readonly Cidr[] {
  const outermost: Cidr[] = [];
  for (const block of [...blocks].sort(compareCidr)) {
    // In this order a block follows whatever contains it, with nothing but its brothers between.
    const before = outermost.at(-1);
    if (before === undefined || !cidrContainsCidr(before, block)) outermost.push(block);
  }
  return outermost;
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
