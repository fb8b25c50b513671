/** The node agent's typed configuration: flags first, then FLANNELD_ variables, then flannel's defaults. */
import type { NodeIdentity } from '@canal/model';
import { type Ip, type Ipv4, type Ipv6, parseIp, parseIpv4, parseIpv6 } from 'net-types';
import { parseCommandLine } from './command-line.ts';
import {
  isGiven,
  type NodeApiOptions,
  readApiServer,
  readDirectory,
  readHealth,
  readNodeApi,
  readNodeIdentity,
  readParsed,
  readSocketPath,
} from './agent-flags.ts';
import { CLEANUP_FLAGS, ENVIRONMENT_PREFIX, FLAGS, type FlanneldFlag } from './flag-table.ts';
import { type Environment, FlagValues } from './flag-values.ts';
import { parseGoRegExp } from './go-regexp.ts';
import { renderFlags } from './usage.ts';

export interface FlanneldConfig {
  readonly kubeApiUrl?: string;
  readonly kubeconfigFile?: string;
  readonly node: NodeIdentity;
  readonly annotationPrefix: string;
  readonly netConfPath: string;
  readonly setNodeNetworkUnavailable: boolean;
  readonly interfaces: InterfaceOptions;
  readonly subnetFile: string;
  readonly ipMasq: boolean;
  readonly masqueradeFullyRandom: boolean;
  readonly forwardRules: boolean;
  readonly resyncSeconds: number;
  /** Absent when --healthz-port is 0. */
  readonly health?: { readonly ip: Ip; readonly port: number };
  readonly logLevel: 'info' | 'debug';
  readonly cniStateDir: string;
  readonly cniDataDir: string;
  readonly cniCacheDir: string;
  /** Absent: somebody else writes the runtime's CNI configuration. */
  readonly cniConf?: CniConfOptions;
  /** Absent: pods do not wait for a policy agent. */
  readonly policySocket?: string;
  /** Absent: root is not told of this node on a unix socket. */
  readonly nodeSocket?: string;
  /** Absent when --node-api-port is 0. */
  readonly nodeApi?: NodeApiOptions;
  readonly sysctlNetDir: string;
}

export interface CniConfOptions {
  /** Path of the text to write. */
  readonly template: string;
  readonly directory: string;
  readonly name: string;
  /** Where the template that was last in force is remembered. */
  readonly stateDir: string;
}

export interface InterfaceOptions {
  /** Addresses or exact names, in order of preference. */
  readonly interfaces: readonly string[];
  readonly patterns: readonly RegExp[];
  readonly canReach?: Ip;
  readonly publicIp?: Ipv4;
  readonly publicIpv6?: Ipv6;
}

export type FlanneldCommand =
  | { readonly type: 'run'; readonly config: FlanneldConfig; readonly warnings: readonly string[] }
  | { readonly type: 'cleanup'; readonly options: CleanupOptions; readonly warnings: readonly string[] }
  | { readonly type: 'help'; readonly text: string }
  | { readonly type: 'version' }
  | { readonly type: 'invalid'; readonly problems: readonly string[] };

export interface CleanupOptions {
  readonly dryRun: boolean;
  readonly removeAnnotations: boolean;
  readonly subnetFile: string;
  readonly annotationPrefix: string;
  /** Present when annotations are to be removed. */
  readonly node?: NodeIdentity;
  readonly kubeApiUrl?: string;
  readonly kubeconfigFile?: string;
}

type FlanneldFlags = FlagValues<FlanneldFlag>;

const HEADER = `Usage: flanneld [flags]
       flanneld cleanup [--dry-run] [--remove-annotations] [flags]

Node agent: gives pods of this node a way to pods of the others. -flag and --flag are the same; each flag can also be
set by the environment variable named after it. The node is named by NODE_NAME, or by POD_NAME and POD_NAMESPACE.
`;

function renderUsage(): string {
  const rows = (specs: readonly FlanneldFlag[]): string => renderFlags({ specs, prefix: ENVIRONMENT_PREFIX });
  return `${HEADER}\nFlags:\n${rows(FLAGS)}\nFlags of cleanup:\n${rows(CLEANUP_FLAGS)}`;
}

export function parseFlanneldCommand(argv: readonly string[], environment: Environment): FlanneldCommand {
  const isCleanup = argv[0] === 'cleanup';
  const specs: readonly FlanneldFlag[] = isCleanup ? [...FLAGS, ...CLEANUP_FLAGS] : FLAGS;
  const line = parseCommandLine(isCleanup ? argv.slice(1) : argv, specs);
  if (line.values.has('help') || line.values.has('h')) return { type: 'help', text: renderUsage() };
  const flags = new FlagValues({ specs, prefix: ENVIRONMENT_PREFIX }, line, environment);
  if (flags.switch('version')) return { type: 'version' };
  const { warnings, problems } = flags;
  // Both readers run to their end before the problems are looked at: that is how all are reported at once.
  const command: FlanneldCommand = isCleanup
    ? { type: 'cleanup', options: readCleanup(flags, environment), warnings }
    : { type: 'run', config: readConfig(flags, environment), warnings };
  return problems.length > 0 ? { type: 'invalid', problems } : command;
}

