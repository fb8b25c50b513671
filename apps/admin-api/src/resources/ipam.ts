/** Addresses of pods, as the node agents count and list them. */
import type { AddressAssignment, AddressPool } from '@canal/admin-schema';
import type { Handlers } from '../handler.ts';
import { ADDRESSES } from './agent-questions.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { Cursors } from './cursor.ts';
import { nodesMeant } from './nodes-meant.ts';
import type { NodeQuestions } from './node-questions.ts';
import { pageOverNodes } from './pages.ts';

export function ipamHandlers(
  nodes: ClusterNodes,
  questions: NodeQuestions,
): Pick<Handlers, 'listAddressPools' | 'listAddresses'> {
  return {
    async listAddressPools({ query, signal }) {
      const { node } = query;
      const items = {
        nodes: nodesMeant(nodes, node),
        question: ADDRESSES,
        itemsOf: (name: string, { pools }: ReturnType<typeof ADDRESSES.read>): readonly AddressPool[] =>
          pools.items.map((pool) => ({ node: name, ...pool })),
        unreadOf: ({ pools }: ReturnType<typeof ADDRESSES.read>) => pools,
      };
      const cursors = new Cursors('pools', { node });
      const order = { cursors, keyOf: (pool: AddressPool) => [pool.node, pool.subnet], parts: 2 };
      return { body: await pageOverNodes(questions, items, query, order, signal) };
    },

    async listAddresses({ query, signal }) {
      const { node, state } = query;
      const items = {
        nodes: nodesMeant(nodes, node),
        question: ADDRESSES,
        itemsOf: (name: string, { addresses }: ReturnType<typeof ADDRESSES.read>): readonly AddressAssignment[] =>
          addresses.items
            .filter((address) => state === undefined || address.state === state)
            .map((address) => ({ node: name, ...address })),
        unreadOf: ({ addresses }: ReturnType<typeof ADDRESSES.read>) => addresses,
      };
      const cursors = new Cursors('addresses', { node, state });
      const keyOf = (address: AddressAssignment): string[] => [
        address.node,
        address.address,
        address.containerId ?? '',
        address.interface ?? '',
      ];
      return { body: await pageOverNodes(questions, items, query, { cursors, keyOf, parts: 4 }, signal) };
    },
  };
}
