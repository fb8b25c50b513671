/**
 * The order of operations is data: what refers to something comes after it, and what is referred to goes after all that
 * refers to it. Within that, packets decide: a peer's neighbour and forwarding entry are there before its route (else
 * the kernel would ask for the address on a tunnel where nobody answers), and leave after it.
 */
import type { NetworkOperation } from '@canal/model';

export const PHASES = [
  /** A device with an attribute that cannot be changed goes, to be made again in the next phase. */
  'replaced-links',
  'links',
  'sysctls',
  'addresses',
  'nexthops',
  'neighbours',
  'proxies',
  /** Further remotes under one MAC, so that setting the entry swaps the one that is left. */
  'surplus-forwarding',
  'forwarding',
  /** Routes to targets that are right by now; those among them that leave a nexthop free it for a swap. */
  'routes',
  /** Nexthop objects that get another content: whoever keeps on using the id has moved away above. */
  'swapped-nexthops',
  'routes-over-swapped-nexthops',
  /** When the way through this node is there: an isolated port has no other. */
  'ports',
  'stale-routes',
  'stale-nexthops',
  'stale-neighbours',
  'stale-proxies',
  'stale-forwarding',
  'stale-addresses',
  'stale-links',
] as const;

export type Phase = (typeof PHASES)[number];

/** Operations under way to their order. */
export class OperationPlan {
  readonly #phases = new Map<Phase, NetworkOperation[]>(PHASES.map((phase) => [phase, []]));
  readonly #withheld: NetworkOperation[] = [];

  add(phase: Phase, operation: NetworkOperation): void {
    this.#phases.get(phase)?.push(operation);
  }

  /** Would be right and is not done: something of others is in the way, or a device stays for a while. */
  withhold(...operations: readonly NetworkOperation[]): void {
    this.#withheld.push(...operations);
  }

  get withheld(): readonly NetworkOperation[] {
    return this.#withheld;
  }

  /** In the order of PHASES, within one in the order they were added. */
  inOrder(): NetworkOperation[] {
    return [...this.#phases.values()].flat();
  }
}
