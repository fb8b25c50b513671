/** A view as text that people read and tests compare, and a copy of one that follows its deltas. */
import type { AllowRule, RuleDelta, RuleEndpoint, RuleView, SetMember } from '@canal/rules-ast';
import { cidrLast, cidrOf, familyBits, formatCidr, formatIp, type Ip, ipFamily } from 'net-types';
import { portsText } from '../port-spans.ts';

function memberText(member: SetMember): string {
  switch (member.kind) {
    case 'addresses':
      return formatIp(member.ip);
    case 'address-ports':
      return `${formatIp(member.ip)} ${member.protocol}:${member.port}`;
    case 'blocks':
      return rangeText(member.first, member.last);
  }
}

/** As a block when it is one. */
function rangeText(first: Ip, last: Ip): string {
  for (let prefixLen = 0; prefixLen <= familyBits(ipFamily(first)); prefixLen++) {
    const block = cidrOf(first, prefixLen);
    if (block.ip === first && cidrLast(block) === last) return formatCidr(block);
  }
  return `${formatIp(first)}-${formatIp(last)}`;
}

/** Rules of a chain with what is in their sets in place of ids: `10.0.0.1,10.0.0.2 -> TCP:80`. In order. */
export function rulesText(view: RuleView, chainId: string | undefined): readonly string[] | undefined {
  if (chainId === undefined) return undefined;
  const chain = [...view.chains()].find(({ id }) => id === chainId);
  if (chain === undefined) throw new Error(`chain ${chainId} is not in the view`);
  return chain.rules.map((rule) => ruleText(view, rule)).sort();
}

function ruleText(view: RuleView, { peer, ports }: AllowRule): string {
  const members = (id: string): string => `{${[...view.members(id)].map(memberText).sort().join(' ')}}`;
  if (peer.type === 'any') return `any -> ${portsText(ports)}`;
  return `${members(peer.set)} -> ${portsText(ports)}`;
}

/** All of a view in an order of its own, as plain text lines. */
export function viewText(view: RuleView): string {
  const sets = [...view.sets()].map(
    ({ id, kind }) =>
      `${id} ${kind} ${view.memberCount(id)}: ${[...view.members(id)].map(memberText).sort().join(' ')}`,
  );
  return textOf([...view.endpoints()], [...view.chains()].map(chainText), sets);
}

function chainText({ id, direction, rules }: { id: string; direction: string; rules: readonly AllowRule[] }): string {
  return `${id} ${direction} ${JSON.stringify(rules)}`;
}

function endpointText(endpoint: RuleEndpoint): string {
  const { key, hostInterface, mode, mac, addresses, ingress, egress } = endpoint;
  return [key, hostInterface, mode, mac, addresses.map(formatIp).join(','), ingress ?? '-', egress ?? '-'].join(' ');
}

function textOf(endpoints: readonly RuleEndpoint[], chains: readonly string[], sets: readonly string[]): string {
  return [...endpoints.map(endpointText).sort(), ...[...chains].sort(), ...[...sets].sort()].join('\n');
}

/** A view made of deltas alone; throws when a delta does not fit what is there. */
export class ReplayedView {
  readonly #endpoints = new Map<string, RuleEndpoint>();
  readonly #chains = new Map<string, string>();
  readonly #sets = new Map<string, { readonly kind: string; readonly members: Set<string> }>();

  apply(delta: RuleDelta, view: RuleView): void {
    for (const { id, kind } of delta.newSets) {
      expectThat(!this.#sets.has(id), `new set ${id} was there`);
      this.#sets.set(id, { kind, members: new Set([...view.members(id)].map(memberText)) });
    }
    for (const chain of delta.newChains) {
      expectThat(!this.#chains.has(chain.id), `new chain ${chain.id} was there`);
      this.#chains.set(chain.id, chainText(chain));
    }
    for (const { key } of delta.removedEndpoints) {
      expectThat(this.#endpoints.delete(key), `removed endpoint ${key} was not there`);
    }
    for (const endpoint of delta.endpoints) {
      const before = this.#endpoints.get(endpoint.key);
      expectThat(before === undefined || endpointText(before) !== endpointText(endpoint), 'endpoint has not changed');
      this.#endpoints.set(endpoint.key, endpoint);
    }
    for (const [id, { added, removed }] of delta.members) this.#change(id, added, removed);
    for (const id of delta.removedChains) expectThat(this.#chains.delete(id), `removed chain ${id} was not there`);
    for (const { id } of delta.removedSets) expectThat(this.#sets.delete(id), `removed set ${id} was not there`);
    this.#check();
  }

  text(): string {
    const sets = [...this.#sets].map(
      ([id, { kind, members }]) => `${id} ${kind} ${members.size}: ${[...members].sort().join(' ')}`,
    );
    return textOf([...this.#endpoints.values()], [...this.#chains.values()], sets);
  }

  #change(id: string, added: readonly SetMember[], removed: readonly SetMember[]): void {
    const members = this.#sets.get(id)?.members;
    expectThat(members !== undefined && added.length + removed.length > 0, `set ${id} did not change`);
    for (const member of removed) {
      expectThat(members?.delete(memberText(member)) === true, `removed member of ${id} was not there`);
    }
    for (const member of added) {
      const text = memberText(member);
      expectThat(members?.has(text) === false, `added member ${text} of ${id} was there`);
      members?.add(text);
    }
  }

  /** One address is never on two endpoints, and chains and sets that nothing refers to are gone. */
  #check(): void {
    const addresses = [...this.#endpoints.values()].flatMap((endpoint) => endpoint.addresses);
    expectThat(new Set(addresses).size === addresses.length, 'an address is on two endpoints');
    const used = new Set([...this.#endpoints.values()].flatMap(({ ingress, egress }) => [ingress, egress]));
    for (const id of this.#chains.keys()) expectThat(used.has(id), `chain ${id} is not used`);
    const text = [...this.#chains.values()].join('\n');
    for (const id of this.#sets.keys()) expectThat(text.includes(id), `set ${id} is not used`);
  }
}

function expectThat(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
