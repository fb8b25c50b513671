/** Many pods at once on one node, and nothing left of them afterwards. */
import { expect } from 'vitest';
import { eventually } from '../eventually.ts';
import { accountOf, doubledInApi, faultsOf } from '../pod-addresses.ts';
import { compareListings, describeResidue, listNode } from '../residue.ts';
import { scenario, type ScenarioContext } from '../scenario.ts';

const NEEDS = ['node-control'] as const;
/** Pods of the cluster itself on a node: the agent, the cluster DNS and the like. */
const RUNNING_MAX = 10;

async function manyPods(context: ScenarioContext, wanted: number, limitMs: number): Promise<void> {
  const { world, control, note, pods } = context;
  const [node] = await world.nodes();
  if (node === undefined) throw new Error('the cluster has no node');
  // What the first pod of a node leaves for good (directories, last_reserved_ip) is no residue.
  await pods.delete(await pods.create([{ name: 'first', node: node.name }]));
  const usedBefore = await settledAddresses(context, node.name);
  const before = await listNode(control, node.name);

  const count = Math.min(wanted, await freePlaces(context, node.name));
  expect(count, 'places for pods beside those that run already').toBeGreaterThanOrEqual(wanted - RUNNING_MAX);
  const specs = Array.from({ length: count }, (_, index) => ({
    name: `load-${index + 1}`,
    node: node.name,
    args: ['pause'],
  }));
  let startMs = performance.now();
  const created = await pods.create(specs, { timeoutMs: limitMs });
  note(`${count} pods beside the node's own: create to all Ready`, seconds(startMs));
  const account = await accountOf(control, node.name);
  expect(faultsOf(account)).toEqual({ leaked: [], unreserved: [], doubled: [] });
  expect(account.used.size).toBe(usedBefore + count * world.settings.families.length);
  expect(await doubledInApi(world)).toEqual([]);
  // What is to be missed later is to be seen now.
  const during = compareListings(before, await listNode(control, node.name)).added;
  for (const kind of ['link ', 'file /var/lib/cni/', 'file /var/lib/canal/', 'file /run/netns/']) {
    expect(during.filter((line) => line.startsWith(kind)).length, kind).toBeGreaterThanOrEqual(count);
  }

  startMs = performance.now();
  await pods.delete(created, { timeoutMs: limitMs });
  note(`${count} pods: delete to gone`, seconds(startMs));
  // The API forgets a pod a moment before the runtime has cleared away its sandbox.
  const residue = await eventually(
    'the node to be as before',
    async () => {
      const now = compareListings(before, await listNode(control, node.name));
      if (now.added.length + now.removed.length > 0) throw new Error(`\n${describeResidue(now)}`);
      return now;
    },
    { withinMs: 30_000, everyMs: 1_000 },
  );
  expect(residue).toEqual({ added: [], removed: [] });
  note('residue', `none (${before.size} files, links, routes, neighbours and namespaces compared)`);
}

/** How many more pods the kubelet takes; the agent and what else runs on the node counts. */
async function freePlaces({ world }: ScenarioContext, node: string): Promise<number> {
  const allocatable = await world.kubectl(['get', 'node', node, '-o', 'jsonpath={.status.allocatable.pods}']);
  const running = await world.kubectl([
    ...['get', 'pods', '-A', `--field-selector=spec.nodeName=${node}`, '-o', 'name'],
  ]);
  return Number(allocatable.stdout) - running.stdout.split('\n').filter((line) => line !== '').length;
}

/** How many addresses the node's own pods hold, once the one that was deleted is off. */
async function settledAddresses({ control }: ScenarioContext, node: string): Promise<number> {
  return await eventually(
    'addresses in order',
    async () => {
      const account = await accountOf(control, node);
      const faults = faultsOf(account);
      if (Object.values(faults).flat().length > 0) throw new Error(JSON.stringify(faults));
      return { size: account.used.size };
    },
    { withinMs: 30_000 },
  ).then(({ size }) => size);
}

function seconds(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}

scenario('30 pods at once on one node', { limitMs: 180_000, needs: NEEDS }, (context) => manyPods(context, 30, 60_000));

scenario('110 pods at once on one node', { limitMs: 600_000, needs: NEEDS, long: true }, (context) =>
  manyPods(context, 110, 240_000),
);
