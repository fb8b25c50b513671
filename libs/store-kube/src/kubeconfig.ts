import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';

import type { Clock } from '@canal/runtime-port';

import { KubeConfigError } from './connection-error.ts';
import { type Credentials, type CredentialSource, fixedCredentials, type KubeConnection } from './connection.ts';
import {
  certificateCredentials,
  combinedCredentials,
  fixedText,
  type TextSource,
  tokenFileCredentials,
} from './credential-sources.ts';
import { pluginCredentials } from './exec-credentials.ts';
import { type FollowedAuthority, followAuthority } from './followed-authority.ts';
import {
  type ClusterEntry,
  type ContextEntry,
  type KubeconfigFile,
  parseKubeconfig,
  type UserEntry,
} from './kubeconfig-file.ts';
import { RotatingFile } from './rotating-file.ts';
import { Secret } from './secret.ts';
import { serverUrl } from './server-url.ts';

export interface KubeconfigOptions {
  /** Files in order of precedence; for each name the first entry counts. Several come from `KUBECONFIG`. */
  readonly paths: readonly string[];
  /** Instead of `current-context`. */
  readonly context?: string;
  /** Instead of the cluster's `server`. */
  readonly server?: string;
}

/** The connection that a kubeconfig describes. Throws `KubeConfigError`. */
export async function loadKubeconfig(options: KubeconfigOptions, clock: Clock): Promise<KubeConnection> {
  const files = await readConfigFiles(options.paths);
  const { context, cluster, user } = select(files, options.context);
  const baseUrl = serverUrl(options.server ?? cluster.entry.server, `${cluster.file}: server`);
  if (cluster.entry.proxyUrl !== undefined) {
    throw new KubeConfigError(
      'unsupported',
      `${cluster.file}: clusters with a proxy-url are not supported; remove it or connect directly`,
    );
  }
  const credentials = user === undefined ? fixedCredentials({}) : userCredentials(user, baseUrl, clock);
  return {
    baseUrl,
    ...(await readAuthority(cluster, credentials, clock)),
    ...(context.namespace === undefined ? {} : { namespace: context.namespace }),
  };
}

/** An entry with the file it stands in: relative paths start there. */
interface Placed<E> {
  readonly entry: E;
  readonly file: string;
}

interface Selection {
  readonly context: ContextEntry;
  readonly cluster: Placed<ClusterEntry>;
  readonly user: Placed<UserEntry> | undefined;
}

function select(files: readonly KubeconfigFile[], wanted: string | undefined): Selection {
  const shown = files.map((file) => file.path).join(', ');
  const name = wanted ?? files.find((file) => file.currentContext !== undefined)?.currentContext;
  if (name === undefined)
    throw new KubeConfigError('missing-entry', `${shown}: no current-context is set, and none was asked for`);
  const context = find(files, 'contexts', name);
  if (context === undefined) {
    const known = files.flatMap((file) => [...file.contexts.keys()]).join(', ');
    throw new KubeConfigError(
      'missing-entry',
      `${shown}: there is no context ${JSON.stringify(name)} (there are: ${known})`,
    );
  }
  const cluster = find(files, 'clusters', context.entry.cluster);
  if (cluster === undefined) {
    throw new KubeConfigError(
      'missing-entry',
      `${shown}: context ${JSON.stringify(name)} names cluster ${JSON.stringify(context.entry.cluster)}, which is not there`,
    );
  }
  const userName = context.entry.user;
  const user = userName === undefined ? undefined : find(files, 'users', userName);
  if (userName !== undefined && user === undefined) {
    throw new KubeConfigError(
      'missing-entry',
      `${shown}: context ${JSON.stringify(name)} names user ${JSON.stringify(userName)}, which is not there`,
    );
  }
  return { context: context.entry, cluster, user };
}

