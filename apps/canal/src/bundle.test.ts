import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCanal } from '../build.ts';

let directory: string;
let meta: Bun.BuildMetafile;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'canal-bundle-'));
  meta = await buildCanal({ outfile: join(directory, 'canal') });
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** Chunk names without "./", by which imports name them. */
const chunk = (path: string): string => path.replace(/^\.\//, '');

/** Sources in the chunk made for `entry` and in those that it imports at once: what its start pays for. */
function loadedBy(entry: string): readonly string[] {
  const outputs = new Map(Object.entries(meta.outputs).map(([path, output]) => [chunk(path), output]));
  const first = [...outputs].find(([, output]) => output.entryPoint === entry)?.[0];
  if (first === undefined) throw new Error(`${entry} has no chunk of its own`);
  const seen = new Set([first]);
  for (const name of seen) {
    for (const edge of outputs.get(name)?.imports ?? []) {
      if (edge.kind !== 'dynamic-import') seen.add(chunk(edge.path));
    }
  }
  return [...seen].flatMap((name) => Object.keys(outputs.get(name)?.inputs ?? {}));
}

const packagesOf = (sources: readonly string[]): readonly string[] =>
  [
    ...new Set(
      sources.map((path) => /^(?:node_modules\/(?:@[^/]+\/)?[^/]+|(?:apps|libs)\/[^/]+)/.exec(path)?.[0] ?? path),
    ),
  ].sort();

test('no package is in it twice', () => {
  const places = new Map<string, Set<string>>();
  for (const source of Object.values(meta.outputs).flatMap(({ inputs }) => Object.keys(inputs))) {
    const [, place, name] = /^(.*node_modules\/)((?:@[^/]+\/)?[^/]+)/.exec(source) ?? [];
    if (place !== undefined && name !== undefined) places.set(name, (places.get(name) ?? new Set()).add(place));
  }
  expect(places.size).toBeGreaterThan(10);
  expect([...places].filter(([, found]) => found.size > 1)).toEqual([]);
});

describe('what a start of the shipped binary loads', () => {
  test('the choice of the program: two files and no package', () => {
    expect(loadedBy('apps/canal/src/main.ts')).toEqual(['apps/canal/src/choose-program.ts', 'apps/canal/src/main.ts']);
  });

  test('the CNI plugin: libraries of its own scope, nothing from the registry', () => {
    const packages = packagesOf(loadedBy('apps/cni/src/main.ts'));
    expect(packages).toContain('libs/netlink-ts');
    expect(packages.filter((name) => !name.startsWith('libs/') && name !== 'apps/cni')).toEqual([]);
    expect(packages.filter((name) => /store|api-schema|config|telemetry|lab|policy/.test(name))).toEqual([]);
  });

  test('the loopback plugin: no more than the other one', () => {
    const packages = packagesOf(loadedBy('apps/cni/src/loopback-main.ts'));
    expect(packages).toContain('libs/netlink-ts');
    expect(packages.filter((name) => !name.startsWith('libs/') && name !== 'apps/cni')).toEqual([]);
    expect(packages.filter((name) => /store|api-schema|config|telemetry|lab|network-compile|delta/.test(name))).toEqual(
      [],
    );
  });

  test('the set-up of a node: nothing from the registry, no client of the API server', () => {
    const packages = packagesOf(loadedBy('apps/node-setup/src/main.ts'));
    expect(packages).toContain('apps/node-setup');
    expect(packages.filter((name) => /^node_modules|store|lab/.test(name))).toEqual([]);
  });

  test('the node agent: neither the command line, nor the lab, nor the Kubernetes client', () => {
    const packages = packagesOf(loadedBy('apps/flanneld/src/main.ts'));
    expect(packages).toContain('libs/network-compile');
    expect(packages.filter((name) => /commander|client-node|canalctl|libs\/lab|store-embedded/.test(name))).toEqual([]);
  });

  test('the policy agent: neither the command line, nor the lab, nor the naive evaluator of the tests', () => {
    const packages = packagesOf(loadedBy('apps/policy-agent/src/main.ts'));
    expect(packages).toContain('libs/policy-nft');
    const foreign = /commander|client-node|canalctl|libs\/lab|store-embedded|policy-oracle|network-compile/;
    expect(packages.filter((name) => foreign.test(name))).toEqual([]);
  });

  test('the admin API: neither the command line, nor the lab, nor a store or a kernel of its own', () => {
    const packages = packagesOf(loadedBy('apps/admin-api/src/main.ts'));
    expect(packages).toEqual(expect.arrayContaining(['node_modules/fastify', 'node_modules/zod', 'libs/admin-schema']));
    const foreign =
      /commander|client-node|canalctl|libs\/lab|store-embedded|policy-oracle|linux-ffi|kernel-linux|admin-client/;
    expect(packages.filter((name) => foreign.test(name))).toEqual([]);
  });

  test('help of the command line: not yet the lab', () => {
    const packages = packagesOf(loadedBy('apps/canalctl/src/main.ts'));
    expect(packages).toContain('node_modules/commander');
    expect(packages.filter((name) => name.startsWith('libs/'))).toEqual([]);
  });
});
