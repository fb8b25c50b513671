/** The engine over its parts. */
import { type NetworkPolicy, type PolicyEndpoint, type PolicyNamespace, type PolicyPod, selects } from '@canal/model';
import type { CounterReading, Direction, RuleDelta, RuleEndpoint, RuleSet, RuleView, SetId } from '@canal/rules-ast';
import type { Ip, Result } from 'net-types';
import { compileAllowList } from './allow-list.ts';
import { type ChainCost, isWithinLimits, tooManyRules, writtenCost } from './chain-limits.ts';
import { type CompiledChain, compileRules } from './compile-rules.ts';
import { type EndpointEntry, EndpointTable, lostAddress } from './endpoint-table.ts';
import { explain } from './explain.ts';
import type { Explanation, FlowQuestion, QuestionProblem } from './explanation.ts';
import { LiveSets } from './live-sets.ts';
import { PeerIndex } from './peer-index.ts';
import {
  DEFAULT_POLICY_ENGINE_OPTIONS,
  type EndpointStatus,
  type PolicyEngine,
  type PolicyEngineOptions,
  type PolicyStatus,
} from './policy-engine.ts';
import type { PolicyModel } from './policy-model.ts';
import { PolicyTable } from './policy-table.ts';
import { portListText } from './port-list.ts';
import { deniedCounters } from './rule-counters.ts';
import { keptCounters, type RuleHits, ruleHits } from './rule-hits.ts';
import { type LiveChain, RuleRegistry } from './rule-registry.ts';
import { sameEndpoint } from './same-endpoint.ts';

export function createPolicyEngine(options: Partial<PolicyEngineOptions> = {}): PolicyEngine {
  return new Engine({ ...DEFAULT_POLICY_ENGINE_OPTIONS, ...options });
}

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

const NO_CHANGE: RuleDelta = {
  newSets: [],
  newChains: [],
  members: new Map(),
  endpoints: [],
  removedEndpoints: [],
  removedChains: [],
  removedSets: [],
};

interface JudgedEndpoint {
  readonly rule: RuleEndpoint;
  readonly chains: readonly LiveChain[];
  /** In directions in which its policies are more than a chain may hold, so that it lets nothing through. */
  readonly tooLarge: Partial<Record<Direction, ChainCost>>;
}

interface JudgedDirection {
  readonly chain: LiveChain;
  readonly tooLarge?: ChainCost;
}

/**
 * Of one flush, so that endpoints that are judged alike are compiled once: by their labels, and by which policies select
 * them. `open`: none does.
 */
type Compiled = Map<string, JudgedDirection | 'open'>;

class Engine implements PolicyEngine, PolicyModel {
  readonly #options: PolicyEngineOptions;
  readonly #sets = new LiveSets();
  readonly #peers = new PeerIndex((ip, before, after) => this.#sets.addressChanged(ip, before, after));
  readonly #policies = new PolicyTable();
  readonly #endpoints = new EndpointTable();
  readonly #registry = new RuleRegistry();
  #ownNode: ReadonlySet<Ip> = new Set();
  #otherNodes: ReadonlySet<Ip> = new Set();
  // As flushed last.
  readonly #judged = new Map<string, JudgedEndpoint>();
  readonly #viewChains = new Set<LiveChain>();
  readonly #viewSets = new Map<SetId, RuleSet>();
  #tooLargeEndpoints = 0;

