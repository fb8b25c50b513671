import { BRIDGE_NAME } from '@canal/model';
import { isOwnLinkName } from '@canal/delta';
import type { InterfaceFacts } from '@canal/kernel-port';

/** Links that face this node's pods or carry tunnels: never the way to other nodes, nor a network of the host's own. */
export function isPodSide(facts: InterfaceFacts): boolean {
  return isOwnLinkName(facts.name) || facts.name === BRIDGE_NAME;
}
