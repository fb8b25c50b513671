import { LineCounter, parseDocument } from 'yaml';

import { KubeConfigError } from './connection-error.ts';
import { Secret } from './secret.ts';

/** One kubeconfig file as far as it is used here, with credentials wrapped at once. File paths are as written. */
export interface KubeconfigFile {
  readonly path: string;
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, ClusterEntry>;
  readonly users: ReadonlyMap<string, UserEntry>;
  readonly contexts: ReadonlyMap<string, ContextEntry>;
}

export interface ClusterEntry {
  readonly server: string;
  readonly caFile: string | undefined;
  /** Base64 of PEM. */
  readonly caData: string | undefined;
  readonly insecure: boolean;
  readonly serverName: string | undefined;
  readonly proxyUrl: string | undefined;
}

export interface UserEntry {
  readonly certFile: string | undefined;
  readonly certData: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyData: Secret | undefined;
  readonly token: Secret | undefined;
  readonly tokenFile: string | undefined;
  readonly username: string | undefined;
  readonly password: Secret | undefined;
  readonly impersonates: boolean;
  readonly exec: ExecEntry | undefined;
  /** Legacy providers (oidc, gcp, …), handed to the Kubernetes client as they are. */
  readonly authProvider: Secret | undefined;
}

export interface ExecEntry {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: Secret }[];
  readonly apiVersion: string | undefined;
  readonly installHint: string | undefined;
}

export interface ContextEntry {
  readonly cluster: string;
  readonly user: string | undefined;
  readonly namespace: string | undefined;
}

/** Reads YAML or JSON text. Messages carry line numbers and field names, never the text itself. */
export function parseKubeconfig(text: string, path: string): KubeconfigFile {
  const lines = new LineCounter();
  // Pretty errors would quote the line, which may hold a token.
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line } = lines.linePos(problem.pos[0]);
    throw new KubeConfigError('malformed', `${path}: line ${String(line)} is not YAML (${problem.code})`);
  }
  const root = new Fields(toPlain(document, path), path, '');
  return {
    path,
    currentContext: root.text('current-context'),
    clusters: root.named('clusters', 'cluster', readCluster),
    users: root.named('users', 'user', readUser),
    contexts: root.named('contexts', 'context', readContext),
  };
}

function toPlain(document: ReturnType<typeof parseDocument>, path: string): unknown {
  try {
    return document.toJS();
  } catch {
    // An alias bomb or an alias without anchor; the library's text may quote the document.
    throw new KubeConfigError('malformed', `${path}: the YAML cannot be resolved`);
  }
}

function readCluster(fields: Fields): ClusterEntry {
  const server = fields.text('server');
  if (server === undefined) throw fields.malformed('server', 'the URL of the API server');
  return {
    server,
    caFile: fields.text('certificate-authority'),
    caData: fields.text('certificate-authority-data'),
    insecure: fields.flag('insecure-skip-tls-verify'),
    serverName: fields.text('tls-server-name'),
    proxyUrl: fields.text('proxy-url'),
  };
}

function readUser(fields: Fields): UserEntry {
  const provider = fields.value('auth-provider');
  return {
    certFile: fields.text('client-certificate'),
    certData: fields.text('client-certificate-data'),
    keyFile: fields.text('client-key'),
    keyData: fields.secret('client-key-data'),
    token: fields.secret('token'),
    tokenFile: fields.text('tokenFile'),
    username: fields.text('username'),
    password: fields.secret('password'),
    impersonates: ['as', 'as-uid', 'as-groups', 'as-user-extra'].some((name) => fields.value(name) !== undefined),
    exec: fields.value('exec') === undefined ? undefined : readExec(fields.child('exec')),
    authProvider: provider === undefined ? undefined : new Secret(JSON.stringify(provider)),
  };
}

function readExec(fields: Fields): ExecEntry {
  const command = fields.text('command');
  if (command === undefined) throw fields.malformed('command', 'the program to run');
  return {
    command,
    args: fields.list('args').map((arg, index) => {
      if (typeof arg !== 'string') throw fields.malformed(`args[${String(index)}]`, 'a string');
      return arg;
    }),
    env: fields.list('env').map((_, index) => readEnv(fields.child('env', index))),
    apiVersion: fields.text('apiVersion'),
    installHint: fields.text('installHint'),
  };
}

function readEnv(fields: Fields): { readonly name: string; readonly value: Secret } {
  const name = fields.text('name');
  if (name === undefined) throw fields.malformed('name', 'the name of a variable');
  return { name, value: fields.secret('value') ?? new Secret('') };
}

function readContext(fields: Fields): ContextEntry {
  const cluster = fields.text('cluster');
  if (cluster === undefined) throw fields.malformed('cluster', 'the name of a cluster');
  return { cluster, user: fields.text('user'), namespace: fields.text('namespace') };
}

/** Typed access to one mapping; every complaint names file and path. */
class Fields {
  readonly #record: Readonly<Record<string, unknown>>;
  readonly #file: string;
  readonly #path: string;

  constructor(value: unknown, file: string, path: string) {
    this.#file = file;
    this.#path = path;
    if (value === null || value === undefined) this.#record = {};
    else if (isRecord(value)) this.#record = value;
    else throw new KubeConfigError('malformed', `${file}: ${path === '' ? 'the document' : path} must be a mapping`);
  }

  value(name: string): unknown {
    return this.#record[name] ?? undefined;
  }

  /** A non-empty string, or undefined. */
  text(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw this.malformed(name, 'a string');
    return value;
  }

  secret(name: string): Secret | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : new Secret(text);
  }

  flag(name: string): boolean {
    const value = this.value(name);
    if (value === undefined) return false;
    if (typeof value !== 'boolean') throw this.malformed(name, 'true or false');
    return value;
  }

  list(name: string): readonly unknown[] {
    const value = this.value(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.malformed(name, 'a list');
    return value;
  }

  child(name: string, index?: number): Fields {
    const value = index === undefined ? this.value(name) : this.list(name)[index];
    return new Fields(value, this.#file, this.#at(index === undefined ? name : `${name}[${String(index)}]`));
  }

  /** A list of `{name, <member>: …}`, by name; the first of equal names counts, as in kubectl. */
  named<E>(list: string, member: string, read: (fields: Fields) => E): ReadonlyMap<string, E> {
    const entries = new Map<string, E>();
    this.list(list).forEach((_, index) => {
      const item = this.child(list, index);
      const name = item.text('name');
      if (name === undefined) throw item.malformed('name', 'a name');
      if (!entries.has(name)) entries.set(name, read(item.child(member)));
    });
    return entries;
  }

  malformed(name: string, expected: string): KubeConfigError {
    return new KubeConfigError('malformed', `${this.#file}: ${this.#at(name)} must be ${expected}`);
  }

  #at(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
