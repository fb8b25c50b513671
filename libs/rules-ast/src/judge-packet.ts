/**
 * A model of the kernel: what a view does to the first packet of a flow. In the order of the dataplane's chains: a pod
 * to itself passes; the chain of the source judges; the node's own traffic passes; the chain of the destination judges.
 * Neighbour discovery, replies and errors of allowed flows are not first packets and are not here.
 */
import type { Ip } from 'net-types';
import type { AllowRule, ChainId, PortMatch, RuleChain } from './rule-chain.ts';
import { PROTOCOL_NUMBER, type RulePacket } from './rule-packet.ts';
import type { SetId } from './rule-set.ts';
import type { RuleDelta, RuleEndpoint, RuleView } from './rule-view.ts';
import { SetMembers } from './set-members.ts';

export type PacketVerdict = 'allowed' | 'egress-denied' | 'ingress-denied';

/**
 * Judges by one view, at about a microsecond a packet. The members of a set are read when a packet asks for them first,
 * and kept.
 */
export class PacketJudge {
  readonly #view: RuleView;
  readonly #ownNode: ReadonlySet<Ip>;
  readonly #endpoints = new Map<string, RuleEndpoint>();
  readonly #byAddress = new Map<Ip, RuleEndpoint>();
  readonly #chains = new Map<ChainId, RuleChain>();
  readonly #sets = new Map<SetId, SetMembers>();

  /** `ownNodeAddresses`: the kernel's local addresses on the node of the endpoints. */
  constructor(view: RuleView, ownNodeAddresses: Iterable<Ip>) {
    this.#view = view;
    this.#ownNode = new Set(ownNodeAddresses);
    for (const chain of view.chains()) this.#chains.set(chain.id, chain);
    for (const endpoint of view.endpoints()) this.#putEndpoint(endpoint);
  }

  /** Follows a view that has just changed by `delta`. Every change must be told, in order. */
  update(delta: RuleDelta): void {
    for (const { key } of delta.removedEndpoints) this.#removeEndpoint(key);
    for (const id of delta.removedChains) this.#chains.delete(id);
    for (const { id } of delta.removedSets) this.#sets.delete(id);
    for (const [id, change] of delta.members) this.#sets.get(id)?.change(change);
    for (const chain of delta.newChains) this.#chains.set(chain.id, chain);
    for (const endpoint of delta.endpoints) this.#putEndpoint(endpoint);
  }

  judge(packet: RulePacket): PacketVerdict {
    const source = this.#byAddress.get(packet.source);
    const destination = this.#byAddress.get(packet.destination);
    if (source !== undefined && source === destination) return 'allowed';
    if (!this.#passes(source?.egress, packet.destination, packet)) return 'egress-denied';
    if (this.#ownNode.has(packet.source)) return 'allowed';
    return this.#passes(destination?.ingress, packet.source, packet) ? 'allowed' : 'ingress-denied';
  }

  #putEndpoint(endpoint: RuleEndpoint): void {
    this.#removeEndpoint(endpoint.key);
    this.#endpoints.set(endpoint.key, endpoint);
    for (const ip of endpoint.addresses) this.#byAddress.set(ip, endpoint);
  }

  /** An address that is another endpoint's by now stays that one's. */
  #removeEndpoint(key: string): void {
    const endpoint = this.#endpoints.get(key);
    this.#endpoints.delete(key);
    for (const ip of endpoint?.addresses ?? []) {
      if (this.#byAddress.get(ip) === endpoint) this.#byAddress.delete(ip);
    }
  }

  #passes(id: ChainId | undefined, peer: Ip, packet: RulePacket): boolean {
    if (id === undefined) return true;
    const chain = this.#chains.get(id);
    if (chain === undefined) throw new RangeError(`chain ${id} is not in the view`);
    return chain.rules.some((rule) => matchesPorts(rule, packet) && this.#matchesPeer(rule, peer, packet));
  }

  #matchesPeer({ peer: match }: AllowRule, peer: Ip, packet: RulePacket): boolean {
    switch (match.type) {
      case 'any':
        return true;
      case 'addresses':
        return this.#members(match.set).hasAddress(peer);
      case 'blocks':
        return this.#members(match.set).covers(peer);
      case 'address-ports': {
        const { protocol, destinationPort } = packet;
        return (
          destinationPort !== undefined && this.#members(match.set).hasAddressPort(peer, protocol, destinationPort)
        );
      }
    }
  }

  #members(id: SetId): SetMembers {
    const known = this.#sets.get(id);
    if (known !== undefined) return known;
    const members = new SetMembers(this.#view.members(id));
    this.#sets.set(id, members);
    return members;
  }
}

function matchesPorts({ ports }: AllowRule, packet: RulePacket): boolean {
  return ports === 'any' || ports.some((match) => matchesPort(match, packet));
}

/** A protocol without ranges is all of it, fragments without ports too. */
function matchesPort({ protocol, ranges }: PortMatch, packet: RulePacket): boolean {
  if (packet.protocol !== PROTOCOL_NUMBER[protocol]) return false;
  const port = packet.destinationPort;
  return ranges.length === 0 || (port !== undefined && ranges.some(({ first, last }) => first <= port && port <= last));
}
