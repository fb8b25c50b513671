import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { type Json, type JsonObject, openApiDocument } from './openapi.ts';
import { PROBLEMS } from './problem.ts';
import { problemsOf, type RouteContract } from './route.ts';
import { ROUTES } from './routes.ts';

const DOCUMENT = openApiDocument(ROUTES, { version: '1.2.3' });

/** Every object within, with where it is. */
function* objectsIn(value: Json, where = ''): Generator<readonly [string, JsonObject]> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [where, value as JsonObject];
  for (const [name, inner] of Object.entries(value as JsonObject)) yield* objectsIn(inner, `${where}/${name}`);
}

function pathsOf(): Record<string, Record<string, JsonObject>> {
  return DOCUMENT['paths'] as unknown as Record<string, Record<string, JsonObject>>;
}

describe('the document', () => {
  test('has every route, once, with an id of its own', () => {
    const operations = Object.entries(pathsOf()).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, { operationId }]) => `${method.toUpperCase()} ${path} ${JSON.stringify(operationId)}`,
      ),
    );
    expect(operations.sort()).toEqual(
      ROUTES.map(({ method, path, id }) => `${method} ${path} ${JSON.stringify(id)}`).sort(),
    );
    expect(new Set(ROUTES.map(({ id }) => id)).size).toBe(ROUTES.length);
  });

  test('refers to nothing that it has not, and has nothing that nobody refers to', () => {
    const references = new Set<string>();
    for (const [where, object] of objectsIn(DOCUMENT)) {
      const reference = object['$ref'];
      if (typeof reference !== 'string') continue;
      expect(reference, where).toMatch(/^#\/components\/schemas\/\w+$/);
      references.add(reference.replace('#/components/schemas/', ''));
    }
    const { schemas } = DOCUMENT['components'] as { schemas: JsonObject };
    expect([...references].sort()).toEqual(Object.keys(schemas));
    expect(references.size).toBeGreaterThan(15);
    // Names that zod made up would change with the next schema.
    expect([...references].filter((name) => !/^[A-Z]/.test(name))).toEqual([]);
  });

  test('declares each parameter of a path, and no other', () => {
    for (const [path, methods] of Object.entries(pathsOf())) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const { parameters = [] } of Object.values(methods)) {
        const declared = (parameters as JsonObject[]).filter((parameter) => parameter['in'] === 'path');
        expect(declared.map(({ name }) => name)).toEqual(inPath);
        expect(declared.every(({ required }) => required === true)).toBe(true);
      }
    }
  });

  test('says of every object that nothing else is in it', () => {
    for (const [where, object] of objectsIn(DOCUMENT)) {
      if (object['type'] === 'object' && object['properties'] !== undefined)
        expect(object['additionalProperties'], where).toBe(false);
    }
  });

  test('needs a token wherever a role is needed, and tells its problems by status', () => {
    for (const route of ROUTES) {
      const operation = pathsOf()[route.path]?.[route.method.toLowerCase()] ?? {};
      expect(operation['x-canal-role']).toBe(route.role);
      const responses = operation['responses'] as Record<string, { description: string }>;
      for (const name of problemsOf(route)) {
        expect(responses[PROBLEMS[name].status]?.description, `${route.id} ${name}`).toContain(`${name}: `);
      }
      expect(Object.keys(responses)).toContain('401');
    }
  });

  test('has examples that its own schemas take', () => {
    const wrong: string[] = [];
    let examples = 0;
    for (const { id, params, query, body, answer } of ROUTES as readonly RouteContract[]) {
      for (const schema of [params, query, body, answer.schema]) {
        if (schema === undefined) continue;
        z.toJSONSchema(schema, {
          io: 'input',
          override: ({ zodSchema, jsonSchema }) => {
            if (jsonSchema['example'] === undefined) return;
            examples++;
            if (!z.safeParse(zodSchema, jsonSchema['example']).success)
              wrong.push(`${id}: ${JSON.stringify(jsonSchema['example'])}`);
          },
        });
      }
    }
    expect(wrong).toEqual([]);
    expect(examples).toBeGreaterThan(30);
  });

  test('is the same text each time', () => {
    expect(JSON.stringify(openApiDocument(ROUTES, { version: '1.2.3' }))).toBe(JSON.stringify(DOCUMENT));
  });
});

test('a write takes a body, headers and a trial', () => {
  const route: RouteContract = {
    id: 'putThing',
    method: 'PUT',
    path: '/v1/things/{name}',
    tag: 'things',
    summary: 'A thing',
    role: 'admin',
    params: z.strictObject({ name: z.string() }),
    body: z.strictObject({ size: z.int() }),
    answer: { status: 204, description: 'Done' },
    ifMatch: true,
    dryRun: true,
  };
  const { paths } = openApiDocument([route], { version: '1' }) as unknown as {
    paths: Record<string, Record<string, { parameters: { name: string }[]; responses: object; requestBody: object }>>;
  };
  const operation = paths['/v1/things/{name}']?.['put'];
  expect(operation?.parameters.map(({ name }) => name)).toEqual(['name', 'dryRun', 'If-Match']);
  expect(Object.keys(operation?.responses ?? {})).toEqual(
    expect.arrayContaining(['204', '400', '412', '413', '415', '422', '428', '429']),
  );
  expect(operation?.requestBody).toMatchObject({ required: true });
});
