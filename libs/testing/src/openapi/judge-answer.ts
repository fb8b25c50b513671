/** Whether an answer is one that the document of the API promises. */
import type { ApiAnswer, ApiRequest } from './api-exchange.ts';
import type { ApiDocument, DocumentedAnswer, Operation } from './document.ts';
import { isObject, type JsonObject, schemaErrors, textOf } from './json-schema.ts';

/** What every answer says of itself. */
const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** Faults of the server, a line each. Throws where the document itself cannot be used. */
export function faultsOfAnswer(
  { components }: ApiDocument,
  operation: Operation,
  request: ApiRequest,
  answer: ApiAnswer,
): readonly string[] {
  const { status, headers, text } = answer;
  const documented = operation.answers.get(status);
  const faults = [...faultsOfHeaders(request, answer)];
  if (status >= 500) faults.push(`it answers ${status}: ${cut(text)}`);
  if (documented === undefined) return [...faults, `${status} is not documented: ${cut(text)}`];
  const { mediaType, schema } = documented;
  if (mediaType === undefined || schema === undefined) {
    if (text !== '') faults.push(`${status} has no body, and this one has ${cut(text)}`);
    return faults;
  }
  const type = headers['content-type']?.split(';', 1)[0];
  if (type !== mediaType) return [...faults, `the content type is ${String(type)}: expected ${mediaType}`];
  if (mediaType === 'text/event-stream') return [...faults, ...faultsOfEvents(text, schema, components)];
  const body = parsedJson(text);
  if (body === undefined) return [...faults, `the body is no JSON: ${cut(text)}`];
  faults.push(...schemaErrors(body, schema, components).map((error) => `the body is not as its schema says: ${error}`));
  if (mediaType === 'application/problem+json') faults.push(...faultsOfProblem(body, documented, answer));
  else faults.push(...faultsOfPage(body, answer));
  return faults;
}

/** Of a path or a method that the document does not have: always a problem, and 404, or 405 with what the path takes. */
export function faultsOfUnknown(
  { components, operations }: ApiDocument,
  request: ApiRequest,
  answer: ApiAnswer,
  path: string | undefined,
): readonly string[] {
  const takes = operations.filter((operation) => operation.path === path).map(({ method }) => method);
  const [status, name] = takes.length === 0 ? [404, 'not-found'] : [405, 'method-not-allowed'];
  const faults = [...faultsOfHeaders(request, answer)];
  if (answer.status !== status) return [...faults, `it answers ${answer.status}: expected ${status}`];
  const body = parsedJson(answer.text);
  const schema = components['Problem'];
  if (schema === undefined) throw new Error('the document has no schema Problem');
  faults.push(...schemaErrors(body, schema, components));
  const documented = { mediaType: undefined, schema: undefined, problems: [name] };
  faults.push(...faultsOfProblem(body, documented, answer));
  const allowed = answer.headers['allow']?.split(/\s*,\s*/) ?? [];
  const isSame = allowed.length === takes.length && takes.every((method) => allowed.includes(method));
  if (!isSame) faults.push(`Allow is ${allowed.join(', ')}: expected ${takes.join(', ')}`);
  return faults;
}

function* faultsOfHeaders(request: ApiRequest, { headers, text }: ApiAnswer): Generator<string> {
  for (const [name, value] of Object.entries(ALWAYS)) {
    if (headers[name] !== value) yield `${name} is ${String(headers[name])}: expected ${value}`;
  }
  if (headers['x-request-id'] === undefined) yield 'there is no X-Request-Id';
  const token = /^Bearer (\S{8,})$/.exec(request.headers['authorization'] ?? '')?.[1];
  if (token !== undefined && `${text}${JSON.stringify(headers)}`.includes(token)) yield 'the answer has the token';
}

function* faultsOfProblem(body: unknown, { problems }: DocumentedAnswer, answer: ApiAnswer): Generator<string> {
  if (!isObject(body)) return;
  const { headers, status } = answer;
  const name = textOf(body['type']).split('/').at(-1) ?? '';
  if (!problems.includes(name)) yield `the problem is ${name}: documented with ${status} are ${problems.join(', ')}`;
  if (body['status'] !== status) yield `the problem says ${textOf(body['status'])}, the answer ${status}`;
  if (body['instance'] !== headers['x-request-id']) yield 'the problem has another id than X-Request-Id';
  const wait = headers['retry-after'];
  if (status === 429 && !(Number(wait) >= 1)) yield `Retry-After is ${String(wait)}: expected seconds`;
  if (status === 401 && headers['www-authenticate'] === undefined) yield 'there is no WWW-Authenticate';
}

function* faultsOfPage(body: unknown, { headers }: ApiAnswer): Generator<string> {
  if (!isObject(body) || !Array.isArray(body['items'])) return;
  const { next, partial, missing } = body;
  if ((typeof next === 'string') !== (headers['link'] !== undefined)) yield 'Link and next do not go together';
  if (Array.isArray(missing) && partial !== missing.length > 0) yield 'partial and missing do not go together';
}

/** As far as events are whole: the stream was left while it went on. */
function* faultsOfEvents(text: string, schema: JsonObject, components: ApiDocument['components']): Generator<string> {
  const [first, ...blocks] = text.split('\n\n');
  if (!/^retry: \d+$/.test(first ?? '')) yield `the stream begins with ${cut(first ?? '')}: expected retry`;
  for (const block of blocks.slice(0, -1)) {
    if (block.startsWith(':')) continue;
    const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/, 2) as [string, string]));
    const [id, event, data] = ['id', 'event', 'data'].map((name) => fields.get(name));
    if (id === undefined || event === undefined || data === undefined) yield `an event is ${cut(block)}`;
    else if (event !== 'resync') {
      const errors = schemaErrors(parsedJson(data), schema, components);
      yield* errors.map((error) => `the data of an event is not as its schema says: ${error}`);
    }
  }
}

/** Undefined: it is none. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function cut(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
