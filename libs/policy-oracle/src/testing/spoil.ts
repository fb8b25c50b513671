/** States of which all policies or pods are changed in one way: to show that a comparison notices what is misread. */
import type { NetworkPolicy, PolicyPeer, PolicyPod, PolicyPort, PolicyRule } from '@canal/model';

export type Spoil = <T extends Spoilable>(state: T) => T;

interface Spoilable {
  readonly policies: readonly NetworkPolicy[];
  readonly pods: readonly PolicyPod[];
}

export function rulesBy(change: (rule: PolicyRule) => PolicyRule): Spoil {
  return (state) => ({
    ...state,
    policies: state.policies.map((policy) => ({
      ...policy,
      ...(policy.ingress && { ingress: policy.ingress.map(change) }),
      ...(policy.egress && { egress: policy.egress.map(change) }),
    })),
  });
}

export function peersBy(change: (peer: PolicyPeer) => PolicyPeer): Spoil {
  return rulesBy((rule) => ({ ...rule, peers: rule.peers === 'any' ? 'any' : rule.peers.map(change) }));
}

export function portsBy(change: (port: PolicyPort) => PolicyPort): Spoil {
  return rulesBy((rule) => ({ ...rule, ports: rule.ports === 'any' ? 'any' : rule.ports.map(change) }));
}

export function podsBy(change: (pod: PolicyPod) => PolicyPod): Spoil {
  return (state) => ({ ...state, pods: state.pods.map(change) });
}
