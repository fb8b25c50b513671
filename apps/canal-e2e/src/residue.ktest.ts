/** The listing must see what a pod leaves behind; the scenarios that expect nothing rest on it. */
import { createTestNetns } from '@canal/testing';
import { expect, test } from 'vitest';
import { compareListings, describeResidue, listNode } from './residue.ts';
import type { NodeControl } from './world.ts';

test('a link, its routes, a neighbour, a nexthop, a table and an address family are seen, and their end too', async () => {
  using netns = createTestNetns('residue');
  const control: Pick<NodeControl, 'exec'> = {
    exec: (_node, command) => {
      const { stdout, stderr, exitCode } = netns.exec(command);
      return Promise.resolve({ stdout, stderr, status: exitCode });
    },
  };
  const before = await listNode(control, 'node');
  expect([...before].filter((line) => line.startsWith('link'))).toEqual(['link lo ']);
  netns.run(['ip', 'link', 'add', 'cnl0', 'type', 'veth', 'peer', 'name', 'cnl1']);
  netns.run(['ip', 'link', 'set', 'cnl0', 'up']);
  netns.run(['ip', 'link', 'set', 'cnl1', 'up']);
  netns.run(['ip', 'route', 'add', '10.244.1.5/32', 'dev', 'cnl0', 'proto', '204']);
  netns.run(['ip', 'nexthop', 'add', 'id', '7', 'dev', 'cnl0']);
  netns.run(['ip', 'neigh', 'add', '10.244.1.5', 'lladdr', '02:00:00:00:00:01', 'dev', 'cnl0', 'nud', 'permanent']);
  netns.run(['nft', 'add table inet canal']);
  const { added, removed } = compareListings(before, await listNode(control, 'node'));
  expect(removed).toEqual([]);
  for (const line of [
    'link cnl0 veth',
    'link cnl1 veth',
    'route 10.244.1.5 dev cnl0 proto 204',
    'nexthop 7  cnl0',
    'neighbour 10.244.1.5 cnl0 02:00:00:00:00:01 PERMANENT',
    'nft table inet canal',
  ]) {
    expect(added).toContain(line);
  }
  netns.run(['ip', 'link', 'del', 'cnl0']);
  netns.run(['nft', 'delete table inet canal']);
  const left = compareListings(before, await listNode(control, 'node'));
  expect(left, describeResidue(left)).toEqual({ added: [], removed: [] });
});
