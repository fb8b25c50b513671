/** Where this node's questions are answered: its unix socket, and TLS for the admin API. Each by its option. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeNetworkQuestion, type NetworkQuestion, POLICY_AUTHORITY_FILE } from '@canal/agent-protocol';
import type { FlanneldConfig } from '@canal/config';
import {
  createNodeCertificate,
  createTokenGate,
  readAuthorities,
  type RequestHandler,
  serveNodeApi,
  serveSocket,
} from '@canal/node-api';
import { watchDirectoryOf } from '@canal/node-state';
import type { Clock, Counter, Logger } from '@canal/runtime-port';
import type { ProblemLog } from '@canal/telemetry';

export interface NodeServiceDeps {
  readonly handle: RequestHandler<NetworkQuestion>;
  readonly nodeName: string;
  /** The user that a token stands for, made for the node API. */
  readonly tokenUser: (token: string, signal: AbortSignal) => Promise<string | undefined>;
  readonly peerUid: (fd: number) => number;
  readonly onAuthorityChange: () => void;
  readonly requests: Counter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly problems: Pick<ProblemLog, 'update'>;
}

export interface NodeService {
  /** PEM of those that have signed what this node's agents show; undefined: there is no node API. */
  authority(): string | undefined;
  readonly loops: Readonly<Record<string, Promise<void>>>;
}

type Options = Pick<FlanneldConfig, 'nodeSocket' | 'nodeApi' | 'policySocket'>;

export function startNodeService(
  deps: NodeServiceDeps,
  { nodeSocket, nodeApi, policySocket }: Options,
  signal: AbortSignal,
): NodeService {
  const { handle, nodeName, tokenUser, clock, log, requests, onAuthorityChange } = deps;
  const onRequest = (op: string, outcome: string): void => requests.inc({ op, outcome });
  const decode = decodeNetworkQuestion;
  let told = '';
  const certificate = nodeApi && createNodeCertificate(nodeName);
  const others = policySocket === undefined ? undefined : join(dirname(policySocket), POLICY_AUTHORITY_FILE);
  if (nodeApi !== undefined && others !== undefined) watchDirectoryOf(others, log, onAuthorityChange, signal);
  const socket =
    nodeSocket &&
    serveSocket({ ...deps, path: nodeSocket, words: WORDS, decode, isFollowed: never, onRequest }, signal);
  const api =
    nodeApi &&
    certificate &&
    serveNodeApi(
      {
        ...deps,
        port: nodeApi.port,
        certificate,
        decode,
        handle,
        authenticate: createTokenGate({
          clock,
          review: async (token, until) => (await tokenUser(token, until)) === nodeApi.user,
        }),
        onRequest,
      },
      signal,
    );
  return {
    authority() {
      if (certificate === undefined || others === undefined) return certificate?.authority;
      // The policy agent's own. There is none while it shows nothing.
      const found = readAuthorities(textOf(others));
      const problem = found.ok || !existsSync(others) ? '' : found.error;
      if (problem !== told && problem !== '')
        log.warn({ path: others, problem }, 'the policy agent’s authority is unreadable');
      told = problem;
      return certificate.authority + (found.ok ? found.value : '');
    },
    loops: { ...(socket && { socket }), ...(api && { nodeApi: api }) },
  };
}

const WORDS = {
  flag: '--node-socket',
  agent: 'node agent',
  served: 'answering root',
  loss: 'canalctl and the admin API of a lab know nothing of this node meanwhile',
  event: 'NodeSocketNotServed',
};

function never(): boolean {
  return false;
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
