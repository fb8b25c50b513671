/** Pods on their nodes, with the policies that isolate them, as the policy agents have them in force. */
import type { Endpoint } from '@canal/admin-schema';
import type { Handlers } from '../handler.ts';
import { ENDPOINTS } from './agent-questions.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { Cursors } from './cursor.ts';
import { nodesMeant } from './nodes-meant.ts';
import type { NodeQuestions } from './node-questions.ts';
import { pageOverNodes } from './pages.ts';

/** With the agent's key, which no other endpoint of the node has. */
interface Listed {
  readonly key: string;
  readonly endpoint: Endpoint;
}

export function endpointHandlers(nodes: ClusterNodes, questions: NodeQuestions): Pick<Handlers, 'listEndpoints'> {
  return {
    async listEndpoints({ query, signal }) {
      const { node, namespace } = query;
      const items = {
        nodes: nodesMeant(nodes, node),
        question: ENDPOINTS,
        itemsOf: (name: string, { items: found }: ReturnType<typeof ENDPOINTS.read>): readonly Listed[] =>
          found
            .filter(({ pod }) => namespace === undefined || pod?.namespace === namespace)
            .map(({ key, hostInterface, ...endpoint }) => ({
              key,
              endpoint: { node: name, interface: hostInterface, ...endpoint },
            })),
        unreadOf: (list: ReturnType<typeof ENDPOINTS.read>) => list,
      };
      const cursors = new Cursors('endpoints', { node, namespace });
      const order = { cursors, keyOf, parts: 4 };
      const page = await pageOverNodes(questions, items, query, order, signal);
      return { body: { ...page, items: page.items.map(({ endpoint }) => endpoint) } };
    },
  };
}

function keyOf({ key, endpoint: { node, pod } }: Listed): string[] {
  return [node, pod?.namespace ?? '', pod?.name ?? '', key];
}
