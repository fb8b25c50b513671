/** What the engine knows now, to be read: everything an explanation needs, nothing of how rules are made of it. */
import type { NetworkPolicy, PolicyEndpoint, PolicyNamespace, PolicyPod } from '@canal/model';
import type { Direction } from '@canal/rules-ast';
import type { Ip } from 'net-types';
import type { ChainCost } from './chain-limits.ts';

export interface PolicyModel {
  /** As the API tells it now: completed and hostNetwork pods too. */
  pod(namespace: string, name: string): PolicyPod | undefined;
  /**
   * The pod whose address it is for peers: live (neither completed nor hostNetwork), and of those that have it not being
   * deleted, then the youngest, by createdMs, then uid. Undefined: as good as an address outside.
   */
  podOwning(ip: Ip): PolicyPod | undefined;
  /** One that the API did not tell of is selected by no namespace selector, `{}` included. */
  namespace(name: string): PolicyNamespace | undefined;
  /** In order of name. */
  policies(namespace: string): readonly NetworkPolicy[];
  /** Those of the pod's namespace that isolate it in that direction, in order of name. None for hostNetwork pods. */
  policiesSelecting(pod: PolicyPod, direction: Direction): readonly NetworkPolicy[];
  /**
   * Of what these allow it together, when that is more than a chain may hold, so that it is let nothing through. What is
   * known of an endpoint of this node is that of the last flush.
   */
  excess(pod: PolicyPod, direction: Direction, endpoint: PolicyEndpoint | undefined): ChainCost | undefined;
  endpoints(): Iterable<PolicyEndpoint>;
  /** The endpoint of this node that has the address in the rules. */
  endpointOwning(ip: Ip): PolicyEndpoint | undefined;
  /** The pod as which an endpoint is judged: of the same uid, as last known when the API has it no more. */
  subject(endpoint: PolicyEndpoint): PolicyPod | undefined;
  /** Of this node, of another one, or of none. */
  nodeOf(ip: Ip): 'own' | 'other' | undefined;
}
