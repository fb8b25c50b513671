/** The engine over its parts. */
import { type NetworkPolicy, type PolicyEndpoint, type PolicyNamespace, type PolicyPod, selects } from '@canal/model';
import type { Direction, MemberChange, RuleDelta, RuleEndpoint, RuleSet, RuleView, SetId } from '@canal/rules-ast';
import type { Ip } from 'net-types';
import { compileAllowList } from './allow-list.ts';
import { ClusterState } from './cluster-state.ts';
import { compileRules } from './compile-rules.ts';
import { type EndpointEntry, EndpointTable, lostAddress } from './endpoint-table.ts';
import type { Explanation, FlowQuestion } from './explanation.ts';
import {
  DEFAULT_POLICY_ENGINE_OPTIONS,
  type EndpointStatus,
  type PolicyEngine,
  type PolicyEngineOptions,
  type PolicyStatus,
} from './policy-engine.ts';
import type { PolicyModel } from './policy-model.ts';
import { type LiveChain, RuleRegistry } from './rule-registry.ts';
import { sameEndpoint } from './same-endpoint.ts';
import { type Members, membersOf } from './set-members.ts';

export function createPolicyEngine(options: Partial<PolicyEngineOptions> = {}): PolicyEngine {
  return new Engine({ ...DEFAULT_POLICY_ENGINE_OPTIONS, ...options });
}

interface JudgedEndpoint {
  readonly rule: RuleEndpoint;
  readonly chains: readonly LiveChain[];
}

class Engine implements PolicyEngine, PolicyModel {
  readonly #options: PolicyEngineOptions;
  readonly #state = new ClusterState();
  readonly #endpoints = new EndpointTable();
  readonly #registry = new RuleRegistry();
  #ownNode: ReadonlySet<Ip> = new Set();
  #otherNodes: ReadonlySet<Ip> = new Set();
  // What was flushed last.
  readonly #judged = new Map<string, JudgedEndpoint>();
  readonly #chains = new Set<LiveChain>();
  readonly #sets = new Map<SetId, { readonly set: RuleSet; members: Members }>();

