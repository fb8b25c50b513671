/** A smaller cluster that still shows what was seen in a big one, for people to read. */
import type { NetworkPolicy, PolicyRule } from '@canal/model';
import type { PolicyCluster } from '../cluster.ts';

/** Takes away one thing after the other for as long as `fails` holds; nothing that is left can be spared. */
export function shrinkCluster(cluster: PolicyCluster, fails: (smaller: PolicyCluster) => boolean): PolicyCluster {
  let smallest = cluster;
  for (;;) {
    const smaller = smallerClusters(smallest).find(fails);
    if (smaller === undefined) return smallest;
    smallest = smaller;
  }
}

function smallerClusters(cluster: PolicyCluster): PolicyCluster[] {
  return [
    ...without(cluster.policies).map((policies) => ({ ...cluster, policies })),
    ...without(cluster.pods).map((pods) => ({ ...cluster, pods })),
    ...without(cluster.endpoints).map((endpoints) => ({ ...cluster, endpoints })),
    ...without(cluster.namespaces).map((namespaces) => ({ ...cluster, namespaces })),
    ...eachSmaller(cluster.policies, smallerPolicies).map((policies) => ({ ...cluster, policies })),
    ...eachSmaller(cluster.pods, (pod) => [
      ...without(pod.ports).map((ports) => ({ ...pod, ports })),
      ...without(pod.addresses).map((addresses) => ({ ...pod, addresses })),
    ]).map((pods) => ({ ...cluster, pods })),
    ...eachSmaller(cluster.endpoints, (endpoint) =>
      without(endpoint.addresses).map((addresses) => ({ ...endpoint, addresses })),
    ).map((endpoints) => ({ ...cluster, endpoints })),
  ];
}

function smallerPolicies(policy: NetworkPolicy): NetworkPolicy[] {
  const { ingress, egress, ...rest } = policy;
  return [
    ...(ingress && egress
      ? [
          { ...rest, ingress },
          { ...rest, egress },
        ]
      : []),
    ...without(policy.podSelector).map((podSelector) => ({ ...policy, podSelector })),
    ...smallerRules(ingress).map((rules) => ({ ...policy, ingress: rules })),
    ...smallerRules(egress).map((rules) => ({ ...policy, egress: rules })),
  ];
}

function smallerRules(rules: readonly PolicyRule[] = []): PolicyRule[][] {
  return [
    ...without(rules),
    ...eachSmaller(rules, (rule) => [
      ...(rule.peers === 'any' ? [] : without(rule.peers).map((peers) => ({ ...rule, peers }))),
      ...(rule.ports === 'any' ? [] : without(rule.ports).map((ports) => ({ ...rule, ports }))),
      ...(rule.peers === 'any'
        ? []
        : eachSmaller(rule.peers, (peer) =>
            peer.type === 'block' ? without(peer.except).map((except) => ({ ...peer, except })) : [],
          ).map((peers) => ({ ...rule, peers }))),
    ]),
  ];
}

/** The list without one of its items, for each. */
function without<T>(items: readonly T[]): T[][] {
  return items.map((_, index) => items.toSpliced(index, 1));
}

/** The list with one of its items smaller, for each and each way. */
function eachSmaller<T>(items: readonly T[], smaller: (item: T) => readonly T[]): T[][] {
  return items.flatMap((item, index) => smaller(item).map((it) => items.with(index, it)));
}
