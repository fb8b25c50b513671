/** Nodes as the admin API tells of them: well, unless a test says otherwise. */
import type { AddressPool, Agent, Node, Peer } from '@canal/admin-client';
import { type Answers, listOf, Refusal } from '../admin/admin-api.fixture.ts';

const SYNCED = '2026-11-21T10:00:00.000Z';

export function agent(name: Agent['name'], more: Partial<Agent> = {}): Agent {
  return { name, state: 'ready', version: '0.1.0', lastSync: SYNCED, faults: [], ...more };
}

export function peer(number: number, more: Partial<Peer> = {}): Peer {
  return {
    node: `n${number}`,
    address: `10.0.0.${number}`,
    via: 'vxlan',
    reachable: true,
    roundTripSeconds: 0.0004,
    ...more,
  };
}

/** `n1` has 10.0.0.1 and 10.244.1.0/24, and so on; its peers are the other ones of three. */
export function node(number: number, more: Partial<Node> = {}): Node {
  return {
    name: `n${number}`,
    state: 'ready',
    backend: 'vxlan',
    addresses: [`10.0.0.${number}`],
    subnets: [`10.244.${number}.0/24`],
    agents: [agent('flanneld'), agent('policy-agent')],
    podMtuBytes: 1450,
    peers: [1, 2, 3].filter((other) => other !== number).map((other) => peer(other)),
    ...more,
  };
}

export function pool(number: number, more: Partial<AddressPool> = {}): AddressPool {
  return { node: `n${number}`, subnet: `10.244.${number}.0/24`, capacity: '253', inUse: 5, leaked: 0, ...more };
}

export const WELL: readonly Node[] = [node(1), node(2), node(3)];

export function answersOf(
  nodes: readonly Node[],
  pools: readonly AddressPool[] = nodes.map((_, index) => pool(index + 1)),
  missing: readonly { node: string; reason: string }[] = [],
): Answers {
  return {
    listNodes: () => listOf(nodes.map(({ podMtuBytes: _mtu, peers: _peers, ...summary }) => summary)),
    getNode: ({ path }) => {
      const found = nodes.find(({ name }) => name === path['name']);
      if (found === undefined) throw new Refusal('not-found', `there is no node ${path['name'] ?? ''}`);
      return found;
    },
    listAddressPools: ({ query }) => {
      const name = query.get('node');
      return listOf(
        pools.filter((one) => name === null || one.node === name),
        missing,
      );
    },
  };
}
