/** A node's agent on loopback, as its own certificate names it. */
import type { NodeRequest } from '@canal/agent-protocol';
import { decodeNetworkQuestion, decodePolicyQuestion } from '@canal/agent-protocol';
import { type CertificateAuthority, createCertificateAuthority } from '@canal/certificate';
import type { Clock } from '@canal/runtime-port';
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import { createSystemClock } from '@canal/telemetry';
// eslint-disable-next-line @nx/enforce-module-boundaries -- of tests alone
import { type CapturedLogger, createCapturedLogger, waitFor } from '@canal/testing';
import type { RequestHandler } from '../request-handler.ts';
import { serveNodeApi } from '../tls-server.ts';
import type { Authenticate } from '../token-gate.ts';

export interface TlsNode {
  readonly port: number;
  readonly authority: string;
  readonly log: CapturedLogger;
  /** `op outcome` of each request. */
  readonly outcomes: readonly string[];
  stop(): Promise<void>;
}

export interface TlsNodeOptions {
  /** In the certificate. */
  readonly name: string;
  readonly handle: RequestHandler<NodeRequest>;
  readonly authenticate?: Authenticate;
  readonly clock?: Clock;
  readonly authority?: CertificateAuthority;
  readonly validDays?: number;
}

export async function startTlsNode(options: TlsNodeOptions): Promise<TlsNode> {
  const authority = options.authority ?? createCertificateAuthority({ commonName: 'node' });
  const { validDays } = options;
  const log = createCapturedLogger();
  const outcomes: string[] = [];
  const stop = new AbortController();
  const serving = serveNodeApi(
    {
      port: 0,
      certificate: authority.issueServer({ hosts: [options.name], ...(validDays !== undefined && { validDays }) }),
      decode: (line) => {
        const question = decodeNetworkQuestion(line);
        return question.ok ? question : decodePolicyQuestion(line);
      },
      handle: options.handle,
      authenticate: options.authenticate ?? ((token) => Promise.resolve(token === 'good')),
      clock: options.clock ?? createSystemClock(),
      log,
      problems: { update: () => undefined },
      onRequest: (op, outcome) => outcomes.push(`${op} ${outcome}`),
    },
    stop.signal,
  );
  const port = await waitFor('the listener', () => {
    const found = log.records.find(({ fields }) => 'port' in fields)?.fields['port'];
    return typeof found === 'number' ? found : undefined;
  });
  return {
    port,
    authority: authority.certPem,
    log,
    outcomes,
    stop: async () => {
      stop.abort();
      await serving;
    },
  };
}
