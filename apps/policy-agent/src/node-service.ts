/** Where the agent is asked: its unix socket for the CNI plugin and root, and TLS for the admin API by its option. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AgentRequest, decodePolicyQuestion, decodeRequest, POLICY_AUTHORITY_FILE } from '@canal/agent-protocol';
import type { PolicyAgentConfig } from '@canal/config';
import {
  createNodeCertificate,
  createTokenGate,
  type RequestHandler,
  serveNodeApi,
  serveSocket,
} from '@canal/node-api';
import { writeFileAtomic } from '@canal/node-state';
import type { Clock, Counter, Logger } from '@canal/runtime-port';
import type { ProblemLog } from '@canal/telemetry';

export interface NodeServiceDeps {
  readonly handle: RequestHandler<AgentRequest>;
  readonly nodeName: string;
  /** The user that a token stands for, made for the node API. */
  readonly tokenUser: (token: string, signal: AbortSignal) => Promise<string | undefined>;
  readonly peerUid: (fd: number) => number;
  readonly requests: Counter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly problems: Pick<ProblemLog, 'update'>;
}

type Options = Pick<PolicyAgentConfig, 'socket' | 'nodeApi'>;

/** The problem that no pod can be added for. */
export const NOT_SERVED = 'SocketNotServed';

const WORDS = {
  flag: '--socket',
  agent: 'policy agent',
  served: 'answering the CNI plugin',
  loss: 'Pods cannot be added meanwhile',
  event: NOT_SERVED,
};

const FILE_CHECK_MS = 10_000;

/** Loops that end with the signal. */
export function startNodeService(
  deps: NodeServiceDeps,
  { socket: path, nodeApi }: Options,
  signal: AbortSignal,
): Readonly<Record<string, Promise<void>>> {
  const { handle, nodeName, tokenUser, requests, clock, log } = deps;
  const onRequest = (op: string, outcome: string): void => requests.inc({ op, outcome });
  const isFollowed = (request: AgentRequest): boolean => request.op === 'flows' && request.follow;
  const socket = serveSocket({ ...deps, path, words: WORDS, decode: decodeRequest, isFollowed, onRequest }, signal);
  const file = join(dirname(path), POLICY_AUTHORITY_FILE);
  if (nodeApi === undefined) {
    rmSync(file, { force: true });
    return { socket };
  }
  const certificate = createNodeCertificate(nodeName);
  const authenticate = createTokenGate({
    clock,
    review: async (token, until) => (await tokenUser(token, until)) === nodeApi.user,
  });
  const api = {
    ...deps,
    handle,
    port: nodeApi.port,
    certificate,
    decode: decodePolicyQuestion,
    authenticate,
    onRequest,
  };
  return {
    socket,
    nodeApi: serveNodeApi(api, signal),
    authority: keepFile(file, certificate.authority, { clock, log }, signal),
  };
}

/** The node agent publishes what it finds there. */
async function keepFile(
  path: string,
  text: string,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const directory = dirname(path);
  let told = '';
  while (!signal.aborted) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
        writeFileAtomic(directory, POLICY_AUTHORITY_FILE, text, { mode: 0o600, survives: 'process' });
      }
      told = '';
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (problem !== told) log.warn({ path, error }, 'the authority for the node API cannot be written');
      told = problem;
    }
    await clock.sleep(FILE_CHECK_MS, signal).catch(() => undefined);
  }
}
