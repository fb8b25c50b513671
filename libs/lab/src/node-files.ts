/** Texts of the files that an installer would put on a node, with the lab's paths in them. */
import { cidrFamily, formatCidr, formatIp, type Ip, isIpv4 } from 'net-types';
import { type LabSpec } from './lab-spec.ts';
import { type NodePaths } from './lab-paths.ts';
import { API_PORT, type LabTopology } from './topology.ts';

/** Name of the file in the runtime's configuration directory. */
export const CONFLIST_NAME = '10-canal.conflist';

/** deploy/cni/10-canal.conflist with this node's directories. */
export function renderConflist(spec: LabSpec, paths: NodePaths): string {
  return json({
    cniVersion: '1.0.0',
    cniVersions: ['0.4.0', '1.0.0', '1.1.0'],
    name: 'canal',
    plugins: [
      {
        type: 'canal',
        mode: spec.podMode,
        policy: spec.policy,
        capabilities: { ips: true, mac: true },
        // What flannel's own list says of its bridge.
        ...(spec.podMode === 'bridge' && { hairpinMode: true, isDefaultGateway: true }),
        subnetFile: paths.subnetFile,
        dataDir: paths.cniDataDir,
        stateDir: paths.cniStateDir,
        policySocket: paths.policySocket,
      },
    ],
  });
}

/** net-conf.json as flannel documents it. */
export function renderNetConf(spec: LabSpec, topology: LabTopology): string {
  const network = (family: 4 | 6): string | undefined => {
    const found = topology.podNetworks.find((cidr) => cidrFamily(cidr) === family);
    return found === undefined ? undefined : formatCidr(found);
  };
  const [ipv4, ipv6] = [network(4), network(6)];
  return json({
    ...(ipv4 === undefined ? { EnableIPv4: false } : { Network: ipv4 }),
    ...(ipv6 !== undefined && { EnableIPv6: true, IPv6Network: ipv6 }),
    Backend: { Type: spec.backend, ...(spec.directRouting && { DirectRouting: true }) },
  });
}

export interface KubeconfigFields {
  readonly lab: string;
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  readonly token: string;
}

/** JSON is YAML, and needs no quoting rules of its own. */
export function renderKubeconfig({ lab, server, ca, token }: KubeconfigFields): string {
  const name = `canal-${lab}`;
  return json({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });
}

/** `https://` URL of the API server at an address of the underlay. */
export function apiServerUrl(ip: Ip, port = API_PORT): string {
  return `https://${isIpv4(ip) ? formatIp(ip) : `[${formatIp(ip)}]`}:${port}`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
