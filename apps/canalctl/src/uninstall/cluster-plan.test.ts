import { type KubeObject, NODES, PODS, type ResourceType, type Store } from '@canal/store-port';
import { expect, test } from 'vitest';
import { planCluster } from './cluster-plan.ts';

test('a large cluster: each pod is looked at a few times, not once for each node', async () => {
  const [nodeCount, podsPerNode] = [200, 20];
  let reads = 0;
  const nodes = Array.from({ length: nodeCount }, (_, index): KubeObject => named(`n${index}`));
  const pods = nodes.flatMap(({ metadata }) =>
    Array.from({ length: podsPerNode }, (_, index): KubeObject => {
      const pod = named(`p${index}`);
      const isDone = index === 0;
      return Object.defineProperties(pod, {
        status: { value: { phase: isDone ? 'Succeeded' : 'Running' } },
        spec: {
          get: () => {
            reads++;
            return { nodeName: metadata.name };
          },
        },
      });
    }),
  );
  const store = {
    get: () => Promise.resolve(undefined),
    list: (type: ResourceType) => Promise.resolve(type === NODES ? nodes : type === PODS ? pods : []),
  } as unknown as Store;
  const plan = await planCluster(store, { namespace: 'canal-system', nodes: [], defaultImage: 'i' });
  expect(plan.nodes).toHaveLength(nodeCount);
  expect(new Set(plan.nodes.map((node) => node.pods))).toEqual(new Set([podsPerNode - 1]));
  expect(reads).toBeLessThanOrEqual(3 * pods.length);
});

function named(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Test', metadata: { name } };
}
