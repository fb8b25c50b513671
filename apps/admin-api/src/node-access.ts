/** How the agents of nodes are reached: over sockets on this machine, or over TLS on their nodes. */
import { readFile } from 'node:fs/promises';
import { NODE_API_AUTHORITY } from '@canal/api-schema';
import { NodeApiError, type NodeTransport, tlsTransport, unixTransport } from '@canal/node-api';
import { parseIp } from 'net-types';
import type { AdminApiOptions } from './options.ts';
import type { ClusterNodes } from './resources/cluster-nodes.ts';

const MAX_SHOWN = 64;

export function nodeTransport(
  options: Pick<AdminApiOptions, 'agentSockets' | 'nodeTokenFile'>,
  nodes: ClusterNodes,
): NodeTransport {
  const { agentSockets, nodeTokenFile } = options;
  if (agentSockets !== undefined) {
    return unixTransport((node, agent) => {
      // Names of nodes have neither slashes nor dots at their beginning; one that is not known has no socket.
      if (nodes.get(node) === undefined) return undefined;
      const path = agent === 'flanneld' ? agentSockets.flanneld : agentSockets.policyAgent;
      return path.replaceAll('{node}', node);
    });
  }
  return tlsTransport({
    addressOf: (name) => {
      const { record, problem = 'it is gone' } = nodes.get(name) ?? {};
      if (record === undefined) throw new NodeApiError('unreachable', `its Node object cannot be read: ${problem}`);
      const authority = record.annotations[NODE_API_AUTHORITY];
      // Nobody looks at what a kubelet puts there, and part of a URL could be anything.
      const address = record.internalIps.find((text) => parseIp(text).ok);
      if (address === undefined) {
        const found = record.internalIps.map((text) => JSON.stringify(text.slice(0, MAX_SHOWN))).join(', ') || 'none';
        const message = `InternalIP of its Node object is ${found}: expected an IP address; the kubelet's --node-ip sets it`;
        throw new NodeApiError('unreachable', message);
      }
      return authority === undefined ? undefined : { address, authority };
    },
    token: async () => {
      try {
        return (await readFile(nodeTokenFile, 'utf8')).trim();
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
        throw new NodeApiError('refused', `the token for agents cannot be read from ${nodeTokenFile}: ${code}`);
      }
    },
  });
}