function find<K extends 'contexts' | 'clusters' | 'users'>(
  files: readonly KubeconfigFile[],
  kind: K,
  name: string,
): Placed<EntryOf<K>> | undefined;
function find(
  files: readonly KubeconfigFile[],
  kind: 'contexts' | 'clusters' | 'users',
  name: string,
): Placed<unknown> | undefined {
  for (const file of files) {
    const entry = file[kind].get(name);
    if (entry !== undefined) return { entry, file: file.path };
  }
  return undefined;
}

type EntryOf<K extends 'contexts' | 'clusters' | 'users'> =
  KubeconfigFile[K] extends ReadonlyMap<string, infer E> ? E : never;

async function readAuthority(
  { entry, file }: Placed<ClusterEntry>,
  credentials: CredentialSource,
  clock: Clock,
): Promise<FollowedAuthority> {
  const { caData, caFile, insecure, serverName } = entry;
  if (insecure && (caData !== undefined || caFile !== undefined)) {
    throw new KubeConfigError(
      'malformed',
      `${file}: a cluster cannot have both a certificate authority and insecure-skip-tls-verify`,
    );
  }
  const fixed = { ...(insecure ? { insecure } : {}), ...(serverName === undefined ? {} : { serverName }) };
  const ca = textSource(caData, caFile, file, 'certificate-authority-data', clock);
  return ca === undefined ? { tls: fixed, credentials } : await followAuthority(ca, fixed, credentials);
}

function userCredentials({ entry, file }: Placed<UserEntry>, server: string, clock: Clock): CredentialSource {
  if (entry.impersonates)
    throw new KubeConfigError('unsupported', `${file}: users with "as" (impersonation) are not supported`);
  const sources: CredentialSource[] = [];
  if (entry.exec !== undefined || entry.authProvider !== undefined)
    sources.push(pluginCredentials(entry, server, file));
  const cert = textSource(entry.certData, entry.certFile, file, 'client-certificate-data', clock);
  const key = textSource(entry.keyData?.reveal(), entry.keyFile, file, 'client-key-data', clock);
  if ((cert === undefined) !== (key === undefined)) {
    throw new KubeConfigError('malformed', `${file}: a user needs both client-certificate and client-key, or neither`);
  }
  if (cert !== undefined && key !== undefined) sources.push(certificateCredentials(cert, key));
  const fixed = fixedParts(entry);
  if (fixed !== undefined) sources.push(fixedCredentials(fixed));
  // The file wins over a token given in place: it is the one that is rotated.
  if (entry.tokenFile !== undefined) sources.push(tokenFileCredentials(beside(file, entry.tokenFile), clock));
  return combinedCredentials(sources);
}

function fixedParts(entry: UserEntry): Credentials | undefined {
  if (entry.token !== undefined) return { token: entry.token };
  if (entry.username === undefined) return undefined;
  return { basic: { username: entry.username, password: entry.password ?? new Secret('') } };
}

/** Inline data wins over a file, as in kubectl. */
function textSource(
  data: string | undefined,
  path: string | undefined,
  file: string,
  field: string,
  clock: Clock,
): TextSource | undefined {
  if (data !== undefined) return fixedText(new Secret(decodePem(data, `${file}: ${field}`)));
  return path === undefined ? undefined : new RotatingFile(beside(file, path), clock);
}

function decodePem(base64: string, where: string): string {
  const text = Buffer.from(base64, 'base64').toString('utf8');
  if (text.includes('-----BEGIN ')) return text;
  throw new KubeConfigError('malformed', `${where} must be base64 of a PEM text`);
}

/** Of several files some may be missing, as in kubectl; of one, it must be there. */
async function readConfigFiles(paths: readonly string[]): Promise<readonly KubeconfigFile[]> {
  const present = paths.length > 1 ? paths.filter((path) => existsSync(path)) : paths;
  return await Promise.all(present.map(async (path) => parseKubeconfig(await readText(path), path)));
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
    throw new KubeConfigError(
      'unreadable',
      `${path} cannot be read: ${typeof code === 'string' ? code : 'unknown error'}`,
      error,
    );
  }
}

function beside(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(file), path);
}
