/**
 * The one request that a connection of the node API carries, as RFC 9112 has it, cut down to what clients of it send: a
 * POST with a Content-Length. Everything else is refused rather than guessed at.
 */
import { MAX_REQUEST_BYTES } from '@canal/agent-protocol';

/** A service account's token has a thousand bytes. */
const MAX_HEAD_BYTES = 8_192;
export const NODE_API_PATH = '/v1/ask';
const END_OF_HEAD = '\r\n\r\n';

export interface HttpRequest {
  /** Of `Authorization: Bearer`. */
  readonly token: string | undefined;
  readonly body: string;
}

export interface HttpRefusal {
  readonly status: 400 | 404 | 405 | 411 | 413 | 431;
  readonly message: string;
}

interface Head {
  readonly token: string | undefined;
  readonly bodyBytes: number;
}

export class HttpRequestReader {
  #start: Buffer = Buffer.alloc(0);
  #head: Head | undefined;
  readonly #body: Buffer[] = [];
  #bodyBytes = 0;

  /** Undefined: it is not whole yet. What follows it is passed over. The bytes may be used again afterwards. */
  push(chunk: Uint8Array): HttpRequest | HttpRefusal | undefined {
    if (this.#head !== undefined) return this.#pushBody(this.#head, chunk);
    this.#start = Buffer.concat([this.#start, chunk]);
    const end = this.#start.subarray(0, MAX_HEAD_BYTES).indexOf(END_OF_HEAD);
    if (end < 0) return this.#start.length < MAX_HEAD_BYTES ? undefined : TOO_LONG_HEAD;
    const head = readHead(this.#start.toString('latin1', 0, end));
    if ('status' in head) return head;
    this.#head = head;
    return this.#pushBody(head, this.#start.subarray(end + END_OF_HEAD.length));
  }

  /** Joined once: a client may send byte by byte. */
  #pushBody({ token, bodyBytes }: Head, chunk: Uint8Array): HttpRequest | undefined {
    this.#body.push(Buffer.from(chunk));
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes < bodyBytes) return undefined;
    return { token, body: Buffer.concat(this.#body).toString('utf8', 0, bodyBytes) };
  }
}

const TOO_LONG_HEAD: HttpRefusal = { status: 431, message: `the head is longer than ${MAX_HEAD_BYTES} bytes` };

function readHead(text: string): Head | HttpRefusal {
  const [requestLine = '', ...lines] = text.split('\r\n');
  const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(requestLine) ?? [];
  if (method === undefined || target === undefined) return { status: 400, message: 'expected a request of HTTP/1.1' };
  if (target !== NODE_API_PATH) return { status: 404, message: `expected ${NODE_API_PATH}` };
  if (method !== 'POST') return { status: 405, message: 'expected POST' };
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined)
      return { status: 400, message: 'a field of the head cannot be read' };
    // Which of two would count is what attacks on proxies are made of.
    if (fields.has(name.toLowerCase())) return { status: 400, message: 'a field of the head is there twice' };
    fields.set(name.toLowerCase(), value);
  }
  const length = fields.get('content-length');
  if (length === undefined || fields.has('transfer-encoding'))
    return { status: 411, message: 'expected Content-Length' };
  if (!/^\d{1,10}$/.test(length)) return { status: 400, message: 'Content-Length: expected a number of bytes' };
  const bodyBytes = Number(length);
  if (bodyBytes > MAX_REQUEST_BYTES) {
    return { status: 413, message: `the body is longer than ${MAX_REQUEST_BYTES} bytes` };
  }
  return { token: /^Bearer +(\S+)$/i.exec(fields.get('authorization') ?? '')?.[1], bodyBytes };
}
