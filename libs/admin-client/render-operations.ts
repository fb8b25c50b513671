/** What the client calls: the operations' types, and how each is asked for. */
import type { Json, JsonObject } from '@canal/admin-schema';
import { objectAt, typeOf } from './render-types.ts';

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly about: string;
  readonly input: string;
  readonly answer: string;
  /** Whether the answer is an event stream. */
  readonly streams: boolean;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Json;
}

/** The body of generated/operations.ts, without its head. */
export function renderOperations(document: JsonObject): string {
  const operations = Object.entries(objectAt(document, 'paths')).flatMap(([path, methods]) =>
    Object.entries(methods as JsonObject).map(([method, operation]) =>
      readOperation(path, method, operation as JsonObject),
    ),
  );
  const [streams, others] = [operations.filter(({ streams: is }) => is), operations.filter(({ streams: is }) => !is)];
  const rows = operations.map(({ id, method, path }) => `${id}: { method: '${method}', path: '${path}' },`);
  return [
    `export interface Operations {\n${others.map(member).join('\n')}\n}`,
    `/** Answered with events, each of one value. */\nexport interface Streams {\n${streams.map(member).join('\n')}\n}`,
    `export const TARGETS: Readonly<Record<keyof Operations | keyof Streams, CallTarget>> = {\n${rows.join('\n')}\n};`,
  ].join('\n\n');
}

function member({ id, about, input, answer }: Operation): string {
  return `/** ${about} */\nreadonly ${id}: { readonly input: ${input}; readonly answer: ${answer} };`;
}

function readOperation(path: string, method: string, operation: JsonObject): Operation {
  const [id, summary] = [operation['operationId'], operation['summary']].map((text) => text as string);
  const role = operation['x-canal-role'];
  const [content] = Object.entries(operation['responses'] as JsonObject)
    .filter(([status]) => status.startsWith('2'))
    .map(([, answer]) => objectAt(answer, 'content'));
  const [mediaType, body] = Object.entries(content ?? {})[0] ?? [];
  return {
    id: id ?? '',
    method: method.toUpperCase(),
    path,
    about: `${summary}. Role: ${typeof role === 'string' ? role : 'none'}.`,
    input: inputOf(operation),
    answer: body === undefined ? 'undefined' : typeOf(objectAt(body, 'schema')),
    streams: mediaType === 'text/event-stream',
  };
}

function inputOf(operation: JsonObject): string {
  const parameters = (operation['parameters'] ?? []) as unknown as readonly Parameter[];
  const places = (['path', 'query'] as const).flatMap((place) => {
    const here = parameters.filter((parameter) => parameter.in === place);
    if (here.length === 0) return [];
    const isNeeded = here.some(({ required }) => required);
    const fields = here.map((one) => field(one.name, one.required, typeOf(one.schema)));
    return [field(place, isNeeded, `{ ${fields.join(' ')} }`)];
  });
  const headers = parameters.filter((parameter) => parameter.in === 'header');
  const ofHeaders = headers.map(({ name, required, schema }) => field(headerField(name), required, typeOf(schema)));
  const body = objectAt(operation['requestBody'], 'content')['application/json'];
  const ofBody = body === undefined ? [] : [field('body', true, typeOf(objectAt(body, 'schema')))];
  const fields = [...places, ...ofBody, ...ofHeaders];
  return fields.length === 0 ? 'NoInput' : `{ ${fields.join(' ')} }`;
}

function field(name: string, isRequired: boolean, type: string): string {
  return `readonly ${name}${isRequired ? '' : '?'}: ${type}${isRequired ? '' : ' | undefined'};`;
}

/** `If-Match` as `ifMatch`. */
function headerField(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1).replaceAll('-', '');
}
