/** An OpenAPI 3.1 document as a list of operations. */
import { type Components, isObject, type JsonObject } from './json-schema.ts';

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: JsonObject;
}

export interface DocumentedAnswer {
  /** Undefined: no body. */
  readonly mediaType: string | undefined;
  readonly schema: JsonObject | undefined;
  /** Last parts of the problem types that come with the status (`x-canal-problems`); empty where it is none. */
  readonly problems: readonly string[];
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  /** As in the document: `/v1/nodes/{name}`. */
  readonly path: string;
  /** The least role that may (`x-canal-role`); undefined: everybody may. */
  readonly role: string | undefined;
  readonly parameters: readonly Parameter[];
  readonly body: JsonObject | undefined;
  readonly answers: ReadonlyMap<number, DocumentedAnswer>;
  /** Answers with events that do not end. */
  readonly isStream: boolean;
}

export interface ApiDocument {
  readonly operations: readonly Operation[];
  readonly components: Components;
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'options', 'head', 'trace'];

/** Throws where the document has not what a request needs. */
export function readApiDocument(document: unknown): ApiDocument {
  const paths = objectOf(objectOf(document, 'the document')['paths'], 'paths');
  const components = objectOf(objectOf(objectOf(document, '')['components'], 'components')['schemas'], 'schemas');
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(objectOf(item, path)).map(([method, operation]) => {
      if (!METHODS.includes(method)) throw new Error(`${path} has ${JSON.stringify(method)}, which is no method`);
      return readOperation(method.toUpperCase(), path, objectOf(operation, `${method} ${path}`));
    }),
  );
  return { operations, components: components as Components };
}

function readOperation(method: string, path: string, operation: JsonObject): Operation {
  const { operationId, requestBody, responses, parameters = [] } = operation;
  const role = operation['x-canal-role'];
  const where = `${method} ${path}`;
  if (typeof operationId !== 'string') throw new Error(`${where} has no operationId`);
  const answers = new Map(
    Object.entries(objectOf(responses, where)).map(([status, answer]) => [
      Number(status),
      readAnswer(objectOf(answer, `${where} ${status}`)),
    ]),
  );
  return {
    id: operationId,
    method,
    path,
    role: typeof role === 'string' ? role : undefined,
    parameters: parameters as unknown as readonly Parameter[],
    body: requestBody === undefined ? undefined : readContent(objectOf(requestBody, where)).schema,
    answers,
    isStream: answers.get(200)?.mediaType === 'text/event-stream',
  };
}

function readAnswer(answer: JsonObject): DocumentedAnswer {
  const problems = (answer['x-canal-problems'] ?? []) as readonly string[];
  return { ...readContent(answer), problems };
}

function readContent({ content }: JsonObject): Pick<DocumentedAnswer, 'mediaType' | 'schema'> {
  if (content === undefined) return { mediaType: undefined, schema: undefined };
  const [[mediaType, one] = [], ...others] = Object.entries(objectOf(content, 'content'));
  if (mediaType === undefined || others.length > 0) throw new Error('content of one media type alone can be judged');
  return { mediaType, schema: objectOf(objectOf(one, mediaType)['schema'], mediaType) };
}

function objectOf(value: unknown, where: string): JsonObject {
  if (!isObject(value)) throw new Error(`${where} of the OpenAPI document is no object`);
  return value;
}
