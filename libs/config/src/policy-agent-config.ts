/** The policy agent's typed configuration: flags first, then CANAL_POLICY_ variables, then the defaults. */
import type { NodeIdentity } from '@canal/model';
import { type Ip, parsePort } from 'net-types';
import {
  type NodeApiOptions,
  readApiServer,
  readDirectory,
  readHealth,
  readNodeApi,
  readNodeIdentity,
  readSocketPath,
} from './agent-flags.ts';
import { parseCommandLine } from './command-line.ts';
import { type Environment, FlagValues } from './flag-values.ts';
import { POLICY_AGENT_FLAGS, type PolicyAgentFlag } from './policy-agent-flags.ts';
import { renderFlags } from './usage.ts';

export interface PolicyAgentConfig {
  readonly kubeApiUrl?: string;
  readonly kubeconfigFile?: string;
  readonly node: NodeIdentity;
  readonly annotationPrefix: string;
  readonly netConfPath: string;
  /** Path of the unix socket on which the CNI plugin and the command line are answered. */
  readonly socket: string;
  readonly cniStateDir: string;
  /** Flows that a change denies are cut; false: they live on, as in Calico. */
  readonly strict: boolean;
  /** UDP ports of tunnels, beside the one that net-conf.json names. */
  readonly tunnelPorts: readonly number[];
  /** Of new allowed flows one in so many is recorded; 0: none. */
  readonly allowSample: number;
  /** How many verdicts are kept for readers. */
  readonly flowRecords: number;
  readonly resyncSeconds: number;
  /** Absent when --healthz-port is 0. */
  readonly health?: { readonly ip: Ip; readonly port: number };
  /** Absent when --node-api-port is 0. */
  readonly nodeApi?: NodeApiOptions;
  readonly logLevel: 'info' | 'debug';
}

export type PolicyAgentCommand =
  | { readonly type: 'run'; readonly config: PolicyAgentConfig; readonly warnings: readonly string[] }
  | { readonly type: 'help'; readonly text: string }
  | { readonly type: 'version' }
  | { readonly type: 'invalid'; readonly problems: readonly string[] };

const TABLE = { specs: POLICY_AGENT_FLAGS, prefix: 'CANAL_POLICY_' };

const HEADER = `Usage: canal policy-agent [flags]

Enforces NetworkPolicy for the pods of this node. -flag and --flag are the same; each flag can also be set by the
environment variable named after it. The node is named by NODE_NAME, or by POD_NAME and POD_NAMESPACE.
`;

export function parsePolicyAgentCommand(argv: readonly string[], environment: Environment): PolicyAgentCommand {
  const line = parseCommandLine(argv, POLICY_AGENT_FLAGS);
  if (line.values.has('help') || line.values.has('h')) {
    return { type: 'help', text: `${HEADER}\nFlags:\n${renderFlags(TABLE)}` };
  }
  const flags = new FlagValues<PolicyAgentFlag>(TABLE, line, environment);
  if (flags.switch('version')) return { type: 'version' };
  const config = readConfig(flags, environment);
  const { problems, warnings } = flags;
  return problems.length > 0 ? { type: 'invalid', problems } : { type: 'run', config, warnings };
}

function readConfig(flags: FlagValues<PolicyAgentFlag>, environment: Environment): PolicyAgentConfig {
  const health = readHealth(flags);
  const nodeApi = readNodeApi(flags);
  return {
    ...readApiServer(flags),
    node: readNodeIdentity(flags, environment),
    annotationPrefix: flags.text('kube-annotation-prefix'),
    netConfPath: flags.text('net-config-path'),
    socket: readSocketPath(flags, 'socket'),
    cniStateDir: readDirectory(flags, 'cni-state-dir'),
    strict: flags.switch('strict'),
    tunnelPorts: readTunnelPorts(flags),
    allowSample: flags.integer('allow-sample', 0, 1_000_000),
    flowRecords: flags.integer('flow-records', 0, 1_000_000),
    resyncSeconds: flags.integer('resync', 1, 24 * 3600),
    ...(health !== undefined && { health }),
    ...(nodeApi !== undefined && { nodeApi }),
    logLevel: flags.integer('v', 0, 100) >= 4 ? 'debug' : 'info',
  };
}

function readTunnelPorts(flags: FlagValues<PolicyAgentFlag>): readonly number[] {
  const text = flags.text('tunnel-ports');
  const ports = text.split(',').map((part) => parsePort(part.trim()));
  if (text !== '' && ports.some((port) => !port.ok)) {
    flags.problem('tunnel-ports', text, 'UDP ports with commas between them, such as 8472,8285');
  }
  return [...new Set(ports.flatMap((port) => (port.ok ? [port.value] : [])))];
}
