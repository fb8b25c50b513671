import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createCertificateAuthority } from '@canal/certificate';

import { type RunningProgram, startProgram } from './child-process.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { programPath } from './programs.ts';
import { seededName, seededNode } from './seeded-node.ts';

/** A kube-apiserver with its etcd on loopback: RBAC, TLS, service account tokens; no nodes. */
export interface RealApiServer {
  readonly port: number;
  readonly url: string;
  /** Authority of the server's certificate, PEM. */
  readonly ca: string;
  /** Bearer token of a member of `system:masters`. */
  readonly adminToken: string;
  /** Sends a request with the administrator's token. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** Starts the API server again on the same port, and resolves when it is ready. */
  startApiServer(): Promise<void>;
  /** SIGKILL: as when its host goes. etcd stays. */
  killApiServer(): Promise<void>;
  /** Drops all history from etcd up to now. The API server's watch cache still has what it saw. */
  compactEtcd(): Promise<void>;
  /** Writes Node objects past the API server, which would take a minute for 5,000: as many as in a large cluster. */
  seedNodes(count: number): Promise<void>;
  /** Lists and watches of nodes that the API server has served since it was started. */
  nodeRequests(): Promise<{ readonly lists: number; readonly watches: number }>;
  /** Starts the controller that empties namespaces which are being deleted. */
  startNamespaceController(): Promise<void>;
  /** Ends all programs and removes their files. */
  close(): Promise<void>;
}

export interface RealApiServerOptions {
  /** Resources that are watched in etcd itself, not in the API server's cache: a forgotten version shows at once. */
  readonly uncached?: readonly string[];
}

