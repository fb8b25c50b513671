/** NetworkPolicies into the engine, and what could not be read of them to whoever wrote them. */
import { parseNetworkPolicy } from '@canal/api-schema';
import type { NetworkPolicy } from '@canal/model';
import type { PolicyEngine } from '@canal/policy-compile';
import type { Logger } from '@canal/runtime-port';
import { NETWORK_POLICIES } from '@canal/store-port';
import type { AgentMetrics } from './agent-metrics.ts';
import type { StreamConsumer } from './cluster-watch.ts';

export interface PoliciesDeps {
  readonly engine: Pick<PolicyEngine, 'putPolicy' | 'deletePolicy'>;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
}

export class Policies implements StreamConsumer<NetworkPolicy> {
  readonly type = NETWORK_POLICIES;
  readonly parse = parseNetworkPolicy;
  readonly #deps: PoliciesDeps;
  readonly #valid = new Set<string>();
  readonly #invalid = new Set<string>();

  constructor(deps: PoliciesDeps) {
    this.#deps = deps;
  }

  put(policy: NetworkPolicy, key: string): void {
    const { engine, log } = this.#deps;
    engine.putPolicy(policy);
    const isInvalid = policy.problems.length > 0;
    if (isInvalid)
      log.warn({ policy: key, problems: policy.problems }, 'parts of a policy cannot be read: they allow nothing');
    (isInvalid ? this.#invalid : this.#valid).add(key);
    (isInvalid ? this.#valid : this.#invalid).delete(key);
    this.#count();
  }

  /** Whom it would select is not known: all pods of its namespace are isolated, and it allows nothing. */
  refuse(key: string, error: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const message = `${error}; all pods of the namespace are isolated`;
    const problems = [{ code: 'Unreadable', field: '', message }] as const;
    this.put({ namespace, name, uid: '', podSelector: [], ingress: [], egress: [], problems }, key);
  }

  delete(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    this.#deps.engine.deletePolicy(namespace, name);
    this.#valid.delete(key);
    this.#invalid.delete(key);
    this.#count();
  }

  get size(): number {
    return this.#valid.size + this.#invalid.size;
  }

  get invalid(): number {
    return this.#invalid.size;
  }

  #count(): void {
    this.#deps.metrics.policies.set(this.#valid.size, { state: 'valid' });
    this.#deps.metrics.policies.set(this.#invalid.size, { state: 'invalid' });
  }
}
