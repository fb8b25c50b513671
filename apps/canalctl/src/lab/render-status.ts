/** The picture of a lab: who is connected to whom, which addresses they have, how each node reaches the others' pods. */
import {
  type LabStatus,
  type LabTopology,
  type NodeStatus,
  type PeerRoute,
  podKey,
  type ProcessStatus,
} from '@canal/lab';
import { formatCidr, formatInterfaceAddress, formatIp } from 'net-types';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';

/** More lines than this say less than a sum. */
const MAX_PEER_LINES = 24;

export function renderStatus(status: LabStatus, topology: LabTopology): string {
  return [
    renderHead(status),
    '\n',
    renderTree(status, topology),
    '\n',
    renderPeers(status),
    ...renderTroubles(status).map((line) => `not well: ${line}\n`),
  ].join('');
}

function renderHead({ spec, nodes, apiServer, adminApi }: LabStatus): string {
  const backend = spec.directRouting ? `${spec.backend} with DirectRouting` : spec.backend;
  const parts = [`${nodes.length} nodes`, backend, spec.ipFamily, `${spec.podMode} pods`];
  const address = adminApi.address === undefined ? '' : `${printableLine(adminApi.address)}  `;
  return [
    `lab ${spec.name}: ${parts.join(', ')}; API server ${renderProcess(apiServer)}\n`,
    `admin API ${address}${renderProcess(adminApi)}\n`,
  ].join('');
}

function renderTree(status: LabStatus, topology: LabTopology): string {
  const lines = [`outside the cluster  ${topology.outside.map(formatIp).join('  ')}`];
  const segments = topology.segments;
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    const gateways = segment.gateways.map(formatInterfaceAddress).join('  ');
    lines.push(`${last ? '╘══' : '╞══'} ${segment.bridge}  ${gateways}   segment ${segment.number}`);
    const nodes = status.nodes.filter((node) => node.segment === segment.number);
    for (const [position, node] of nodes.entries()) {
      const indent = last ? '    ' : '│   ';
      lines.push(...renderNode(node, position === nodes.length - 1).map((line) => `${indent}${line}`));
    }
  }
  return lines.map((line) => `  ${line}\n`).join('');
}

function renderNode(node: NodeStatus, last: boolean): readonly string[] {
  const addresses = node.addresses.map(({ ip }) => formatIp(ip)).join('  ');
  const subnets = node.podCidrs.map(formatCidr).join('  ');
  const agents = [`flanneld ${renderProcess(node.agent)}`];
  if (node.policyAgent !== undefined) agents.push(`policy-agent ${renderProcess(node.policyAgent)}`);
  const head = `${last ? '└──' : '├──'} ${node.name}  ${addresses}   pods ${subnets}   ${agents.join('   ')}`;
  const pods = node.pods.map((pod, index) => {
    const branch = index === node.pods.length - 1 ? '└─' : '├─';
    return `${last ? '   ' : '│  '}  ${branch} ${podKey(pod)}  ${pod.ips.map(formatIp).join('  ')}`;
  });
  return [head, ...pods];
}

function renderProcess({ running, pid, residentBytes }: ProcessStatus): string {
  if (!running) return 'is not running';
  return `pid ${pid ?? 0}, ${Math.round((residentBytes ?? 0) / 2 ** 20)} MB`;
}

function renderPeers({ nodes }: LabStatus): string {
  const rows = nodes.flatMap((node) => node.peers.map((peer) => ({ node, peer })));
  if (rows.length === 0) return '';
  if (rows.length > MAX_PEER_LINES) return renderPeerSums(nodes);
  const body = rows.map(({ node, peer }) => [
    `  ${node.name}`,
    `→ ${peer.node}`,
    formatCidr(peer.destination),
    ...renderRoute(peer),
  ]);
  return `how each kernel reaches the pods of the others\n${table(body)}`;
}

function renderRoute({ via }: PeerRoute): readonly string[] {
  if (via === undefined) return ['NO ROUTE'];
  const gateway = via.gateway === undefined ? '' : `via ${formatIp(via.gateway)}`;
  return [isTunnel(via.link) ? 'vxlan ' : 'direct', `${gateway} dev ${printableLine(via.link)}`.trim()];
}

/** flannel's device names: flannel.VNI and flannel-v6.VNI. */
function isTunnel(link: string): boolean {
  return link.startsWith('flannel.') || link.startsWith('flannel-v6.');
}

function renderPeerSums(nodes: readonly NodeStatus[]): string {
  const rows = nodes.map((node) => {
    const tunnelled = node.peers.filter(({ via }) => via !== undefined && isTunnel(via.link)).length;
    const missing = node.peers.filter(({ via }) => via === undefined).length;
    const direct = node.peers.length - tunnelled - missing;
    return [`  ${node.name}`, `${tunnelled} by vxlan`, `${direct} direct`, `${missing} without a route`];
  });
  return `how each kernel reaches the pod subnets of the others\n${table(rows)}`;
}

/** Each fault of a lab as a line with the next step. */
export function renderTroubles(status: LabStatus): readonly string[] {
  const { apiServer, apiError, adminApi, nodes, spec } = status;
  const heal = `"canalctl lab up" with the same options heals it`;
  return [
    ...(apiServer.running ? [] : [`the API server is not running; ${heal}`]),
    ...(apiServer.running && apiError !== undefined
      ? [`the API server does not answer: ${printableLine(apiError)}`]
      : []),
    ...(adminApi.address === undefined
      ? [
          `the admin API ${adminApi.running ? 'does not serve yet' : 'is not running'} (log: ${adminApiLog(spec.name)}); ${heal}`,
        ]
      : []),
    ...nodes.flatMap((node) => {
      const directory = `/run/canal-lab/${spec.name}/nodes/${node.name}`;
      const log = `${directory}/flanneld.log`;
      const policyAgent =
        node.policyAgent?.running === false
          ? [`${node.name}: its policy-agent is not running (log: ${directory}/policy-agent.log); ${heal}`]
          : [];
      if (!node.agent.running)
        return [`${node.name}: its flanneld is not running (log: ${log}); ${heal}`, ...policyAgent];
      const missing = node.peers.filter(({ via }) => via === undefined).map((peer) => peer.node);
      return [
        ...policyAgent,
        ...(node.networkAvailable || apiError !== undefined
          ? []
          : [`${node.name}: its network is not ready; see ${log}`]),
        ...(missing.length > 0 ? [`${node.name}: no route to the pods of ${missing.join(', ')}; see ${log}`] : []),
      ];
    }),
  ];
}

function adminApiLog(lab: string): string {
  return `/run/canal-lab/${lab}/admin-api/admin-api.log`;
}
