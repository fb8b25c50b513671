/**
 * The runtime that is compiled into the binary of a variant: this one where it fits, else Bun's npm package of that
 * name, of the same version and with the integrity known here.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { command } from './command.ts';
import { ImageError } from './image-error.ts';
import type { Variant } from './variant.ts';

export interface BunRuntime {
  readonly executable: string;
  /** What the bundler calls it. */
  readonly target: string;
}

/** The version that all of canal is tested with; package.json pins the same. */
export const BUN_VERSION = '1.4.5';

/** As the registry publishes them and, for those it lists, package-lock.json. */
export const INTEGRITY: Readonly<Record<string, string>> = {
  '@oven/bun-linux-x64':
    'sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==',
  '@oven/bun-linux-x64-baseline':
    'sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==',
  '@oven/bun-linux-aarch64':
    'sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==',
};

export function runtimePackage({ architecture, baseline }: Variant): string {
  if (architecture === 'arm64') return '@oven/bun-linux-aarch64';
  return baseline ? '@oven/bun-linux-x64-baseline' : '@oven/bun-linux-x64';
}

export function runtimeTarget({ architecture, baseline }: Variant): string {
  if (architecture === 'arm64') return 'bun-linux-arm64';
  return baseline ? 'bun-linux-x64-baseline' : 'bun-linux-x64';
}

/** The runtime of the variant, downloaded once. */
export function bunRuntime(variant: Variant): BunRuntime {
  if (Bun.version !== BUN_VERSION) {
    throw new ImageError(`this is Bun ${Bun.version}; the image is built with ${BUN_VERSION}: run "npm run image"`);
  }
  const target = runtimeTarget(variant);
  const own = process.arch === 'x64' ? 'amd64' : process.arch;
  if (!variant.baseline && variant.architecture === own) return { executable: process.execPath, target };
  const name = runtimePackage(variant);
  const executable = join(cacheFolder('image'), `${name.replace('@oven/', '')}-${BUN_VERSION}`, 'bun');
  if (!existsSync(executable)) download(name, executable);
  return { executable, target };
}

function download(name: string, executable: string): void {
  mkdirSync(cacheFolder('image'), { recursive: true });
  const temporary = mkdtempSync(join(cacheFolder('image'), 'download-'));
  try {
    const packed = command('npm', ['pack', '--silent', `${name}@${BUN_VERSION}`], { cwd: temporary, from: 'of Node' });
    const archive = join(temporary, packed.trim().split('\n').at(-1) ?? '');
    const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (found !== INTEGRITY[name]) {
      throw new ImageError(`${name}@${BUN_VERSION} has integrity ${found}, expected ${String(INTEGRITY[name])}`);
    }
    command('tar', ['-xzf', archive, '-C', temporary, '--strip-components=2', 'package/bin/bun']);
    const folder = join(executable, '..');
    mkdirSync(folder, { recursive: true });
    renameSync(join(temporary, 'bun'), executable);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
