import { basename, dirname } from 'node:path';
import { writeFileAtomic } from '@canal/node-state';
import { readApiReady } from './api-server.ts';
import { type LabContext } from './lab-context.ts';
import { LabError } from './lab-error.ts';
import { logTail } from './log-tail.ts';
import { renderKubeconfig } from './node-files.ts';
import { isAlive, type LabProcess, startProcess } from './processes.ts';
import { waitFor } from './wait.ts';

export const API_ROLE = 'api-server';

const API_TIMEOUT_MS = 15_000;

/** Starts the API server unless it runs, and waits until it listens. `running` are the lab's living processes. */
export async function ensureApi(context: LabContext, running: readonly LabProcess[]): Promise<void> {
  const { paths, options, state } = context;
  const current = running.find((one) => one.role === API_ROLE);
  // Of a server that runs but has not said so the start was cut off before that: it will say so.
  const server =
    current ??
    startProcess({
      labId: state.id,
      role: API_ROLE,
      argv: [options.binary, 'canalctl', 'lab', 'serve', '--name', state.spec.name, '--state-root', options.stateRoot],
      env: {},
      logPath: paths.api.log,
    });
  const ready = await waitFor('the API server', { timeoutMs: API_TIMEOUT_MS, signal: options.signal }, () => {
    const answer = readApiReady(paths);
    if (answer?.pid === server.pid) return answer;
    if (isAlive(server)) return undefined;
    throw new LabError('failed', `the API server has ended\n${logTail(paths.api.log)}`);
  });
  const kubeconfig = renderKubeconfig({
    lab: state.spec.name,
    server: `https://127.0.0.1:${ready.hostPort}`,
    ca: context.secrets.ca,
    token: context.secrets.adminToken,
  });
  writeFileAtomic(dirname(paths.kubeconfig), basename(paths.kubeconfig), kubeconfig, {
    mode: 0o600,
    survives: 'process',
  });
}
