/**
 * The lab's control plane: one process with the embedded API server, reached by the nodes over the underlay, by the
 * lab's own commands over a unix socket, and by kubectl over the host's loopback.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { formatIp } from 'net-types';
import { createCertificateAuthority } from '@canal/certificate';
import { createEmbeddedServer, type Listener } from '@canal/store-embedded';
import { writeFileAtomic } from '@canal/node-state';
import { type LabPaths } from './lab-paths.ts';
import { inNamespace } from './namespaces.ts';
import { API_PORT, type LabTopology } from './topology.ts';
import { readJson, stringField, numberField } from './json-file.ts';

/** Written by the command that makes the lab, read by the server and by everybody who talks to it. */
export interface ApiSecrets {
  /** PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly adminToken: string;
  readonly agentToken: string;
}

/** What the server tells once it listens everywhere. */
export interface ApiReady {
  /** Of the server that listens. */
  readonly pid: number;
  /** On 127.0.0.1 of the host. */
  readonly hostPort: number;
}

const TOKEN_BYTES = 32;

/** New authority, certificate and tokens for a lab; the authority's key is not kept. */
export function createApiSecrets(topology: LabTopology): ApiSecrets {
  const authority = createCertificateAuthority({ commonName: 'canal lab' });
  const addresses = topology.segments.flatMap((segment) => segment.gateways.map(({ ip }) => formatIp(ip)));
  const server = authority.issueServer({ hosts: ['localhost', '127.0.0.1', ...addresses] });
  const token = (): string => randomBytes(TOKEN_BYTES).toString('base64url');
  return { ca: authority.certPem, cert: server.certPem, key: server.keyPem, adminToken: token(), agentToken: token() };
}

export function writeApiSecrets(paths: LabPaths, secrets: ApiSecrets): void {
  mkdirSync(paths.api.root, { recursive: true, mode: 0o700 });
  writeFileAtomic(paths.api.root, 'secrets.json', JSON.stringify(secrets), { mode: 0o600, survives: 'process' });
}

export function readApiSecrets(paths: LabPaths): ApiSecrets | undefined {
  const value = readJson(paths.api.secrets);
  if (value === undefined) return undefined;
  const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => stringField(value, name));
  const [adminToken, agentToken] = ['adminToken', 'agentToken'].map((name) => stringField(value, name));
  if (!ca || !cert || !key || !adminToken || !agentToken) return undefined;
  return { ca, cert, key, adminToken, agentToken };
}

export function readApiReady(paths: LabPaths): ApiReady | undefined {
  const value = readJson(paths.api.ready);
  const [pid, hostPort] = [numberField(value, 'pid'), numberField(value, 'hostPort')];
  return pid === undefined || hostPort === undefined ? undefined : { pid, hostPort };
}

export interface ServeOptions {
  readonly paths: LabPaths;
  readonly topology: LabTopology;
  readonly signal: AbortSignal;
}

/** Serves until the signal aborts. Runs in the process that `lab up` starts for it, as root. */
export async function serveApi({ paths, topology, signal }: ServeOptions): Promise<void> {
  const secrets = readApiSecrets(paths);
  if (secrets === undefined) throw new Error(`${paths.api.secrets} is missing or not what "lab up" writes`);
  const server = createEmbeddedServer({
    dbPath: paths.api.database,
    tokens: [
      { token: secrets.adminToken, user: 'lab-admin', groups: ['system:masters'] },
      { token: secrets.agentToken, user: 'system:serviceaccount:canal-system:canal' },
    ],
  });
  const tls = { cert: secrets.cert, key: secrets.key };
  rmSync(paths.api.socket, { force: true });
  server.listen({ unix: paths.api.socket });
  // A socket belongs to the namespace it was made in, whatever the process does afterwards.
  inNamespace(topology.underlayNamespace, () => {
    server.listen({ hostname: listenAddress(topology), port: API_PORT, tls });
  });
  const host = listenOnHost(
    (port) => server.listen({ hostname: '127.0.0.1', port, tls }),
    readApiReady(paths)?.hostPort,
  );
  writeFileAtomic(paths.api.root, 'ready.json', JSON.stringify({ pid: process.pid, hostPort: host.port }), {
    mode: 0o600,
    survives: 'process',
  });
  await aborted(signal);
  await server.close();
}

/** The port of an earlier run when it is still free, so that a kubeconfig stays right over a restart. */
function listenOnHost(listen: (port: number) => Listener, earlier: number | undefined): Listener {
  if (earlier !== undefined) {
    try {
      return listen(earlier);
    } catch {
      // Somebody else has it now; the kubeconfig is written anew.
    }
  }
  return listen(0);
}

/** All addresses of the underlay namespace; `::` takes IPv4 as well. */
function listenAddress(topology: LabTopology): string {
  return topology.podNetworks.some(({ ip }) => typeof ip === 'bigint') ? '::' : '0.0.0.0';
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
