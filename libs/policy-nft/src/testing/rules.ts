/** A view of rules put together by hand. */
import type { PolicyGuard } from '@canal/kernel-port';
import type {
  AllowRule,
  ChainId,
  CounterId,
  MemberChange,
  RuleChain,
  RuleDelta,
  RuleEndpoint,
  RuleSet,
  RuleView,
  SetId,
  SetMember,
} from '@canal/rules-ast';
import { cidrLast, type Ip, parseCidr, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';

export const ip = (text: string): Ip => unwrap(parseIp(text));

/** Of a node that knows no others. */
export const GUARD: PolicyGuard = { nodeAddresses: [], tunnelPorts: [8472], allowSample: 0 };

/** Of a pod of a test world, what its endpoint is made of. */
export interface HandPod {
  readonly hostInterface: string;
  readonly mac: string;
  readonly ip4: string;
  readonly ip6: string;
}

export interface HandRules {
  readonly endpoints?: readonly RuleEndpoint[];
  readonly chains?: readonly RuleChain[];
  readonly sets?: readonly (readonly [RuleSet, readonly SetMember[]])[];
  readonly kept?: readonly CounterId[];
}

export function viewOf({ endpoints = [], chains = [], sets = [], kept = [] }: HandRules): RuleView {
  const members = (id: SetId): readonly SetMember[] => {
    const found = sets.find(([set]) => set.id === id);
    if (found === undefined) throw new RangeError(id);
    return found[1];
  };
  return {
    endpoints: () => endpoints,
    chains: () => chains,
    sets: () => sets.map(([set]) => set),
    members,
    memberCount: (id) => members(id).length,
    keptCounters: () => new Set(kept),
  };
}

export function endpointOf(pod: HandPod, more: Partial<RuleEndpoint> = {}): RuleEndpoint {
  return {
    key: `${pod.hostInterface}/eth0`,
    hostInterface: unwrap(parseInterfaceName(pod.hostInterface)),
    mode: 'routed',
    mac: unwrap(parseMac(pod.mac)),
    addresses: [ip(pod.ip4), ip(pod.ip6)],
    ...more,
  };
}

export function chain(id: ChainId, ...rules: AllowRule[]): RuleChain {
  return { id, direction: id.startsWith('in-') ? 'ingress' : 'egress', rules };
}

export function addresses(id: SetId, ...members: string[]): readonly [RuleSet, readonly SetMember[]] {
  return [{ id, kind: 'addresses' }, members.map((text) => ({ kind: 'addresses', ip: ip(text) }))];
}

export function blocks(id: SetId, ...members: string[]): readonly [RuleSet, readonly SetMember[]] {
  const parsed = members.map((text) => unwrap(parseCidr(text)));
  return [{ id, kind: 'blocks' }, parsed.map((block) => ({ kind: 'blocks', first: block.ip, last: cidrLast(block) }))];
}

export function addressPorts(
  id: SetId,
  ...members: (readonly [string, 'TCP' | 'UDP' | 'SCTP', number])[]
): readonly [RuleSet, readonly SetMember[]] {
  return [
    { id, kind: 'address-ports' },
    members.map(([text, protocol, port]) => ({ kind: 'address-ports', ip: ip(text), protocol, port })),
  ];
}

export function delta(change: Partial<RuleDelta> & { readonly members?: ReadonlyMap<SetId, MemberChange> }): RuleDelta {
  return {
    newSets: [],
    newChains: [],
    members: new Map(),
    endpoints: [],
    removedEndpoints: [],
    removedChains: [],
    removedSets: [],
    ...change,
  };
}
