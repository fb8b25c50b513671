import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './build-image.ts';
import { BUN_VERSION, INTEGRITY, runtimePackage, runtimeTarget } from './bun-runtime.ts';
import { archiveName, parseVariant, tagSuffix, variantName, VARIANTS } from './variant.ts';

test.each([
  [undefined, undefined, 'x64', 'amd64'],
  [undefined, undefined, 'arm64', 'arm64'],
  ['linux/amd64', undefined, 'arm64', 'amd64'],
  ['linux/arm64', undefined, 'x64', 'arm64'],
  ['linux/amd64', 'baseline', 'x64', 'amd64-baseline'],
] as const)('--platform %s --cpu %s on %s is %s', (platform, cpu, host, name) => {
  expect(variantName(parseVariant(platform, cpu, host))).toBe(name);
});

test.each([
  ['linux/riscv64', undefined, 'there is linux/amd64 and linux/arm64'],
  ['amd64', undefined, 'there is linux/amd64 and linux/arm64'],
  ['linux/arm64', 'baseline', 'of linux/amd64 alone'],
  [undefined, 'haswell', 'there is "baseline", or none'],
] as const)('--platform %s --cpu %s is refused', (platform, cpu, message) => {
  expect(() => parseVariant(platform, cpu, 'x64')).toThrow(message);
});

test('each variant has a file, a runtime and a target of its own', () => {
  expect(VARIANTS.map(archiveName)).toEqual([
    'canal-image.tar',
    'canal-image-amd64-baseline.tar',
    'canal-image-arm64.tar',
  ]);
  expect(VARIANTS.map(tagSuffix)).toEqual(['', '-baseline', '']);
  expect(VARIANTS.map(runtimePackage).toSorted()).toEqual(Object.keys(INTEGRITY).toSorted());
  expect(new Set(VARIANTS.map(runtimeTarget)).size).toBe(VARIANTS.length);
});

test('version and integrity are those of package.json and its lock file', () => {
  const json = (name: string): unknown => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));
  expect(json('package.json')).toMatchObject({ devDependencies: { bun: BUN_VERSION } });
  const { packages } = json('package-lock.json') as { packages: Record<string, { integrity?: string }> };
  const known = Object.entries(INTEGRITY).filter(([name]) => `node_modules/${name}` in packages);
  expect(known.map(([name]) => name)).toContain('@oven/bun-linux-aarch64');
  for (const [name, integrity] of known) expect(packages[`node_modules/${name}`]?.integrity).toBe(integrity);
});