function readConfig(flags: FlanneldFlags, environment: Environment): FlanneldConfig {
  if (!flags.switch('kube-subnet-mgr')) {
    flags.problems.push('--kube-subnet-mgr is not set: without it flannel uses etcd, which is not supported yet');
  }
  readOtherVariables(flags, environment);
  flags.integer('subnet-lease-renew-margin', 1, 24 * 60 - 1);
  const health = readHealth(flags);
  const cniConf = readCniConf(flags);
  const policySocket = readPolicySocket(flags);
  const nodeSocket = flags.text('node-socket') === '' ? undefined : readSocketPath(flags, 'node-socket');
  const nodeApi = readNodeApi(flags);
  return {
    ...readApiServer(flags),
    node: readNodeIdentity(flags, environment),
    annotationPrefix: flags.text('kube-annotation-prefix'),
    netConfPath: flags.text('net-config-path'),
    setNodeNetworkUnavailable: flags.switch('set-node-network-unavailable'),
    interfaces: readInterfaces(flags),
    subnetFile: flags.text('subnet-file'),
    ipMasq: flags.switch('ip-masq'),
    masqueradeFullyRandom: !flags.switch('ip-masq-fully-random-disable'),
    forwardRules: flags.switch('iptables-forward-rules'),
    resyncSeconds: flags.integer('iptables-resync', 1, 24 * 3600),
    ...(health !== undefined && { health }),
    logLevel: flags.integer('v', 0, 100) >= 4 ? 'debug' : 'info',
    cniStateDir: readDirectory(flags, 'cni-state-dir'),
    cniDataDir: readDirectory(flags, 'cni-data-dir'),
    cniCacheDir: readDirectory(flags, 'cni-cache-dir'),
    ...(cniConf !== undefined && { cniConf }),
    ...(policySocket !== undefined && { policySocket }),
    ...(nodeSocket !== undefined && { nodeSocket }),
    ...(nodeApi !== undefined && { nodeApi }),
    sysctlNetDir: readSysctlNetDir(flags),
  };
}

function readCleanup(flags: FlanneldFlags, environment: Environment): CleanupOptions {
  const removeAnnotations = flags.switch('remove-annotations');
  return {
    dryRun: flags.switch('dry-run'),
    removeAnnotations,
    subnetFile: flags.text('subnet-file'),
    annotationPrefix: flags.text('kube-annotation-prefix'),
    ...(removeAnnotations && { node: readNodeIdentity(flags, environment) }),
    ...readApiServer(flags),
  };
}

/** Variables that flannel reads outside its flags. */
function readOtherVariables(flags: FlanneldFlags, environment: Environment): void {
  if (isGiven(environment['WIREGUARD_KEY_FILE'])) {
    flags.problems.push('WIREGUARD_KEY_FILE is not supported yet: it needs the wireguard backend');
  }
  const depth = environment['EVENT_QUEUE_DEPTH'];
  // Only the newest state of each node is kept, so there is no queue to size. flannel's manifest sets its default, 5000.
  if (isGiven(depth) && !/^[1-9][0-9]{0,8}$/.test(depth)) {
    flags.problems.push(`EVENT_QUEUE_DEPTH is ${JSON.stringify(depth)}: expected a number of events such as 5000`);
  }
  const goOn = environment['CONT_WHEN_CACHE_NOT_READY'];
  if (isGiven(goOn) && !/^(?:true|false)$/.test(goOn)) {
    flags.problems.push(`CONT_WHEN_CACHE_NOT_READY is ${JSON.stringify(goOn)}: expected true or false`);
  }
}

function readCniConf(flags: FlanneldFlags): CniConfOptions | undefined {
  const name = flags.text('cni-conf-name');
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*\.conflist$/.test(name)) {
    flags.problem('cni-conf-name', name, 'a file name such as 10-canal.conflist');
  }
  const template = flags.text('cni-conf-template');
  const stateDir = flags.text('cni-state-dir');
  return template === '' ? undefined : { template, directory: flags.text('cni-conf-dir'), name, stateDir };
}

function readPolicySocket(flags: FlanneldFlags): string | undefined {
  const path = flags.text('policy-socket');
  if (path === '') return undefined;
  if (!path.startsWith('/')) flags.problem('policy-socket', path, 'an absolute path');
  return path;
}

function readSysctlNetDir(flags: FlanneldFlags): string {
  const directory = flags.text('sysctl-net-dir');
  if (!directory.startsWith('/')) flags.problem('sysctl-net-dir', directory, 'an absolute path');
  return directory;
}

function readInterfaces(flags: FlanneldFlags): InterfaceOptions {
  const canReach = readParsed(flags, 'iface-can-reach', parseIp);
  const publicIp = readParsed(flags, 'public-ip', parseIpv4);
  const publicIpv6 = readParsed(flags, 'public-ipv6', parseIpv6);
  return {
    interfaces: flags.texts('iface').filter((text) => text !== ''),
    patterns: flags.texts('iface-regex').flatMap((text) => {
      // Manifests fill these in from variables; flannel takes an empty one as unset.
      if (text === '') return [];
      const pattern = parseGoRegExp(text);
      if (pattern.ok) return [pattern.value];
      flags.problem('iface-regex', text, pattern.error.expected);
      return [];
    }),
    ...(canReach !== undefined && { canReach }),
    ...(publicIp !== undefined && { publicIp }),
    ...(publicIpv6 !== undefined && { publicIpv6 }),
  };
}
