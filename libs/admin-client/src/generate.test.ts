/** docs/openapi.json and what is generated from it are as the schemas say, and break no client unannounced. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import type { JsonObject } from '@canal/admin-schema';
import { afterAll, describe, expect, test } from 'vitest';
import { lastOtherVersion, unannouncedBreaks } from '../announced-breaks.ts';
import { DOCUMENT, generatedFiles, readIfThere } from '../generate.ts';
import { renderOperations } from '../render-operations.ts';
import { typeOf } from '../render-types.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const AGAIN = 'run "bun libs/admin-client/generate.ts --write"';
/** Made once: formatting takes seconds. */
const FILES = generatedFiles();
const documentOf = (text: string): JsonObject => JSON.parse(text) as JsonObject;

test('what is committed is what the schemas give', () => {
  for (const [path, text] of FILES) expect([AGAIN, path, readIfThere(path)]).toEqual([AGAIN, path, text]);
});

test('nothing breaks a client of the document committed before, unless the version says so', () => {
  const rendered = FILES.get(DOCUMENT) ?? '';
  const path = relative(ROOT, DOCUMENT);
  // In a checkout without history the file itself is what clients know.
  const before = [readFileSync(DOCUMENT, 'utf8'), lastOtherVersion(ROOT, path, rendered) ?? rendered];
  for (const text of before) expect(unannouncedBreaks(documentOf(text), documentOf(rendered))).toEqual([]);
});

describe('a break', () => {
  const with1 = (version: string, paths: JsonObject): JsonObject => ({ info: { version }, paths });
  const nodes = { '/v1/nodes': { get: { operationId: 'listNodes', responses: {} } } };

  test.each([
    ['0.1.0', '0.1.0', 1],
    ['0.1.0', '0.1.9', 1],
    ['0.1.0', '0.2.0', 0],
    ['0.2.0', '0.1.0', 1],
    ['0.2.0', '1.0.0', 0],
    ['1.0.0', '1.1.0', 1],
    ['1.1.0', '2.0.0', 0],
  ])('from %s to %s: %d unannounced', (before, after, count) => {
    expect(unannouncedBreaks(with1(before, nodes), with1(after, {}))).toHaveLength(count);
    expect(unannouncedBreaks(with1(before, {}), with1(after, nodes))).toEqual([]);
  });

  test('a version that is none', () => {
    expect(() => unannouncedBreaks(with1('one', {}), with1('0.1.0', {}))).toThrow('expected three numbers');
  });
});

describe('the version committed before', () => {
  const directory = mkdtempSync(join(tmpdir(), 'canal-history-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const git = (...words: readonly string[]): void => {
    const { status, stderr } = spawnSync('git', [
      '-C',
      directory,
      '-c',
      'user.name=a',
      '-c',
      'user.email=a@b',
      ...words,
    ]);
    expect([words, status, String(stderr)]).toEqual([words, 0, '']);
  };
  const commit = (text: string): void => {
    writeFileSync(join(directory, 'a.json'), text);
    git('add', 'a.json');
    git('commit', '--quiet', '-m', text);
  };

  test('is found in history, before and after the commit of a change', () => {
    expect(lastOtherVersion(directory, 'a.json', 'one')).toBeUndefined();
    git('init', '--quiet');
    expect(lastOtherVersion(directory, 'a.json', 'one')).toBeUndefined();
    commit('one');
    expect(lastOtherVersion(directory, 'a.json', 'one')).toBeUndefined();
    expect(lastOtherVersion(directory, 'a.json', 'two')).toBe('one');
    commit('two');
    expect(lastOtherVersion(directory, 'a.json', 'two')).toBe('one');
    expect(lastOtherVersion(directory, 'a.json', 'three')).toBe('two');
  });
});

describe('types', () => {
  test.each([
    [{ $ref: '#/components/schemas/Node' }, 'Node'],
    [{ const: 4 }, '4'],
    [{ enum: ['a', 'b'] }, '"a" | "b"'],
    [{ anyOf: [{ type: 'string' }, { type: 'string', format: 'x' }, { type: 'null' }] }, 'string | null'],
    [{ type: 'array', items: { type: 'integer' } }, 'readonly (number)[]'],
    [{ type: 'object', additionalProperties: { type: 'boolean' } }, '{ readonly [name: string]: boolean }'],
    [
      {
        type: 'object',
        properties: { a: { type: 'string', description: 'of */ it' }, b: { type: 'null' } },
        required: ['b'],
      },
      '{\n/** of *\\/ it */\nreadonly a?: string;\nreadonly b: null;\n}',
    ],
  ])('%j', (schema, text) => {
    expect(typeOf(schema)).toBe(text);
  });

  test('a schema that says nothing is refused, not taken for any', () => {
    expect(() => typeOf({})).toThrow('no kind that is known');
  });

  test('an operation with everything', () => {
    const operation = {
      operationId: 'putIt',
      summary: 'Puts it',
      'x-canal-role': 'admin',
      parameters: [
        { name: 'name', in: 'path', required: true, schema: { type: 'string' } },
        { name: 'dryRun', in: 'query', required: false, schema: { type: 'boolean' } },
        { name: 'If-Match', in: 'header', required: true, schema: { type: 'string' } },
      ],
      requestBody: { content: { 'application/json': { schema: { type: 'null' } } } },
      responses: { 204: { description: 'done' }, 404: { content: { 'application/problem+json': { schema: {} } } } },
    };
    const text = renderOperations({ paths: { '/v1/it/{name}': { put: operation } } });
    expect(text).toContain(
      '/** Puts it. Role: admin. */\nreadonly putIt: { readonly input: { readonly path: { readonly name: string; }; ' +
        'readonly query?: { readonly dryRun?: boolean | undefined; } | undefined; readonly body: null; ' +
        'readonly ifMatch: string; }; readonly answer: undefined };',
    );
    expect(text).toContain("putIt: { method: 'PUT', path: '/v1/it/{name}' },");
  });
});
