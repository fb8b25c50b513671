import { badRequest, tooLarge, unsupportedMediaType } from './api-error.ts';
import { inspectJsonText } from './json-text.ts';

export interface BodyLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** Longest that a client may take to send a body. */
  readonly timeoutMs: number;
}

export const DEFAULT_BODY_LIMITS: BodyLimits = { maxBytes: 3 * 1024 * 1024, maxDepth: 64, timeoutMs: 30_000 };

/** The request's JSON body, or undefined when there is none. Size, time and nesting are bounded before it is parsed. */
export async function readJsonBody(request: Request, types: readonly string[], limits: BodyLimits): Promise<unknown> {
  const text = await readText(request, limits);
  if (text === '') return undefined;
  const type = mediaType(request);
  if (type !== '' && !types.includes(type)) {
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')} ` +
        '(kubectl sends JSON with apply -f and create -f)',
    );
  }
  const { tooDeep, duplicates } = inspectJsonText(text, limits.maxDepth);
  if (tooDeep) throw badRequest(`the body is nested deeper than ${String(limits.maxDepth)} levels`);
  if (duplicates.length > 0) {
    throw badRequest(
      `strict decoding error: ${duplicates.map((name) => `duplicate field ${JSON.stringify(name)}`).join(', ')}`,
    );
  }
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest('the body of the request is not valid JSON');
  }
}

/** The media type without parameters, in lower case; empty when there is none. */
export function mediaType(request: Request): string {
  return (request.headers.get('Content-Type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

async function readText(request: Request, limits: BodyLimits): Promise<string> {
  if (request.body === null) return '';
  if (Number(request.headers.get('Content-Length') ?? '0') > limits.maxBytes) throw tooLarge(limits.maxBytes);
  const body: ReadableStream<Uint8Array> = request.body;
  const reader = body.getReader();
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
    reader.cancel().catch(() => undefined);
  }, limits.timeoutMs);
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (late.signal.aborted) throw badRequest(`the body did not arrive within ${String(limits.timeoutMs)} ms`);
      if (done) return Buffer.concat(chunks).toString('utf8');
      size += value.length;
      if (size > limits.maxBytes) throw tooLarge(limits.maxBytes);
      chunks.push(value);
    }
  } finally {
    clearTimeout(timer);
  }
}
