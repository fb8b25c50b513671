/** A request as it goes over the wire and what came back, whatever carries them. */

export interface ApiRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** The answer may not end: a part of it will do. */
  readonly isStream?: boolean;
}

export interface ApiAnswer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}

export type SendRequest = (request: ApiRequest) => Promise<ApiAnswer>;

const MAX_SHOWN = 300;

/** For people, with nothing that lets somebody in. */
export function describeRequest({ method, path, headers, body }: ApiRequest): string {
  const shown = Object.entries(headers).filter(([name]) => name !== 'authorization');
  const text = body === undefined ? '' : ` ${cut(typeof body === 'string' ? body : `bytes ${hex(body)}`)}`;
  return `${method} ${cut(path)} ${JSON.stringify(Object.fromEntries(shown))}${text}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, MAX_SHOWN)).toString('hex');
}

function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}… (${text.length} characters)` : text;
}
