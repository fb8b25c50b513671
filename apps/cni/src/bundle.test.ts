/**
 * What is in the plugin's bundle. Its start is part of each pod's start: a schema library or an API client would cost
 * more than all of ADD. The list is of modules that the bundler kept, so an import that is never used does not count.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');

interface Metafile {
  readonly outputs: Record<string, { readonly inputs: Record<string, { readonly bytesInOutput: number }> }>;
}

/** What the bundle still imports: `import{x}from"fs"`, `import"fs"`, `import("fs")`. */
const IMPORT = /\b(?:from|import)\s*\(?"([^"]+)"/g;

function bundle(entry: string): { modules: string[]; externals: string[]; bytes: number } {
  const folder = mkdtempSync(join(tmpdir(), 'canal-bundle-'));
  try {
    const metafile = join(folder, 'meta.json');
    const args = ['build', entry, '--target=bun', '--minify', `--outdir=${folder}/out`, `--metafile=${metafile}`];
    const run = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    if (run.status !== 0) throw new Error(run.stderr);
    const meta = JSON.parse(readFileSync(metafile, 'utf8')) as Metafile;
    const kept = Object.values(meta.outputs).flatMap(({ inputs }) => Object.entries(inputs));
    const modules = kept.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
    const texts = readdirSync(join(folder, 'out')).map((name) => readFileSync(join(folder, 'out', name), 'utf8'));
    const externals = texts.flatMap((text) => [...text.matchAll(IMPORT)].map(([, name = '']) => name));
    const bytes = kept.reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0);
    return { modules: modules.sort(), externals: [...new Set(externals)].sort(), bytes };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const folderOf = (path: string): string => path.split('/').slice(0, 2).join('/');

describe('the bundle of the plugin', () => {
  const { modules, externals, bytes } = bundle('apps/cni/src/main.ts');

  test('holds this project’s own libraries alone, and of those the ones it needs', () => {
    expect([...new Set(modules.map(folderOf))].sort()).toEqual([
      'apps/cni',
      'libs/agent-protocol',
      'libs/cni-spec',
      'libs/ipam',
      'libs/linux-ffi',
      'libs/model',
      'libs/net-types',
      'libs/netlink-ts',
      'libs/node-state',
    ]);
  });

  test('holds no npm package', () => {
    expect(modules.filter((path) => path.includes('node_modules'))).toEqual([]);
  });

  test('holds no part of the libraries that belongs to agents or tests', () => {
    const foreign = /nftables|nfnetlink|monitor|event-socket|stale-addresses|cni-cache|\/runtime\/|testing|conflist/;
    // STATUS asks whether one table is there; rules, sets and their codecs stay with the agents.
    const question = [
      'nfnetlink/header',
      ...['message-types', 'message', 'requests', 'table'].map((name) => `nftables/${name}`),
    ];
    const allowed = new Set(question.map((name) => `libs/netlink-ts/src/${name}.ts`));
    expect(modules.filter((path) => foreign.test(path) && !allowed.has(path))).toEqual([]);
  });

  test('takes of the runtime files and the C library, nothing that loads a stream, a server or a console', () => {
    expect(externals).toEqual(['bun:ffi', 'fs']);
  });

  test('is small', () => {
    expect(bytes).toBeLessThan(120_000);
  });
});

test('the check finds a schema library: a bundle with one fails it', () => {
  const { modules } = bundle('libs/api-schema/src/index.ts');
  expect(modules.some((path) => path.includes('node_modules/zod'))).toBe(true);
});
