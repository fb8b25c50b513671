/** The OpenAPI 3.1 document, made of the same schemas that the server checks with. */
import * as z from 'zod';
import { PROBLEMS, type ProblemName, problemSchema } from './problem.ts';
import { problemsOf, type RouteContract } from './route.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export interface JsonObject {
  readonly [name: string]: Json;
}

export interface DocumentInfo {
  readonly version: string;
}

/** Deterministic: the same routes give the same text. */
export function openApiDocument(routes: readonly RouteContract[], { version }: DocumentInfo): JsonObject {
  const components = new Map<string, JsonObject>();
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation(route, components);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'canal admin API',
      version,
      description: 'Nodes, leases, policies and flows of a cluster that canal connects. Additions only within /v1.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A Kubernetes token; never in the URL' },
      },
      schemas: Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}

function operation(route: RouteContract, components: Map<string, JsonObject>): JsonObject {
  const { id, tag, summary, role, body, answer } = route;
  const parameters = [...parametersOf(route, 'path', components), ...parametersOf(route, 'query', components)];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(role === undefined ? { security: [] } : { 'x-canal-role': role }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input', components) } } },
    }),
    responses: {
      [answer.status]: {
        description: answer.description,
        ...(answer.schema !== undefined && {
          content: {
            [answer.stream === true ? 'text/event-stream' : 'application/json']: {
              schema: schemaOf(answer.schema, 'output', components),
            },
          },
        }),
      },
      ...(route.method === 'GET' &&
        answer.stream !== true && { 304: { description: 'If-None-Match names the ETag that it has' } }),
      ...problemAnswers(route, components),
    },
  };
}

function parametersOf(route: RouteContract, place: 'path' | 'query', components: Map<string, JsonObject>): Json[] {
  const shape: Readonly<Record<string, z.ZodType>> = { ...(place === 'path' ? route.params : route.query)?.shape };
  const parameters = Object.entries(shape).map(([name, schema]) => {
    const { description, ...rest } = schemaOf(schema, 'input', components);
    return {
      name,
      in: place,
      required: place === 'path' || !schema.safeParse(undefined).success,
      ...(description !== undefined && { description }),
      schema: rest,
    };
  });
  const { ifMatch = false, dryRun = false, method } = route;
  if (place === 'path') return parameters;
  return [
    ...parameters,
    ...(dryRun ? [{ name: 'dryRun', in: 'query', required: false, schema: { type: 'boolean' } }] : []),
    ...(ifMatch ? [{ name: 'If-Match', in: 'header', required: true, schema: { type: 'string' } }] : []),
    ...(method === 'POST'
      ? [{ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 128 } }]
      : []),
  ];
}

/** One answer a status; its problems are told by their types. */
function problemAnswers(route: RouteContract, components: Map<string, JsonObject>): JsonObject {
  const schema = schemaOf(problemSchema, 'output', components);
  const byStatus = new Map<number, ProblemName[]>();
  for (const name of problemsOf(route)) {
    const { status } = PROBLEMS[name];
    byStatus.set(status, [...(byStatus.get(status) ?? []), name]);
  }
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, names]) => [
        status,
        {
          description: names.map((name) => `${name}: ${PROBLEMS[name].title}`).join('; '),
          'x-canal-problems': names,
          ...(status === 429 && { headers: { 'Retry-After': { schema: { type: 'integer' } } } }),
          content: { 'application/problem+json': { schema } },
        },
      ]),
  );
}

/** JSON Schema 2020-12; schemas with an id become components and are referred to. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', components: Map<string, JsonObject>): JsonObject {
  const made = z.toJSONSchema(schema, { target: 'draft-2020-12', io, reused: 'inline' }) as JsonObject;
  const {
    $defs = {},
    $schema: _schema,
    id: ownId,
    ...own
  } = relocated(made) as JsonObject & { readonly $defs?: JsonObject };
  for (const [id, definition] of Object.entries($defs)) {
    const { id: _id, ...rest } = definition as JsonObject;
    components.set(id, rest);
  }
  if (typeof ownId !== 'string') return own;
  components.set(ownId, own);
  return { $ref: `#/components/schemas/${ownId}` };
}

function relocated(value: Json): Json {
  if (Array.isArray(value)) return value.map(relocated);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === '$ref' && typeof inner === 'string'
        ? inner.replace('#/$defs/', '#/components/schemas/')
        : relocated(inner),
    ]),
  );
}
