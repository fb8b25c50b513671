/** The next state of a cluster: objects come, change and go, in every order that an API and a runtime may tell them. */
import type { PolicyEndpoint, PolicyPod } from '@canal/model';
import type { PolicyCluster } from '../cluster.ts';
import { mayHaveEndpoint, NAMESPACES, randomEndpoint, randomNamespace, randomPod } from './random-cluster.ts';
import { randomPolicy } from './random-policy.ts';
import type { Random } from './random.ts';

/**
 * `step` makes names of its own. An endpoint goes no later than its pod: what one is judged by whose pod is gone is not
 * in a cluster, so it cannot be asked of one.
 */
export function changeCluster(random: Random, cluster: PolicyCluster, step: number): PolicyCluster {
  const pods = changedPods(random, cluster, step);
  return {
    ...cluster,
    pods,
    endpoints: changedEndpoints(random, cluster, pods, step),
    namespaces: NAMESPACES.flatMap((name) => {
      const before = cluster.namespaces.find((namespace) => namespace.name === name);
      if (random.chance(80)) return before ?? [];
      return random.chance(75) ? [randomNamespace(random, name)] : [];
    }),
    policies: [
      ...cluster.policies.flatMap((policy) => {
        if (random.chance(75)) return [policy];
        return random.chance(50) ? [randomPolicy(random, policy.namespace, policy.name)] : [];
      }),
      ...random.list(0, random.chance(40) ? 1 : 0, () => randomPolicy(random, random.pick(NAMESPACES), `p${step}-new`)),
    ],
  };
}

function changedPods(random: Random, cluster: PolicyCluster, step: number): PolicyPod[] {
  const known = cluster.pods.flatMap((pod, index): PolicyPod[] => {
    const { namespace, name, uid } = pod;
    if (random.chance(60)) return [pod];
    if (random.chance(20)) return [];
    const another = { ...randomPod(random, index), namespace, name };
    return [{ ...another, uid: random.chance(80) ? uid : `uid${step}-${index}` }];
  });
  // Pods that the API tells of after their endpoints were announced, and pods without endpoints yet.
  const announced = cluster.endpoints.flatMap(({ pod }): PolicyPod[] => {
    const isNew = pod !== undefined && !cluster.pods.some(({ uid }) => uid === pod.uid) && !nameTaken(known, pod);
    return isNew && random.chance(50) ? [{ ...randomPod(random, step), ...pod, node: 'n1' }] : [];
  });
  const more = random.list(0, random.chance(40) ? 1 : 0, () => newPod(random, step));
  return [...known, ...announced, ...more];
}

function changedEndpoints(
  random: Random,
  before: PolicyCluster,
  pods: readonly PolicyPod[],
  step: number,
): PolicyEndpoint[] {
  const wasKnown = ({ pod }: PolicyEndpoint): boolean => before.pods.some(({ uid }) => uid === pod?.uid);
  const isKnown = ({ pod }: PolicyEndpoint): boolean => pods.some(({ uid }) => uid === pod?.uid);
  const kept = random.some(
    before.endpoints.filter((endpoint) => isKnown(endpoint) || !wasKnown(endpoint)),
    90,
  );
  const without = pods.filter((pod) => mayHaveEndpoint(pod) && !kept.some((endpoint) => endpoint.pod?.uid === pod.uid));
  return [
    ...kept.map((endpoint) => (random.chance(90) ? endpoint : moved(random, endpoint))),
    ...random.some(without, 40).map((pod, index) => randomEndpoint(random, `s${step}-${index}`, pod)),
    ...random.list(0, random.chance(25) ? 1 : 0, () =>
      randomEndpoint(random, `s${step}-early`, earlyPod(random, step)),
    ),
  ];
}

/** The same endpoint announced again with other addresses. */
function moved(random: Random, endpoint: PolicyEndpoint): PolicyEndpoint {
  return { ...endpoint, addresses: randomEndpoint(random, 'any').addresses };
}

function newPod(random: Random, step: number): PolicyPod {
  const pod = randomPod(random, step);
  return { ...pod, name: `pod${step}-new`, uid: `uid${step}-new` };
}

function earlyPod(random: Random, step: number): PolicyPod {
  return { ...newPod(random, step), name: `pod${step}-early`, uid: `uid${step}-early`, hostNetwork: false };
}

function nameTaken(pods: readonly PolicyPod[], { namespace, name }: { namespace: string; name: string }): boolean {
  return pods.some((pod) => pod.namespace === namespace && pod.name === name);
}
