/** The admin API's options: flags first, then CANAL_ADMIN_ variables, then the defaults. All problems are told at once. */
import { isAbsolute } from 'node:path';
import { parseArgs } from 'node:util';
import { formatIp, parseIp } from 'net-types';
import { DEFAULT_LIMITS, type LimitOptions } from './limits/limits.ts';
import type { CertificateFiles } from './tls/certificate-source.ts';
import { AUTHORITY_KEY, type ConfigMapName } from './tls/publish-authority.ts';

export interface AdminApiOptions {
  readonly kubeApiUrl?: string;
  readonly kubeconfigFile?: string;
  readonly annotationPrefix: string;
  readonly host: string;
  readonly port: number;
  /** Undefined: one is made at start. */
  readonly certificateFiles: CertificateFiles | undefined;
  /** Names and addresses of a certificate that is made. */
  readonly tlsHosts: readonly string[];
  /** Where the authority of a certificate that is made is written, for clients to trust. */
  readonly authorityFile: string | undefined;
  /** Where it is written besides; undefined: nowhere. */
  readonly authorityConfigMap: ConfigMapName | undefined;
  /** Where the URL is written once it serves there. */
  readonly addressFile: string | undefined;
  /** Undefined: Kubernetes says who a token is. */
  readonly tokenFile: string | undefined;
  /** PEM of whose certificates clients may show instead of tokens; undefined: none. */
  readonly clientCaFile: string | undefined;
  readonly audiences: readonly string[];
  /** Undefined: agents are asked over TLS on their nodes. */
  readonly agentSockets: { readonly flanneld: string; readonly policyAgent: string } | undefined;
  readonly nodeTokenFile: string;
  readonly netConf: ConfigMapName;
  readonly limits: LimitOptions;
  readonly logLevel: 'info' | 'debug';
}

export type AdminApiCommand =
  | { readonly type: 'run'; readonly options: AdminApiOptions; readonly warnings: readonly string[] }
  | { readonly type: 'help'; readonly text: string }
  | { readonly type: 'version' }
  | { readonly type: 'invalid'; readonly problems: readonly string[] };

interface Flag {
  readonly name: string;
  readonly initial: string;
  readonly help: string;
}

const FLAGS = [
  { name: 'kube-api-url', initial: '', help: 'Kubernetes API server, else kubeconfig or in-cluster' },
  { name: 'kubeconfig-file', initial: '', help: 'kubeconfig file, else in-cluster configuration' },
  {
    name: 'kube-annotation-prefix',
    initial: 'flannel.alpha.coreos.com',
    help: 'prefix of the Node annotations, as the node agent has it',
  },
  { name: 'listen-ip', initial: '0.0.0.0', help: 'address to serve on; 0.0.0.0 is every address of both families' },
  { name: 'listen-port', initial: '9443', help: 'port to serve on; 0 is any that is free' },
  { name: 'address-file', initial: '', help: 'where to write the URL as soon as it is served' },
  {
    name: 'tls-cert-file',
    initial: '',
    help: 'certificate chain in PEM, read again when it changes; else one is made at start',
  },
  { name: 'tls-key-file', initial: '', help: 'its private key in PEM' },
  {
    name: 'tls-hosts',
    initial: 'localhost,127.0.0.1,::1,canal-admin-api.canal-system.svc',
    help: 'names and addresses of a certificate that is made at start, with commas between them',
  },
  {
    name: 'tls-authority-file',
    initial: '',
    help: 'where to write the authority of a certificate that is made at start',
  },
  {
    name: 'tls-authority-config-map',
    initial: '',
    help: `ConfigMap that gets it as ${AUTHORITY_KEY}, and has to be there: NAMESPACE/NAME`,
  },
  {
    name: 'token-file',
    initial: '',
    help: 'who is let in without asking Kubernetes: lines TOKEN USER ROLE, or JSON; not for others to read',
  },
  {
    name: 'client-ca',
    initial: '',
    help: 'authorities in PEM: a client with a certificate of theirs is its CN, of the groups that are its O',
  },
  { name: 'audiences', initial: 'canal-admin-api', help: 'of which a token must have one, with commas between them' },
  {
    name: 'flanneld-socket',
    initial: '',
    help: "unix socket of a node's flanneld, {node} for its name; empty: over TLS",
  },
  {
    name: 'policy-socket',
    initial: '',
    help: "unix socket of a node's policy agent, {node} for its name; empty: over TLS",
  },
  {
    name: 'node-token-file',
    initial: '/var/run/secrets/canal-node-api/token',
    help: 'token that is shown to agents, read again when it changes',
  },
  { name: 'net-conf', initial: 'canal-system/canal-config', help: 'ConfigMap of net-conf.json: NAMESPACE/NAME' },
  { name: 'client-rate', initial: '200', help: 'requests a second of one user; twice as many at once' },
  { name: 'total-rate', initial: '1000', help: 'requests a second of all users' },
  { name: 'client-streams', initial: '50', help: 'event streams of one user at a time' },
  { name: 'total-streams', initial: '100', help: 'event streams of all users at a time' },
  { name: 'v', initial: '0', help: 'log verbosity; 4 and above also log each request' },
] as const satisfies readonly Flag[];

