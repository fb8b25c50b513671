/** What `--output json` prints: addresses as text, names that stay. */
import { type LabStatus, type LabTopology, type PingMatrix, type PodRecord, podKey } from '@canal/lab';
import { formatCidr, formatInterfaceAddress, formatIp } from 'net-types';

export function statusJson(status: LabStatus, topology: LabTopology): unknown {
  return {
    name: status.spec.name,
    healthy: status.healthy,
    spec: status.spec,
    outside: topology.outside.map(formatIp),
    apiServer: { ...status.apiServer, error: status.apiError },
    adminApi: status.adminApi,
    nodes: status.nodes.map((node) => ({
      name: node.name,
      namespace: node.namespace,
      segment: node.segment,
      addresses: node.addresses.map(formatInterfaceAddress),
      podCidrs: node.podCidrs.map(formatCidr),
      agent: node.agent,
      policyAgent: node.policyAgent,
      networkAvailable: node.networkAvailable,
      peers: node.peers.map(({ node: peer, destination, via }) => ({
        node: peer,
        destination: formatCidr(destination),
        link: via?.link,
        gateway: via?.gateway === undefined ? undefined : formatIp(via.gateway),
      })),
      pods: node.pods.map(podJson),
    })),
  };
}

export function podJson(pod: PodRecord): unknown {
  const { namespace, name, node, containerId, netns } = pod;
  return { namespace, name, node, ips: pod.ips.map(formatIp), containerId, netns };
}

export function matrixJson(matrix: PingMatrix): unknown {
  return {
    lost: matrix.lost,
    pairs: matrix.cells.map(({ from, to, family, result }) => ({
      from: podKey(from),
      to: podKey(to),
      family,
      ...(result.ok ? { rttMs: result.rttMs } : { lost: result.reason }),
    })),
  };
}
