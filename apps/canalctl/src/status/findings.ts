/** What of a cluster is not as it should be: why, and what to do. */
import type { Agent, Peer } from '@canal/admin-client';
import type { ClusterReport, NodeReport } from './read-status.ts';

export interface Finding {
  /** Errors: traffic is lost, or may be; warnings: it works. */
  readonly severity: 'error' | 'warning';
  readonly node?: string;
  readonly what: string;
  readonly cause?: string;
  readonly next?: string;
}

/** In parts of a whole. */
const NEARLY_FULL = 0.9;

/** Errors first, then by node. */
export function findFaults({ nodes, missing }: ClusterReport): readonly Finding[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const found = nodes.flatMap((node) => [
    ...node.agents.flatMap((agent) => agentFindings(node, agent)),
    ...peerFindings(node, byName),
    ...addressFindings(node),
  ]);
  const unasked = missing
    .filter(({ node }) => isReady(agentOf(byName.get(node), 'flanneld')))
    .map(({ node, reason }): Finding => {
      const next = 'run the same command again; if it stays, see the log of flanneld there';
      return { severity: 'warning', node, what: 'its addresses are not known', cause: reason, next };
    });
  const none: Finding = {
    severity: 'error',
    what: 'there is no node',
    next: '"kubectl get nodes" shows the nodes of the cluster; in a lab "canalctl lab status"',
  };
  const all = nodes.length === 0 ? [none] : [...found, ...unasked];
  return [...all.filter(({ severity }) => severity === 'error'), ...all.filter(({ severity }) => severity !== 'error')];
}

function agentFindings({ name: node }: NodeReport, agent: Agent): readonly Finding[] {
  const { name, state, faults } = agent;
  if (state === 'ready') {
    return faults.map(({ severity, message }) => ({ severity, node, what: `${name}: ${message}` }));
  }
  const causes = faults.map(({ message }) => message);
  const cause = { cause: causes.length === 0 ? 'it does not say why' : causes.join('; ') };
  const pods = `"kubectl -n canal-system get pods -o wide --field-selector spec.nodeName=${node}"`;
  return state === 'unreachable'
    ? [
        {
          severity: 'error',
          node,
          what: `${name} does not answer`,
          ...cause,
          next: `see that the node is up and that its pod runs: ${pods}; in a lab: "canalctl lab status", "canalctl lab up"`,
        },
      ]
    : [
        {
          severity: 'error',
          node,
          what: `${name} is not ready`,
          ...cause,
          next: `see its log: "kubectl -n canal-system logs POD -c ${name}", POD from ${pods}; "canalctl check" on the node`,
        },
      ];
}

function peerFindings(node: NodeReport, byName: ReadonlyMap<string, NodeReport>): readonly Finding[] {
  // Without its agent nothing is known of its peers, and that is told already.
  if (!isReady(agentOf(node, 'flanneld'))) return [];
  const lost = node.peers.filter(({ reachable }) => reachable === false);
  const known = new Set(node.peers.map((peer) => peer.node));
  const unknown = [...byName.values()].filter(
    ({ name, subnets }) => name !== node.name && subnets.length > 0 && !known.has(name),
  );
  return [
    ...lost.map((peer) => lostPeer(node.name, peer, byName.get(peer.node))),
    ...unknown.map(({ name }): Finding => ({
      severity: 'error',
      node: node.name,
      what: `has no way to the pods of ${name}`,
      cause: `flanneld there has not taken ${name} up: it may have come a moment ago, or its Node object cannot be read`,
      next: `"canalctl node status ${name}", then the log of flanneld on ${node.name}`,
    })),
  ];
}

function lostPeer(node: string, { node: peer, address, via }: Peer, there: NodeReport | undefined): Finding {
  const isDown = there?.state === 'unreachable';
  const path = via === 'vxlan' ? 'UDP port 8472' : via === 'udp' ? 'UDP port 8285' : 'packets with addresses of pods';
  return {
    severity: 'error',
    node,
    what: `pods of ${peer} (${address}, ${via}) cannot be reached`,
    cause: isDown ? `no agent of ${peer} answers: the node may be down` : 'what is sent there is not answered',
    next: isDown
      ? `see that ${peer} is up: "kubectl describe node ${peer}"`
      : `let ${path} through between the nodes, both ways (firewall, security group); "canalctl check" on both`,
  };
}

function addressFindings({ name: node, pools }: NodeReport): readonly Finding[] {
  return pools.flatMap(({ subnet, capacity, inUse, leaked }): Finding[] => {
    const used = inUse + leaked;
    const part = used / Number(capacity);
    const full: Finding[] =
      part < NEARLY_FULL
        ? []
        : [
            {
              severity: part < 1 ? 'warning' : 'error',
              node,
              what: `${used} of ${capacity} addresses of ${subnet} are in use`,
              cause: part < 1 ? 'there is little room for more pods' : 'pods that start there get none',
              next: 'let fewer pods run there ("kubectl cordon"), or give nodes larger subnets (SubnetLen of net-conf.json)',
            },
          ];
    if (leaked === 0) return full;
    return [
      ...full,
      {
        severity: 'warning',
        node,
        what: `${leaked} ${leaked === 1 ? 'address' : 'addresses'} of ${subnet} ${leaked === 1 ? 'is' : 'are'} held by pods that are gone`,
        cause: 'the runtime did not say that they ended',
        next: 'flanneld gives them back by itself after a while; "canalctl ipam check" names them',
      },
    ];
  });
}

export function agentOf(node: NodeReport | undefined, name: Agent['name']): Agent | undefined {
  return node?.agents.find((agent) => agent.name === name);
}

function isReady(agent: Agent | undefined): boolean {
  return agent?.state === 'ready';
}