type FlagName = (typeof FLAGS)[number]['name'];

const PREFIX = 'CANAL_ADMIN_';

const HEADER = `Usage: canal admin-api [flags]

Serves the admin API over TLS: what operators see and change of the cluster. Each flag can also be set by the environment
variable named after it. Exit codes: 0 after a signal, 1 when it cannot go on, 2 when the flags are wrong.
`;

export function parseAdminApiCommand(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): AdminApiCommand {
  const texts = Object.fromEntries(FLAGS.map(({ name }) => [name, { type: 'string' } as const]));
  const switches = { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } } as const;
  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: { ...texts, ...switches },
      strict: true,
      allowPositionals: false,
    }));
  } catch (error) {
    return { type: 'invalid', problems: [error instanceof Error ? error.message : String(error)] };
  }
  if (values['help'] === true) return { type: 'help', text: HEADER + `${FLAGS.map(renderFlag).join('')}\n` };
  if (values['version'] === true) return { type: 'version' };
  const reader = new Reader(values, environment);
  const options = readOptions(reader);
  return reader.problems.length > 0
    ? { type: 'invalid', problems: reader.problems }
    : { type: 'run', options, warnings: unknownVariables(environment) };
}

function readOptions(flags: Reader): AdminApiOptions {
  const [url, kubeconfig] = [flags.text('kube-api-url'), flags.text('kubeconfig-file')];
  if (url !== '' && !/^https?:\/\//.test(url)) flags.problem('kube-api-url', 'a URL such as https://10.0.0.1:6443');
  return {
    ...(url !== '' && { kubeApiUrl: url }),
    ...(kubeconfig !== '' && { kubeconfigFile: kubeconfig }),
    annotationPrefix: flags.text('kube-annotation-prefix'),
    host: readIp(flags),
    port: flags.integer('listen-port', 0, 65_535),
    certificateFiles: readCertificateFiles(flags),
    tlsHosts: flags.list('tls-hosts'),
    authorityFile: flags.path('tls-authority-file'),
    authorityConfigMap:
      flags.text('tls-authority-config-map') === '' ? undefined : readConfigMap(flags, 'tls-authority-config-map'),
    addressFile: flags.path('address-file'),
    tokenFile: flags.path('token-file'),
    clientCaFile: flags.path('client-ca'),
    audiences: flags.list('audiences'),
    agentSockets: readSockets(flags),
    nodeTokenFile: flags.path('node-token-file') ?? '',
    netConf: readConfigMap(flags, 'net-conf'),
    limits: readLimits(flags),
    logLevel: flags.integer('v', 0, 100) >= 4 ? 'debug' : 'info',
  };
}

function readIp(flags: Reader): string {
  const ip = parseIp(flags.text('listen-ip'));
  // As Go, and so the agents, take it: every address of both families.
  if (ip.ok) return formatIp(ip.value).replace(/^0\.0\.0\.0$/, '::');
  flags.problem('listen-ip', 'an IP address');
  return '';
}

function readCertificateFiles(flags: Reader): CertificateFiles | undefined {
  const [certFile, keyFile] = [flags.path('tls-cert-file'), flags.path('tls-key-file')];
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile !== undefined || keyFile !== undefined)
    flags.problems.push('--tls-cert-file and --tls-key-file go together');
  return undefined;
}

