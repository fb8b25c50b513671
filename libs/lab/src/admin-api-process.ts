/** The admin API of a lab: on the host's loopback, with a token of its own; it asks the agents over their sockets. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { writeFileAtomic } from '@canal/node-state';
import { readApiReady } from './api-server.ts';
import { type LabContext } from './lab-context.ts';
import { LabError } from './lab-error.ts';
import { type LabPaths, nodePaths } from './lab-paths.ts';
import { logTail } from './log-tail.ts';
import { renderKubeconfig } from './node-files.ts';
import { isAlive, killProcesses, type LabProcess, startProcess } from './processes.ts';
import { type ProcessIdentity } from './proc-stat.ts';
import { waitFor } from './wait.ts';

export const ADMIN_API_ROLE = 'admin-api';

const TIMEOUT_MS = 15_000;
const TOKEN_BYTES = 32;
/** Stands for the node's name in the admin API's flags. */
const ANY_NODE = '{node}';

/**
 * Starts it unless it runs; one that talks to an earlier port of the API server is exchanged. The API server runs by now.
 * `running` are the lab's living processes.
 */
export async function ensureAdminApi(context: LabContext, running: readonly LabProcess[]): Promise<ProcessIdentity> {
  const { paths, options, state } = context;
  const files = paths.adminApi;
  mkdirSync(files.root, { recursive: true, mode: 0o700 });
  const kubeconfig = kubeconfigOf(context);
  const isCurrent = readText(files.kubeconfig) === kubeconfig;
  const current = running.find(({ role }) => role === ADMIN_API_ROLE);
  if (current !== undefined && isCurrent) return current;
  if (current !== undefined) await killProcesses([current]);
  const token = readText(files.token)?.trim() ?? randomBytes(TOKEN_BYTES).toString('base64url');
  write(files.tokens, `${token} lab-admin admin\n`);
  write(files.token, `${token}\n`);
  rmSync(files.address, { force: true });
  write(files.kubeconfig, kubeconfig);
  return startProcess({
    labId: state.id,
    role: ADMIN_API_ROLE,
    argv: [options.binary, 'admin-api', ...adminApiArguments(paths)],
    env: {},
    logPath: files.log,
  });
}

/** Waits until it serves. Throws LabError with the end of its log when it ends or says nothing. */
export async function awaitAdminApi({ paths, options }: LabContext, process: ProcessIdentity): Promise<void> {
  await waitFor('the admin API', { timeoutMs: TIMEOUT_MS, signal: options.signal }, () => {
    if (readText(paths.adminApi.address) !== undefined) return true;
    if (isAlive(process)) return undefined;
    throw new LabError('failed', `the admin API has ended\n${logTail(paths.adminApi.log)}`);
  });
}

/** URL at which it serves, or served last; undefined when it never did. */
export function readAdminApiAddress(paths: LabPaths): string | undefined {
  return readText(paths.adminApi.address)?.trim();
}

function kubeconfigOf({ paths, secrets, state }: LabContext): string {
  const port = readApiReady(paths)?.hostPort ?? 0;
  const server = `https://127.0.0.1:${port}`;
  return renderKubeconfig({ lab: state.spec.name, server, ca: secrets.ca, token: secrets.agentToken });
}

function adminApiArguments(paths: LabPaths): readonly string[] {
  const node = nodePaths(paths, ANY_NODE);
  const files = paths.adminApi;
  return [
    `--kubeconfig-file=${files.kubeconfig}`,
    '--listen-ip=127.0.0.1',
    '--listen-port=0',
    `--address-file=${files.address}`,
    '--tls-hosts=localhost,127.0.0.1',
    `--tls-authority-file=${files.authority}`,
    `--token-file=${files.tokens}`,
    `--flanneld-socket=${node.nodeSocket}`,
    `--policy-socket=${node.policySocket}`,
  ];
}

function write(path: string, text: string): void {
  writeFileAtomic(dirname(path), basename(path), text, { mode: 0o600, survives: 'process' });
}

/** Undefined when there is no such file. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