  readonly view: RuleView = {
    endpoints: () => Array.from(this.#judged.values(), ({ rule }) => rule),
    chains: () => Array.from(this.#viewChains, ({ chain }) => chain),
    sets: () => [...this.#viewSets.values()],
    members: (id) => this.#sets.members(id),
    memberCount: (id) => this.#sets.memberCount(id),
    keptCounters: (ids) => keptCounters(this.#policies.all(), ids),
  };

  constructor(options: PolicyEngineOptions) {
    this.#options = options;
  }

  putPod(pod: PolicyPod): void {
    this.#peers.putPod(pod);
    this.#endpoints.learn(pod);
  }

  deletePod(namespace: string, name: string): void {
    this.#peers.deletePod(namespace, name);
  }

  putNamespace(namespace: PolicyNamespace): void {
    this.#peers.putNamespace(namespace);
  }

  deleteNamespace(name: string): void {
    this.#peers.deleteNamespace(name);
  }

  putPolicy(policy: NetworkPolicy): void {
    const before = this.#policies.find(policy.namespace, policy.name);
    this.#policies.put(policy);
    this.#endpoints.touch(
      policy.namespace,
      (subject) => isSubject(policy, subject) || (before !== undefined && isSubject(before, subject)),
    );
  }

  deletePolicy(namespace: string, name: string): void {
    const before = this.#policies.find(namespace, name);
    if (before === undefined) return;
    this.#policies.delete(namespace, name);
    this.#endpoints.touch(namespace, (subject) => isSubject(before, subject));
  }

  putEndpoint(endpoint: PolicyEndpoint): void {
    this.#endpoints.put(endpoint, (namespace, name) => this.#peers.pod(namespace, name));
  }

  deleteEndpoint(key: string): void {
    this.#endpoints.delete(key);
  }

  setNodeAddresses(own: readonly Ip[], others: readonly Ip[]): void {
    this.#ownNode = new Set(own);
    this.#otherNodes = new Set(others);
  }

  flush(): RuleDelta | undefined {
    const changed = this.#endpoints.takeChanged();
    if (changed.size === 0) {
      const members = this.#sets.flush();
      return members.size === 0 ? undefined : { ...NO_CHANGE, members };
    }
    const { endpoints, removedEndpoints } = this.#judgeChanged(changed);
    const { newChains, newSets, removedChains, removedSets } = this.#registry.sweep();
    this.#sets.add(
      newSets.map(({ set, content }) => ({ id: set.id, content })),
      this.#peers,
    );
    this.#sets.remove(
      removedSets.map(({ set }) => set.id),
      this.#peers,
    );
    for (const { set } of newSets) this.#viewSets.set(set.id, set);
    for (const { set } of removedSets) this.#viewSets.delete(set.id);
    for (const chain of newChains) this.#viewChains.add(chain);
    for (const chain of removedChains) this.#viewChains.delete(chain);
    const delta: RuleDelta = {
      newSets: newSets.map(({ set }) => set),
      newChains: newChains.map(({ chain }) => chain),
      members: this.#sets.flush(),
      endpoints,
      removedEndpoints,
      removedChains: removedChains.map(({ chain }) => chain.id),
      removedSets: removedSets.map(({ set }) => set),
    };
    return isEmpty(delta) ? undefined : delta;
  }

  explain(question: FlowQuestion): Result<Explanation, QuestionProblem> {
    return explain(this, question);
  }

  *endpointStatuses(): Iterable<EndpointStatus> {
    for (const entry of this.#endpoints.entries()) {
      const { endpoint, subject } = entry;
      const names = (direction: Direction): string[] =>
        subject === undefined
          ? []
          : this.policiesSelecting(subject, direction).map(({ namespace, name }) => `${namespace}/${name}`);
      const state = subject === undefined ? 'unknown-pod' : lostAddress(entry) ? 'address-taken' : 'policed';
      // There may be thousands of names, and who asks for states alone does not read them.
      yield {
        endpoint,
        state,
        get ingress() {
          return names('ingress');
        },
        get egress() {
          return names('egress');
        },
      };
    }
  }

  *policyStatuses(): Iterable<PolicyStatus> {
    const judged = Map.groupBy(
      Iterator.from(this.#endpoints.entries()).flatMap(({ endpoint, subject }) =>
        subject === undefined ? [] : [{ subject, tooLarge: this.#judged.get(endpoint.key)?.tooLarge }],
      ),
      ({ subject }) => subject.namespace,
    );
    for (const policy of this.#policies.all()) {
      const { namespace, name, uid } = policy;
      const selected = judged.get(namespace)?.filter(({ subject }) => isSubject(policy, subject)) ?? [];
      const tooMany = DIRECTIONS.flatMap((direction) => {
        if (policy[direction] === undefined) return [];
        const costs = selected.map(({ tooLarge }) => tooLarge?.[direction]).filter((cost) => cost !== undefined);
        return tooManyRules(direction, costs);
      });
      const problems = [...policy.problems, ...tooMany];
      yield { policy: `${namespace}/${name}`, uid, problems, localEndpoints: selected.length };
    }
  }

  hits(readings: Iterable<CounterReading>): Iterable<RuleHits> {
    return ruleHits(this.#policies.all(), readings);
  }

  get tooLargeEndpoints(): number {
    return this.#tooLargeEndpoints;
  }

  excess(pod: PolicyPod, direction: Direction, endpoint: PolicyEndpoint | undefined): ChainCost | undefined {
    const judged = endpoint && this.#judged.get(endpoint.key);
    if (judged !== undefined) return judged.tooLarge[direction];
    const policies = this.policiesSelecting(pod, direction);
    if (isWithinLimits(writtenCost(policies, direction, pod))) return undefined;
    const compiled = this.#rulesOf(pod, direction, policies);
    return compiled.type === 'too-large' ? compiled.cost : undefined;
  }

  pod(namespace: string, name: string): PolicyPod | undefined {
    return this.#peers.pod(namespace, name);
  }

  podOwning(ip: Ip): PolicyPod | undefined {
    return this.#peers.podOwning(ip);
  }

  namespace(name: string): PolicyNamespace | undefined {
    return this.#peers.namespace(name);
  }

  policies(namespace: string): readonly NetworkPolicy[] {
    return this.#policies.of(namespace);
  }

  policiesSelecting(pod: PolicyPod, direction: Direction): readonly NetworkPolicy[] {
    if (pod.hostNetwork) return [];
    return this.#policies.selecting(pod.namespace, pod.labels).filter((policy) => policy[direction] !== undefined);
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

  #judgeChanged(keys: Iterable<string>): Pick<RuleDelta, 'endpoints' | 'removedEndpoints'> {
    const endpoints: RuleEndpoint[] = [];
    const removedEndpoints: RuleEndpoint[] = [];
    const compiled: Compiled = new Map();
    for (const key of keys) {
      const before = this.#judged.get(key);
      const entry = this.#endpoints.get(key);
      if (entry === undefined) {
        this.#judged.delete(key);
        if (before !== undefined) removedEndpoints.push(before.rule);
      } else {
        const after = this.#judge(entry, compiled);
        this.#judged.set(key, after);
        this.#tooLargeEndpoints += isShut(after);
        if (before === undefined || !sameEndpoint(before.rule, after.rule)) endpoints.push(after.rule);
      }
      if (before !== undefined) this.#tooLargeEndpoints -= isShut(before);
      for (const chain of before?.chains ?? []) this.#registry.drop(chain);
    }
    return { endpoints, removedEndpoints };
  }

  #judge(entry: EndpointEntry, compiled: Compiled): JudgedEndpoint {
    const { key, hostInterface, mode, mac } = entry.endpoint;
    const ingress = this.#judgeDirection(entry, 'ingress', compiled);
    const egress = this.#judgeDirection(entry, 'egress', compiled);
    return {
      rule: {
        key,
        hostInterface,
        mode,
        mac,
        addresses: entry.addresses,
        ...(ingress !== undefined && { ingress: ingress.chain.chain.id }),
        ...(egress !== undefined && { egress: egress.chain.chain.id }),
      },
      chains: [ingress, egress].flatMap((judged) => (judged === undefined ? [] : [this.#registry.use(judged.chain)])),
      tooLarge: {
        ...(ingress?.tooLarge && { ingress: ingress.tooLarge }),
        ...(egress?.tooLarge && { egress: egress.tooLarge }),
      },
    };
  }

  #judgeDirection(entry: EndpointEntry, direction: Direction, compiled: Compiled): JudgedDirection | undefined {
    const { subject } = entry;
    if (subject === undefined || lostAddress(entry)) return { chain: this.#registry.chain(direction, [], []) };
    const { namespace, hostNetwork, labels } = subject;
    const ports = direction === 'ingress' ? portListText(subject.ports) : '';
    const alike = JSON.stringify([direction, namespace, hostNetwork, ports, labels]);
    let judged = compiled.get(alike);
    if (judged === undefined) {
      const selecting = hostNetwork ? '' : this.#policies.selectingKey(namespace, labels);
      const same = [direction, namespace, ports, selecting].join('\n');
      judged = compiled.get(same) ?? this.#compile(subject, direction);
      compiled.set(alike, judged).set(same, judged);
    }
    return judged === 'open' ? undefined : judged;
  }

  #compile(subject: PolicyPod, direction: Direction): JudgedDirection | 'open' {
    const policies = this.policiesSelecting(subject, direction);
    if (policies.length === 0) return 'open';
    const compiled = this.#rulesOf(subject, direction, policies);
    const denied = deniedCounters(policies, direction);
    if (compiled.type === 'rules') return { chain: this.#registry.chain(direction, compiled.rules, denied) };
    return { chain: this.#registry.chain(direction, [], denied), tooLarge: compiled.cost };
  }

  #rulesOf(subject: PolicyPod, direction: Direction, policies: readonly NetworkPolicy[]): CompiledChain {
    return compileRules(compileAllowList(direction, policies, subject.ports), this.#options.flattenAbove);
  }
}

function isShut({ tooLarge }: JudgedEndpoint): 0 | 1 {
  return tooLarge.ingress === undefined && tooLarge.egress === undefined ? 0 : 1;
}

function isSubject(policy: NetworkPolicy, pod: PolicyPod): boolean {
  return !pod.hostNetwork && selects(policy.podSelector, pod.labels);
}

function isEmpty(delta: RuleDelta): boolean {
  const { newSets, newChains, members, endpoints, removedEndpoints, removedChains, removedSets } = delta;
  const lists = [newSets, newChains, endpoints, removedEndpoints, removedChains, removedSets];
  return members.size === 0 && lists.every(({ length }) => length === 0);
}