export async function startRealApiServer(options: RealApiServerOptions = {}): Promise<RealApiServer> {
  const directory = mkdtempSync(join(tmpdir(), `canal-api-${String(process.pid)}-`));
  const ports = await freePorts();
  const server = new LoopbackApiServer(directory, ports, options);
  try {
    await server.startEtcd();
    await server.startApiServer();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

class LoopbackApiServer implements RealApiServer {
  readonly port: number;
  readonly url: string;
  readonly ca: string;
  readonly adminToken = 'admin-of-the-test';
  readonly #directory: string;
  readonly #uncached: readonly string[];
  readonly #etcdUrl: string;
  readonly #peerUrl: string;
  #etcd: RunningProgram | undefined;
  #apiServer: RunningProgram | undefined;
  #controllers: RunningProgram | undefined;

  constructor(
    directory: string,
    [port, clientPort, peerPort]: readonly [number, number, number],
    { uncached = [] }: RealApiServerOptions,
  ) {
    this.#directory = directory;
    this.#uncached = uncached;
    this.port = port;
    this.url = `https://127.0.0.1:${String(port)}`;
    this.#etcdUrl = `http://127.0.0.1:${String(clientPort)}`;
    this.#peerUrl = `http://127.0.0.1:${String(peerPort)}`;
    const authority = createCertificateAuthority();
    this.ca = authority.certPem;
    const { certPem, keyPem } = authority.issueServer({ hosts: ['127.0.0.1', 'kubernetes.default.svc'] });
    this.#write('server.crt', certPem);
    this.#write('server.key', keyPem);
    this.#write('tokens.csv', `${this.adminToken},admin,admin,"system:masters"\n`);
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#write('accounts.key', privateKey.export({ type: 'sec1', format: 'pem' }).toString());
    this.#write('accounts.pub', publicKey.export({ type: 'spki', format: 'pem' }).toString());
  }

  request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('Authorization', `Bearer ${this.adminToken}`);
    return fetch(`${this.url}${path}`, { ...init, headers, tls: { ca: this.ca } });
  }

  async startEtcd(): Promise<void> {
    const argv = [
      await programPath('etcd'),
      `--data-dir=${join(this.#directory, 'etcd')}`,
      `--listen-client-urls=${this.#etcdUrl}`,
      `--advertise-client-urls=${this.#etcdUrl}`,
      `--listen-peer-urls=${this.#peerUrl}`,
      `--initial-advertise-peer-urls=${this.#peerUrl}`,
      `--initial-cluster=default=${this.#peerUrl}`,
      // Its files are removed at the end of the test.
      '--unsafe-no-fsync',
      '--log-level=warn',
    ];
    this.#etcd = startProgram('etcd', argv, join(this.#directory, 'etcd.log'));
    await untilReady(this.#etcd, () => fetch(`${this.#etcdUrl}/health`));
  }

  async startApiServer(): Promise<void> {
    const file = (name: string): string => join(this.#directory, name);
    const argv = [
      await programPath('kube-apiserver'),
      `--etcd-servers=${this.#etcdUrl}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${String(this.port)}`,
      `--tls-cert-file=${file('server.crt')}`,
      `--tls-private-key-file=${file('server.key')}`,
      `--token-auth-file=${file('tokens.csv')}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-signing-key-file=${file('accounts.key')}`,
      `--service-account-key-file=${file('accounts.pub')}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      // A loopback address may not be in the endpoints of the kubernetes Service.
      '--endpoint-reconciler-type=none',
      ...this.#uncached.map((resource) => `--watch-cache-sizes=${resource}#0`),
      '--profiling=false',
    ];
    this.#apiServer = startProgram('kube-apiserver', argv, file('apiserver.log'));
    await untilReady(this.#apiServer, () => this.request('/readyz'));
  }

  async seedNodes(count: number): Promise<void> {
    for (let first = 0; first < count; first += NODES_PER_WRITE) {
      const indices = Array.from({ length: Math.min(NODES_PER_WRITE, count - first) }, (_, offset) => first + offset);
      const success = indices.map((index) => ({
        requestPut: { key: base64(`/registry/minions/${seededName(index)}`), value: base64(seededNode(index)) },
      }));
      await this.#etcdCall('/v3/kv/txn', { success });
    }
  }

  async nodeRequests(): Promise<{ readonly lists: number; readonly watches: number }> {
    const text = await (await this.request('/metrics')).text();
    const count = (verb: string): number =>
      text
        .split('\n')
        .filter((line) => line.startsWith('apiserver_request_total{') && line.includes(`verb="${verb}"`))
        .filter((line) => line.includes('resource="nodes"') && line.includes('scope="cluster"'))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    return { lists: count('LIST'), watches: count('WATCH') };
  }

  async startNamespaceController(): Promise<void> {
    const kubeconfig = join(this.#directory, 'kubeconfig');
    writeFileSync(kubeconfig, kubeconfigText(this), { mode: 0o600 });
    const argv = [
      await programPath('kube-controller-manager'),
      `--kubeconfig=${kubeconfig}`,
      '--controllers=namespace-controller',
      '--leader-elect=false',
      '--secure-port=0',
    ];
    this.#controllers = startProgram('kube-controller-manager', argv, join(this.#directory, 'controllers.log'));
  }

  async killApiServer(): Promise<void> {
    await this.#apiServer?.stop('SIGKILL');
  }

  async compactEtcd(): Promise<void> {
    const { header } = await this.#etcdCall('/v3/kv/range', { key: 'AA==' });
    await this.#etcdCall('/v3/kv/compaction', { revision: revisionOf(header), physical: true });
  }

  async close(): Promise<void> {
    await this.#controllers?.stop('SIGKILL');
    await this.#apiServer?.stop('SIGKILL');
    await this.#etcd?.stop('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.#directory, name), text, { mode: 0o600 });
  }

  /** The JSON gateway of etcd: 64-bit numbers are strings, bytes are base64. */
  async #etcdCall(path: string, body: object): Promise<{ header?: unknown }> {
    const response = await fetch(`${this.#etcdUrl}${path}`, { method: 'POST', body: JSON.stringify(body) });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`etcd ${path}: ${String(response.status)} ${JSON.stringify(answer)}`);
    return typeof answer === 'object' && answer !== null ? answer : {};
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function revisionOf(header: unknown): string {
  const revision: unknown = typeof header === 'object' && header !== null ? Reflect.get(header, 'revision') : undefined;
  if (typeof revision !== 'string') throw new Error(`etcd gave no revision: ${JSON.stringify(header)}`);
  return revision;
}

/** Asks until the answer is 200; a program that ended, or is not ready in a minute, is an error with what it wrote. */
async function untilReady(program: RunningProgram, ask: () => Promise<Response>): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline) {
    if (!program.running) throw new Error(`${program.name} ended while it started:\n${program.output()}`);
    const status = await ask().then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${program.name} is not ready after ${String(READY_MS / 1000)} s:\n${program.output()}`);
}

/** Three ports of 127.0.0.1 that nobody listens on now. */
async function freePorts(): Promise<readonly [number, number, number]> {
  const servers = await Promise.all([openPort(), openPort(), openPort()]);
  for (const { close } of servers) close();
  const [a, b, c] = servers;
  return [a.port, b.port, c.port];
}

function openPort(): Promise<{ readonly port: number; readonly close: () => void }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : 0,
        close: () => server.close(),
      });
    });
  });
}

const READY_MS = 60_000;

/** etcd takes 128 operations and 1.5 MB at once. */
const NODES_PER_WRITE = 100;
