/** How both agents find the API server and their node, and where they answer probes and questions. */
import type { NodeIdentity } from '@canal/model';
import { type Ip, parseIp, type ParseError, type Result, unwrap } from 'net-types';
import type { Environment } from './flag-values.ts';

/** What is asked of FlagValues here, so that those of any table with these flags will do. */
interface AgentFlags {
  readonly problems: string[];
  text(name: 'kube-api-url' | 'kubeconfig-file' | 'healthz-ip' | 'node-api-user'): string;
  integer(name: 'healthz-port' | 'node-api-port', min: number, max: number): number;
  problem(name: string, value: string, expected: string): void;
}

export function readApiServer(flags: AgentFlags): { kubeApiUrl?: string; kubeconfigFile?: string } {
  const url = flags.text('kube-api-url');
  const file = flags.text('kubeconfig-file');
  if (url !== '' && !isHttpUrl(url)) flags.problem('kube-api-url', url, 'a URL such as https://10.0.0.1:6443');
  return { ...(url !== '' && { kubeApiUrl: url }), ...(file !== '' && { kubeconfigFile: file }) };
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

export function readNodeIdentity(flags: AgentFlags, environment: Environment): NodeIdentity {
  const node = environment['NODE_NAME'];
  if (isGiven(node)) return { type: 'name', name: node };
  const name = environment['POD_NAME'];
  const namespace = environment['POD_NAMESPACE'];
  if (isGiven(name) && isGiven(namespace)) return { type: 'pod', name, namespace };
  flags.problems.push('NODE_NAME is not set, and neither are POD_NAME and POD_NAMESPACE: one of both is needed');
  return { type: 'name', name: '' };
}

export function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

/** Go's net.Listen takes an empty host as every address. */
const ANY_ADDRESS: Ip = unwrap(parseIp('0.0.0.0'));

/** Undefined: probes are off. */
export function readHealth(flags: AgentFlags): { readonly ip: Ip; readonly port: number } | undefined {
  const text = flags.text('healthz-ip');
  const ip = text === '' ? ANY_ADDRESS : readParsed(flags, 'healthz-ip', parseIp);
  const port = flags.integer('healthz-port', 0, 65535);
  return ip === undefined || port === 0 ? undefined : { ip, port };
}

export interface NodeApiOptions {
  readonly port: number;
  /** As TokenReview names who may ask. */
  readonly user: string;
}

/** Undefined: it is off. */
export function readNodeApi(flags: AgentFlags): NodeApiOptions | undefined {
  const port = flags.integer('node-api-port', 0, 65535);
  const user = flags.text('node-api-user');
  if (port === 0) return undefined;
  if (user === '') flags.problem('node-api-user', user, 'a user such as system:serviceaccount:<namespace>:<name>');
  return { port, user };
}

/** sun_path of unix(7) without its closing NUL byte. */
const MAX_SOCKET_PATH_BYTES = 107;

/** Directories that others need open, below or beside which a socket's own may be. */
const SHARED_DIRECTORY = /^(?:\/(?:dev|etc|opt|root|run|srv|tmp|usr|var)|\/dev\/shm|\/var\/(?:cache|lib|log|run|tmp))$/;

/** Of a unix socket that is ours. */
export function readSocketPath<Name extends string>(
  flags: Pick<AgentFlags, 'problem'> & { text(name: Name): string },
  name: Name,
): string {
  const path = flags.text(name);
  // Its directory is closed to others, so it must be one of its own.
  const isPlain = /^(?:\/(?!\.{1,2}(?:\/|$))[^/]+){2,}$/.test(path);
  const directory = path.slice(0, path.lastIndexOf('/'));
  const isTooLong = new TextEncoder().encode(path).length > MAX_SOCKET_PATH_BYTES;
  if (!isPlain || isTooLong || SHARED_DIRECTORY.test(directory)) {
    const expected = `an absolute path of at most ${MAX_SOCKET_PATH_BYTES} bytes with a directory of its own, such as /run/canal/policy.sock`;
    flags.problem(name, path, expected);
  }
  return path;
}

/** A directory that must not depend on where the program was started. */
export function readDirectory<Name extends string>(
  flags: Pick<AgentFlags, 'problem'> & { text(name: Name): string },
  name: Name,
): string {
  const path = flags.text(name);
  if (!path.startsWith('/') || /(?:^|\/)\.{1,2}(?:\/|$)/.test(path)) {
    flags.problem(name, path, 'an absolute path without "." and ".."');
  }
  return path;
}

/** The parsed value of a flag; undefined when it is empty or wrong. */
export function readParsed<T, Name extends string>(
  flags: Pick<AgentFlags, 'problem'> & { text(name: Name): string },
  name: Name,
  parse: (text: string) => Result<T, ParseError>,
): T | undefined {
  const text = flags.text(name);
  if (text === '') return undefined;
  const parsed = parse(text);
  if (parsed.ok) return parsed.value;
  flags.problem(name, text, parsed.error.expected);
  return undefined;
}
