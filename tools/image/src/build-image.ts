/** From the sources to the archive of one variant. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BUN_VERSION, bunRuntime } from './bun-runtime.ts';
import { command } from './command.ts';
import { unpackDebianPackages } from './debian-packages.ts';
import { dockerArchive, type DockerArchive } from './docker-archive.ts';
import { imageConfig, REPOSITORY, type ImageConfig, type ImageSource } from './image-config.ts';
import { ImageError } from './image-error.ts';
import { imageFiles } from './image-files.ts';
import type { TarEntry } from './tar-archive.ts';
import { type BundleRecord, thirdPartyNotices } from './third-party.ts';
import { tagSuffix, type Variant } from './variant.ts';

export const ROOT = resolve(import.meta.dirname, '../../..');

export interface ImageTree {
  readonly files: readonly TarEntry[];
  /** "docker.io/canalcni/canal:0.1.0" */
  readonly name: string;
  readonly source: ImageSource;
}

/** Compiles the binary and collects the files around it. */
export function imageTree(variant: Variant): ImageTree {
  const { binary, notices } = compile(variant);
  using debian = unpackDebianPackages(variant.architecture, ['libc6', 'ca-certificates']);
  const [libc, certificates] = debian.packages;
  if (libc === undefined || certificates === undefined) throw new Error('two packages were asked for');
  const license = readFileSync(join(ROOT, 'LICENSE'));
  const files = imageFiles({ architecture: variant.architecture, binary, license, notices, libc, certificates });
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const parts = { bun: BUN_VERSION, [libc.name]: libc.version, [certificates.name]: certificates.version };
  return { files, name: `${REPOSITORY}:${version}${tagSuffix(variant)}`, source: { version, parts, ...revision() } };
}

export interface ImageArchive extends Omit<DockerArchive, 'images'> {
  readonly imageId: string;
  readonly diffId: string;
}

export function archiveOf({ architecture }: Variant, { files, name, source }: ImageTree): ImageArchive {
  const config = ([diffId = '']: readonly string[]): ImageConfig => imageConfig(architecture, diffId, source);
  const { images, ...archive } = dockerArchive([{ name, layers: [files], config }]);
  const [image] = images;
  return { ...archive, imageId: image?.imageId ?? '', diffId: image?.diffIds[0] ?? '' };
}

function compile(variant: Variant): { readonly binary: Uint8Array; readonly notices: string } {
  const directory = mkdtempSync(join(tmpdir(), 'canal-image-'));
  try {
    const { executable, target } = bunRuntime(variant);
    const [outfile, metafile] = [join(directory, 'canal'), join(directory, 'metafile.json')];
    const runtime = ['--runtime', executable, '--target', target];
    const args = ['apps/canal/build.ts', '--outfile', outfile, '--metafile', metafile, ...runtime];
    command(process.execPath, args, { cwd: ROOT });
    const bundle = JSON.parse(readFileSync(metafile, 'utf8')) as BundleRecord;
    return { binary: readFileSync(outfile), notices: thirdPartyNotices(bundle, ROOT) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Of the year 9999. */
const LAST_SECOND = 253_402_300_799;

/** SOURCE_DATE_EPOCH (reproducible-builds.org) goes before the commit's time. */
function revision(): Pick<ImageSource, 'revision' | 'created'> {
  const epoch = process.env['SOURCE_DATE_EPOCH'];
  const given = epoch === undefined || epoch === '' ? undefined : Number(epoch);
  if (given !== undefined && !(Number.isSafeInteger(given) && given >= 0 && given <= LAST_SECOND))
    throw new ImageError(`SOURCE_DATE_EPOCH is ${JSON.stringify(epoch)}, expected seconds since 1970`);
  // Fails without git and outside of a clone.
  const log = spawnSync('git', ['log', '-1', '--format=%H %ct'], { cwd: ROOT, encoding: 'utf8' });
  if (log.status !== 0) return { created: given ?? 0 };
  const [commit, time] = log.stdout.trim().split(' ');
  const changed = command('git', ['status', '--porcelain', '--untracked-files=no'], { cwd: ROOT }) !== '';
  return { revision: `${String(commit)}${changed ? '-dirty' : ''}`, created: given ?? Number(time) };
}
