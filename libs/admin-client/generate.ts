/**
 * `bun libs/admin-client/generate.ts [--write]`: docs/openapi.json from the schemas, and the client's types and operations from
 * that document; without --write it says which of them are not up to date. A document that would break clients of the one
 * that is there is not written unless API_VERSION is raised.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { API_VERSION, type JsonObject, openApiDocument, ROUTES } from '@canal/admin-schema';
import { unannouncedBreaks } from './announced-breaks.ts';
import { renderOperations } from './render-operations.ts';
import { renderTypes } from './render-types.ts';

const ROOT = resolve(import.meta.dirname, '../..');
export const DOCUMENT = join(ROOT, 'docs/openapi.json');
const GENERATED = join(import.meta.dirname, 'src/generated');
const HEAD = '/** Generated from docs/openapi.json by generate.ts: not to be edited. */\n';

/** Path and text of every file, formatted. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const document = openApiDocument(ROUTES, { version: API_VERSION });
  const types = renderTypes(document);
  const operations = renderOperations(document);
  const names = [...types.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, name = '']) => name);
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(operations));
  const imports = [
    "import type { CallTarget, NoInput } from '../call-target.ts';",
    `import type { ${used.join(', ')} } from './types.ts';`,
  ].join('\n');
  const files = new Map([
    [DOCUMENT, `${JSON.stringify(document, null, 2)}\n`],
    [join(GENERATED, 'types.ts'), `${HEAD}\n${types}`],
    [join(GENERATED, 'operations.ts'), `${HEAD}${imports}\n\n${operations}`],
  ]);
  return new Map([...files].map(([path, text]) => [path, formatted(path, text)]));
}

/** As prettier has it, which CI asks of every file. */
function formatted(path: string, text: string): string {
  const prettier = join(ROOT, 'node_modules/prettier/bin/prettier.cjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [prettier, '--stdin-filepath', path], {
    input: text,
    encoding: 'utf8',
    cwd: ROOT,
  });
  if (status !== 0) throw new Error(`prettier failed on ${path}: ${stderr}`);
  return stdout;
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function main(write: boolean): number {
  const files = generatedFiles();
  const before = readIfThere(DOCUMENT);
  if (before !== undefined) {
    const breaks = unannouncedBreaks(
      JSON.parse(before) as JsonObject,
      JSON.parse(files.get(DOCUMENT) ?? '') as JsonObject,
    );
    for (const text of breaks) process.stderr.write(`breaks clients: ${text}\n`);
    if (breaks.length > 0) {
      process.stderr.write('add instead of changing, or raise API_VERSION in libs/admin-schema/src/routes.ts\n');
      return 1;
    }
  }
  const stale = [...files].filter(([path, text]) => readIfThere(path) !== text);
  for (const [path, text] of stale) {
    if (write) writeFileSync(path, text);
    process.stdout.write(`${relative(ROOT, path)} ${write ? 'written' : 'is not up to date'}\n`);
  }
  return write || stale.length === 0 ? 0 : 1;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
  process.exitCode = main(values.write);
}
