/** The policies of both states in numbers. What says the same in both, under the same name, is one object. */
import type { NamedPort, NetworkPolicy, PolicyPeer, PolicyProtocol, PolicyRule } from '@canal/model';
import { formatCidr } from 'net-types';
import type { Block } from './address-zones.ts';
import { BOTH, type ClusterState, type Twice } from './cluster-state.ts';
import { LabelSpace, type SelectorId } from './label-space.ts';
import { ALL_PORTS, NO_PORTS, type PortSetId, PortSets } from './port-sets.ts';

export type Direction = 'ingress' | 'egress';
export type PeerId = number;
export type NamedPortsId = number;

export type Peer =
  | { readonly type: 'pods'; readonly namespaces: string | SelectorId; readonly pods: SelectorId }
  /** `block`: place in `RuleBook.blocks`. */
  | { readonly type: 'block'; readonly block: number };

export interface Rule {
  readonly peers: 'any' | readonly PeerId[];
  readonly numbers: PortSetId;
  /** Ports that the destination pod gives their numbers. */
  readonly names: readonly string[];
}

/** What a policy says for one direction, and of whom. */
export interface PolicySide {
  /** Equal ids say the same under the same name. */
  readonly id: number;
  /** `namespace/name`. */
  readonly path: string;
  readonly rules: readonly Rule[];
}

export interface PolicyWords extends Partial<Record<Direction, PolicySide>> {
  readonly path: string;
  readonly namespace: string;
  readonly selector: SelectorId;
}

export class RuleBook {
  readonly ports = new PortSets();
  readonly podLabels = new LabelSpace();
  readonly namespaceLabels = new LabelSpace();
  readonly blocks: Block[] = [];
  readonly peers: Peer[] = [];
  readonly policies: Twice<readonly PolicyWords[]>;
  readonly #peerIds = new Map<string, PeerId>();
  readonly #sides = new Map<string, PolicySide>();
  readonly #names = new Set<string>();
  readonly #namedPortsIds = new Map<string, NamedPortsId>();
  readonly #resolved = new Map<Rule, Map<NamedPortsId, PortSetId>>();
  readonly #namedPorts: (readonly NamedPort[])[] = [];

  constructor(states: Twice<ClusterState>) {
    const [before, after] = states.map(({ policies }) => policies.map((policy) => this.#read(policy)).sort(byPath));
    this.policies = [before ?? [], after ?? []];
  }

  /** Of a pod: the ports that rules have names for. */
  namedPorts(ports: readonly NamedPort[]): NamedPortsId {
    const used = ports.filter((port) => this.#names.has(nameText(port)));
    const text = used
      .map((port) => `${nameText(port)}=${port.port}`)
      .sort()
      .join();
    let id = this.#namedPortsIds.get(text);
    if (id === undefined) this.#namedPortsIds.set(text, (id = this.#namedPorts.push(used) - 1));
    return id;
  }

  /** What the rule means at a destination with these named ports. */
  portsOf(rule: Rule, destination: NamedPortsId): PortSetId {
    if (rule.names.length === 0) return rule.numbers;
    let known = this.#resolved.get(rule);
    if (known === undefined) this.#resolved.set(rule, (known = new Map<number, PortSetId>()));
    let set = known.get(destination);
    if (set === undefined) known.set(destination, (set = this.#resolve(rule, destination)));
    return set;
  }

  #resolve({ numbers, names }: Rule, destination: NamedPortsId): PortSetId {
    let set = numbers;
    for (const port of this.#namedPorts[destination] ?? []) {
      if (!names.includes(nameText(port))) continue;
      set = this.ports.union(set, this.ports.range(port.protocol, port.port, port.port));
    }
    return set;
  }

  /** Policies whose words differ between the states, or that are in one alone: by path. */
  changedPolicies(): ReadonlyMap<string, 'added' | 'removed' | 'changed'> {
    const [before, after] = BOTH.map((when) => {
      const words = new Map<string, string>();
      for (const { path, selector, ingress, egress } of this.policies[when]) {
        words.set(path, `${words.get(path) ?? ''};${selector} ${ingress?.id} ${egress?.id}`);
      }
      return words;
    }) as [Map<string, string>, Map<string, string>];
    const changes = new Map<string, 'added' | 'removed' | 'changed'>();
    for (const [path, words] of before) {
      if (after.get(path) !== words) changes.set(path, after.has(path) ? 'changed' : 'removed');
    }
    for (const path of after.keys()) if (!before.has(path)) changes.set(path, 'added');
    return changes;
  }

  #read(policy: NetworkPolicy): PolicyWords {
    const { namespace, podSelector } = policy;
    const path = `${namespace}/${policy.name}`;
    const selector = this.podLabels.selector(podSelector);
    return {
      path,
      namespace,
      selector,
      ...(policy.ingress && { ingress: this.#side(path, 'ingress', selector, policy.ingress, namespace) }),
      ...(policy.egress && { egress: this.#side(path, 'egress', selector, policy.egress, namespace) }),
    };
  }

  #side(
    path: string,
    direction: Direction,
    selector: SelectorId,
    rules: readonly PolicyRule[],
    namespace: string,
  ): PolicySide {
    const read = rules.map((rule) => this.#rule(rule, namespace));
    const words = read.map(({ peers, numbers, names }) => `${peers.toString()} ${numbers} ${names.join()}`).sort();
    const text = [path, direction, selector, ...words].join('\n');
    let side = this.#sides.get(text);
    if (side === undefined) this.#sides.set(text, (side = { id: this.#sides.size, path, rules: read }));
    return side;
  }

  #rule({ peers, ports }: PolicyRule, namespace: string): Rule {
    const ids = peers === 'any' ? 'any' : peers.map((peer) => this.#peer(peer, namespace)).sort((a, b) => a - b);
    if (ports === 'any') return { peers: ids, numbers: ALL_PORTS, names: [] };
    let numbers = NO_PORTS;
    const names = new Set<string>();
    for (const { protocol, port } of ports) {
      if (typeof port === 'object' && 'name' in port) {
        names.add(nameText({ protocol, name: port.name }));
      } else {
        const { first, last } = port === 'all' ? { first: 0, last: 65_535 } : port;
        numbers = this.ports.union(numbers, this.ports.range(protocol, first, last));
      }
    }
    for (const name of names) this.#names.add(name);
    return { peers: ids, numbers, names: [...names].sort() };
  }

  #peer(peer: PolicyPeer, namespace: string): PeerId {
    if (peer.type === 'block') {
      const text = [peer.cidr, ...peer.except].map(formatCidr).join(' ');
      return this.#internPeer(text, () => ({ type: 'block', block: this.blocks.push(peer) - 1 }));
    }
    const pods = this.podLabels.selector(peer.pods);
    const namespaces = peer.namespaces === 'own' ? namespace : this.namespaceLabels.selector(peer.namespaces);
    // A name is in quotes here, the number of a selector is not.
    return this.#internPeer(`${JSON.stringify(namespaces)} ${pods}`, () => ({ type: 'pods', namespaces, pods }));
  }

  #internPeer(text: string, make: () => Peer): PeerId {
    let id = this.#peerIds.get(text);
    if (id === undefined) this.#peerIds.set(text, (id = this.peers.push(make()) - 1));
    return id;
  }
}

function nameText({ protocol, name }: { protocol: PolicyProtocol; name: string }): string {
  return `${protocol}:${name}`;
}

function byPath(a: PolicyWords, b: PolicyWords): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