  readonly view: RuleView = {
    endpoints: () => [...this.#judged.values()].map(({ rule }) => rule),
    chains: () => [...this.#chains].map(({ chain }) => chain),
    sets: () => [...this.#sets.values()].map(({ set }) => set),
    members: (id) => this.#members(id).values(),
    memberCount: (id) => this.#members(id).size,
  };

  constructor(options: PolicyEngineOptions) {
    this.#options = options;
  }

  putPod(pod: PolicyPod): void {
    this.#state.putPod(pod);
    this.#endpoints.learn(pod);
  }

  deletePod(namespace: string, name: string): void {
    this.#state.deletePod(namespace, name);
  }

  putNamespace(namespace: PolicyNamespace): void {
    this.#state.putNamespace(namespace);
  }

  deleteNamespace(name: string): void {
    this.#state.deleteNamespace(name);
  }

  putPolicy(policy: NetworkPolicy): void {
    this.#state.putPolicy(policy);
  }

  deletePolicy(namespace: string, name: string): void {
    this.#state.deletePolicy(namespace, name);
  }

  putEndpoint(endpoint: PolicyEndpoint): void {
    this.#endpoints.put(endpoint, (namespace, name) => this.#state.pod(namespace, name));
  }

  deleteEndpoint(key: string): void {
    this.#endpoints.delete(key);
  }

  setNodeAddresses(own: readonly Ip[], others: readonly Ip[]): void {
    this.#ownNode = new Set(own);
    this.#otherNodes = new Set(others);
  }

  flush(): RuleDelta | undefined {
    this.#endpoints.settle();
    const endpoints: RuleEndpoint[] = [];
    const removedEndpoints: RuleEndpoint[] = [];
    for (const [key, { rule, chains }] of this.#judged) {
      if (this.#endpoints.get(key) !== undefined) continue;
      removedEndpoints.push(rule);
      this.#judged.delete(key);
      for (const chain of chains) this.#registry.dropChain(chain);
    }
    for (const entry of this.#endpoints.entries()) {
      const before = this.#judged.get(entry.endpoint.key);
      const after = this.#judge(entry);
      this.#judged.set(entry.endpoint.key, after);
      for (const chain of before?.chains ?? []) this.#registry.dropChain(chain);
      if (before === undefined || !sameEndpoint(before.rule, after.rule)) endpoints.push(after.rule);
    }
    const swept = this.#registry.sweep();
    const removedChains = swept.chains.filter((chain) => this.#chains.delete(chain)).map(({ chain }) => chain.id);
    const removedSets = swept.sets.filter(({ set }) => this.#sets.delete(set.id)).map(({ set }) => set);
    const newChains = [...this.#registry.chains()].filter((chain) => !this.#chains.has(chain));
    for (const chain of newChains) this.#chains.add(chain);
    const owners = this.#state.owners();
    const newSets: RuleSet[] = [];
    const members = new Map<SetId, MemberChange>();
    for (const { set, content } of this.#registry.sets()) {
      const before = this.#sets.get(set.id);
      const after = membersOf(content, this.#state, owners);
      this.#sets.set(set.id, { set, members: after });
      if (before === undefined) {
        newSets.push(set);
        continue;
      }
      const added = [...after].filter(([key]) => !before.members.has(key)).map(([, member]) => member);
      const removed = [...before.members].filter(([key]) => !after.has(key)).map(([, member]) => member);
      if (added.length > 0 || removed.length > 0) members.set(set.id, { added, removed });
    }
    const delta: RuleDelta = {
      newSets,
      newChains: newChains.map(({ chain }) => chain),
      members,
      endpoints,
      removedEndpoints,
      removedChains,
      removedSets,
    };
    return isEmpty(delta) ? undefined : delta;
  }

  explain(_question: FlowQuestion): Explanation {
    throw new Error('not wired yet');
  }

  *endpointStatuses(): Iterable<EndpointStatus> {
    this.#endpoints.settle();
    for (const entry of this.#endpoints.entries()) {
      const { endpoint, subject } = entry;
      const names = (direction: Direction): string[] =>
        subject === undefined
          ? []
          : this.policiesSelecting(subject, direction).map(({ namespace, name }) => `${namespace}/${name}`);
      const state = subject === undefined ? 'unknown-pod' : lostAddress(entry) ? 'address-taken' : 'policed';
      yield { endpoint, state, ingress: names('ingress'), egress: names('egress') };
    }
  }

  *policyStatuses(): Iterable<PolicyStatus> {
    for (const policy of this.#state.allPolicies()) {
      const { namespace, name, uid, problems } = policy;
      const selected = [...this.#endpoints.entries()].filter(
        ({ subject }) => subject !== undefined && subject.namespace === namespace && isSubject(policy, subject),
      );
      yield { policy: `${namespace}/${name}`, uid, problems, localEndpoints: selected.length };
    }
  }

  pod(namespace: string, name: string): PolicyPod | undefined {
    return this.#state.pod(namespace, name);
  }

  podOwning(ip: Ip): PolicyPod | undefined {
    return this.#state.owners().get(ip);
  }

  namespace(name: string): PolicyNamespace | undefined {
    return this.#state.namespace(name);
  }

  policies(namespace: string): readonly NetworkPolicy[] {
    return this.#state.policies(namespace);
  }

  policiesSelecting(pod: PolicyPod, direction: Direction): readonly NetworkPolicy[] {
    return this.#state
      .policies(pod.namespace)
      .filter((policy) => policy[direction] !== undefined && isSubject(policy, pod));
  }

  *endpoints(): Iterable<PolicyEndpoint> {
    for (const { endpoint } of this.#endpoints.entries()) yield endpoint;
  }

  endpointOwning(ip: Ip): PolicyEndpoint | undefined {
    return this.#endpoints.owner(ip)?.endpoint;
  }

  subject(endpoint: PolicyEndpoint): PolicyPod | undefined {
    return this.#endpoints.get(endpoint.key)?.subject;
  }

  nodeOf(ip: Ip): 'own' | 'other' | undefined {
    if (this.#ownNode.has(ip)) return 'own';
    return this.#otherNodes.has(ip) ? 'other' : undefined;
  }

  #judge(entry: EndpointEntry): JudgedEndpoint {
    const { key, hostInterface, mode, mac } = entry.endpoint;
    const ingress = this.#chain(entry, 'ingress');
    const egress = this.#chain(entry, 'egress');
    return {
      rule: {
        key,
        hostInterface,
        mode,
        mac,
        addresses: entry.addresses,
        ...(ingress !== undefined && { ingress: ingress.chain.id }),
        ...(egress !== undefined && { egress: egress.chain.id }),
      },
      chains: [ingress, egress].filter((chain) => chain !== undefined),
    };
  }

  #chain(entry: EndpointEntry, direction: Direction): LiveChain | undefined {
    const { subject } = entry;
    if (subject === undefined || lostAddress(entry)) return this.#registry.useChain(direction, []);
    const policies = this.policiesSelecting(subject, direction);
    if (policies.length === 0) return undefined;
    const list = compileAllowList(direction, policies, subject.ports);
    return this.#registry.useChain(direction, compileRules(list, this.#options.flattenAbove));
  }

  #members(id: SetId): Members {
    const entry = this.#sets.get(id);
    if (entry === undefined) throw new RangeError(`set ${id} is not in the view, expected one of sets()`);
    return entry.members;
  }
}

function isSubject(policy: NetworkPolicy, pod: PolicyPod): boolean {
  return !pod.hostNetwork && selects(policy.podSelector, pod.labels);
}

function isEmpty(delta: RuleDelta): boolean {
  return (
    delta.members.size === 0 &&
    [
      delta.newSets,
      delta.newChains,
      delta.endpoints,
      delta.removedEndpoints,
      delta.removedChains,
      delta.removedSets,
    ].every(({ length }) => length === 0)
  );
}