function readSockets(flags: Reader): AdminApiOptions['agentSockets'] {
  const [flanneld, policyAgent] = [flags.path('flanneld-socket'), flags.path('policy-socket')];
  if (flanneld === undefined && policyAgent === undefined) return undefined;
  if (flanneld?.includes('{node}') !== true) flags.problem('flanneld-socket', 'a path with {node} in it');
  if (policyAgent?.includes('{node}') !== true) flags.problem('policy-socket', 'a path with {node} in it');
  return { flanneld: flanneld ?? '', policyAgent: policyAgent ?? '' };
}

function readConfigMap(flags: Reader, flag: FlagName): ConfigMapName {
  const [namespace = '', name = '', ...rest] = flags.text(flag).split('/');
  if (namespace === '' || name === '' || rest.length > 0) flags.problem(flag, 'NAMESPACE/NAME');
  return { namespace, name };
}

function readLimits(flags: Reader): LimitOptions {
  const rate = (perSecond: number) => ({ perSecond, burst: 2 * perSecond });
  return {
    ...DEFAULT_LIMITS,
    client: rate(flags.integer('client-rate', 1, 1_000_000)),
    total: rate(flags.integer('total-rate', 1, 1_000_000)),
    maxStreamsPerClient: flags.integer('client-streams', 1, 10_000),
    maxStreams: flags.integer('total-streams', 1, 10_000),
  };
}

class Reader {
  readonly problems: string[] = [];
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #environment: Readonly<Record<string, string | undefined>>;

  constructor(values: Readonly<Record<string, unknown>>, environment: Readonly<Record<string, string | undefined>>) {
    this.#values = values;
    this.#environment = environment;
  }

  text(name: FlagName): string {
    const given = this.#values[name];
    if (typeof given === 'string') return given;
    const variable = this.#environment[variableOf(name)];
    return variable !== undefined && variable !== ''
      ? variable
      : (FLAGS.find((flag) => flag.name === name)?.initial ?? '');
  }

  list(name: FlagName): readonly string[] {
    const items = this.text(name)
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    if (items.length === 0) this.problem(name, 'at least one');
    return items;
  }

  /** Undefined when it is empty. It must not depend on where the program was started. */
  path(name: FlagName): string | undefined {
    const path = this.text(name);
    if (path === '') return undefined;
    if (!isAbsolute(path)) this.problem(name, 'an absolute path');
    return path;
  }

  integer(name: FlagName, min: number, max: number): number {
    const text = this.text(name);
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    this.problem(name, `a number within ${min}..${max}`);
    return min;
  }

  problem(name: FlagName, expected: string): void {
    const isVariable = this.#values[name] === undefined && (this.#environment[variableOf(name)] ?? '') !== '';
    const origin = isVariable ? variableOf(name) : `--${name}`;
    this.problems.push(`${origin} is ${JSON.stringify(this.text(name))}: expected ${expected}`);
  }
}

function variableOf(name: string): string {
  return PREFIX + name.toUpperCase().replaceAll('-', '_');
}

/** A warning alone: Kubernetes sets such variables for a Service of that name. */
function unknownVariables(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const known: ReadonlySet<string> = new Set(FLAGS.map(({ name }) => variableOf(name)));
  const unknown = Object.keys(environment).filter((name) => name.startsWith(PREFIX) && !known.has(name));
  return unknown
    .filter((name) => !name.startsWith(`${PREFIX}API_`))
    .sort()
    .map((name) => `${name} is not known and has no effect`);
}

function renderFlag({ name, initial, help }: Flag): string {
  return `\n  --${name} <${/^\d+$/.test(initial) ? 'number' : 'text'}>\n      ${help}${initial === '' ? '' : ` (default ${initial})`}\n      ${variableOf(name)}`;
}
