/** Agents on the nodes of a cluster, over TLS: only what the node's own authority has signed for the node is spoken to. */
import { readAuthorities } from './authorities.ts';
import { NODE_API_PATH } from './http-request.ts';
import { type AgentName, NodeApiError } from './node-api.ts';
import type { NodeTransport } from './node-client.ts';

/** Where a node is, and what its Node object says of its certificates. */
export interface NodeAddress {
  /** IP address. */
  readonly address: string;
  /** PEM of one authority or more. */
  readonly authority: string;
}

export interface TlsTransportDeps {
  /** Undefined: the node is not known, or has said nothing of its certificate. */
  readonly addressOf: (node: string) => NodeAddress | undefined;
  /** Shown to agents; asked anew for each question. */
  readonly token: (signal: AbortSignal) => Promise<string>;
  readonly ports?: Readonly<Record<AgentName, number>>;
}

export const NODE_API_PORTS: Readonly<Record<AgentName, number>> = { flanneld: 9098, 'policy-agent': 9099 };

const MAX_REFUSAL_CHARS = 200;

export function tlsTransport({ addressOf, token, ports = NODE_API_PORTS }: TlsTransportDeps): NodeTransport {
  return {
    hasHeartbeats: true,
    async ask(node, agent, line, signal) {
      const known = addressOf(node);
      if (known === undefined) {
        const message = `node ${node}: it has not published the authority of its certificates; does flanneld run there, with --node-api-port?`;
        throw new NodeApiError('unreachable', message);
      }
      // The runtime would take its own authorities in place of none.
      const authority = readAuthorities(known.authority);
      if (!authority.ok)
        throw new NodeApiError('unreachable', `node ${node}: the authority of its certificates: ${authority.error}`);
      const host = known.address.includes(':') ? `[${known.address}]` : known.address;
      const bearer = await token(signal);
      const response = await fetch(`https://${host}:${ports[agent]}${NODE_API_PATH}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' },
        body: line,
        signal,
        // A connection belongs to the node that it was checked for, and to one question.
        keepalive: false,
        // The limits are the caller's.
        timeout: false,
        redirect: 'error',
        decompress: false,
        tls: { ca: authority.value, serverName: node, rejectUnauthorized: true },
      }).catch((error: unknown) => {
        throw unreachable(error, `${agent} of node ${node}`);
      });
      if (response.status === 200 && response.body !== null) return response.body;
      throw await refusal(response, `${agent} of node ${node}`);
    },
  };
}

const NOT_THE_NODES: ReadonlySet<unknown> = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** The runtime's words name hosts and certificates, never headers. */
function unreachable(error: unknown, who: string): NodeApiError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reason = error instanceof Error ? error.message : String(error);
  if (!NOT_THE_NODES.has(code)) return new NodeApiError('unreachable', `${who}: ${reason}`);
  return new NodeApiError(
    'unreachable',
    `${who}: the certificate that it shows is not the node's (${String(code)}). It may have started anew a moment ago; ` +
      'if this lasts, another program has its address',
  );
}

async function refusal(response: Response, who: string): Promise<NodeApiError> {
  const { status } = response;
  const text = (await startOf(response)).trim();
  const message = `${who}: ${status}${text === '' ? '' : `: ${text}`}`;
  if (status === 401 || status === 403) return new NodeApiError('refused', message);
  return new NodeApiError(status === 503 ? 'unreachable' : 'unreadable', message);
}

/** Whoever answers there, no more of it is read. */
async function startOf(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= MAX_REFUSAL_CHARS) break;
  }
  return text.slice(0, MAX_REFUSAL_CHARS);
}
