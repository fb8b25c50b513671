/** Requests over TLS, on connections that are kept. */
import { Agent, request as httpsRequest } from 'node:https';
import type { ApiAnswer, ApiRequest, SendRequest } from './api-exchange.ts';

export interface HttpsTarget {
  /** `https://127.0.0.1:9443`. */
  readonly address: string;
  /** PEM of the authority that its certificate is of. */
  readonly ca: string;
  readonly timeoutMs: number;
}

export interface HttpsExchange extends Disposable {
  readonly send: SendRequest;
}

/** A stream is left this long after its first bytes. */
const STREAM_MS = 200;

export function openHttpsExchange({ address, ca, timeoutMs }: HttpsTarget): HttpsExchange {
  const agent = new Agent({ keepAlive: true, ca });
  const { hostname, port } = new URL(address);
  return {
    send: (request) => exchange({ hostname, port, agent, ca, timeoutMs }, request),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

interface Connecting {
  readonly hostname: string;
  readonly port: string;
  readonly agent: Agent;
  readonly ca: string;
  readonly timeoutMs: number;
}

async function exchange(
  { timeoutMs, ...target }: Connecting,
  { method, path, headers, body, isStream = false }: ApiRequest,
): Promise<ApiAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const length = bytes === undefined ? {} : { 'content-length': String(bytes.length) };
  const request = httpsRequest({ ...target, method, path, headers: { ...headers, ...length } }, (response) => {
    const chunks: Buffer[] = [];
    const answer = (): ApiAnswer => ({
      status: response.statusCode ?? 0,
      headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
      text: Buffer.concat(chunks).toString('utf8'),
    });
    const isOpen = isStream && response.statusCode === 200;
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (!isOpen || chunks.length > 1) return;
      setTimeout(() => {
        resolve(answer());
        request.destroy();
      }, STREAM_MS);
    });
    response.on('end', () => resolve(answer()));
    response.on('error', reject);
  });
  request.on('error', reject);
  const late = setTimeout(() => {
    reject(new Error(`${method} ${path} was not answered within ${timeoutMs} ms`));
    request.destroy();
  }, timeoutMs);
  request.end(bytes);
  try {
    return await promise;
  } finally {
    clearTimeout(late);
  }
}
