/** `npm run image`: builds the container image without a container engine. */
import { mkdirSync, mkdtempSync, openSync, closeSync, renameSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { archiveOf, imageTree, ROOT, type ImageTree } from './build-image.ts';
import { canalctlDownload } from './canalctl-download.ts';
import { ImageError } from './image-error.ts';
import { startPrograms, unpackArchive, type StartedProgram } from './start-programs.ts';
import { tarArchive } from './tar-archive.ts';
import { archiveName, parseVariant, variantName, VARIANTS, type Variant } from './variant.ts';

const HELP = `npm run image -- [options]: builds dist/canal-image.tar, for "docker load", "ctr images import",
"kind load image-archive"

  --platform linux/amd64|linux/arm64   default: this machine's; arm64 goes to dist/canal-image-arm64.tar
  --cpu baseline                       for CPUs without AVX2, to dist/canal-image-amd64-baseline.tar
  --all                                every one of these
  --canalctl                           also the download of the command line, dist/canalctl-….tar.gz, and its .sha256
  --start                              starts the programs in a chroot of the image, under qemu-user where need be
  --rootfs FILE                        only the files of the image, as one tar archive
  --output json                        what was built, for programs
  --help
`;

/** Megabytes of 10^6 bytes; the image stays below this. */
const LARGEST_MB = 130;

interface Built {
  readonly variant: string;
  readonly name: string;
  readonly file: string;
  readonly bytes: number;
  readonly digest: string;
  readonly imageId: string;
  readonly diffId: string;
  readonly parts: Readonly<Record<string, string>>;
  readonly download?: { readonly file: string; readonly bytes: number; readonly sha256: string };
  readonly started?: readonly StartedProgram[];
}

function main(args: readonly string[]): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      platform: { type: 'string' },
      cpu: { type: 'string' },
      all: { type: 'boolean', default: false },
      canalctl: { type: 'boolean', default: false },
      start: { type: 'boolean', default: false },
      rootfs: { type: 'string' },
      output: { type: 'string', default: 'text' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    print(HELP);
    return 0;
  }
  const { output } = values;
  if (output !== 'text' && output !== 'json') throw new ImageError(`--output ${output}: there is text and json`);
  if (values.all && (values.platform ?? values.cpu ?? values.rootfs) !== undefined)
    throw new ImageError('--all builds every variant: it goes with neither --platform, --cpu nor --rootfs');
  const variants = values.all ? VARIANTS : [parseVariant(values.platform, values.cpu, process.arch)];
  if (values.rootfs !== undefined) {
    for (const variant of variants) writeFile(values.rootfs, tarArchive(imageTree(variant).files));
    return 0;
  }
  const built = variants.map((variant) => build(variant, values));
  print(output === 'json' ? `${JSON.stringify(built, null, 2)}\n` : built.map(describe).join('\n'));
  return built.some(failed) ? 1 : 0;
}

function build(variant: Variant, { canalctl, start }: { canalctl: boolean; start: boolean }): Built {
  const tree = imageTree(variant);
  const archive = archiveOf(variant, tree);
  if (archive.size > LARGEST_MB * 1e6) {
    throw new ImageError(`the image has ${(archive.size / 1e6).toFixed(1)} MB; more than ${LARGEST_MB} are too many`);
  }
  const file = join('dist', archiveName(variant));
  writeFile(join(ROOT, file), archive.chunks);
  return {
    variant: variantName(variant),
    name: tree.name,
    file,
    bytes: archive.size,
    digest: archive.digest,
    imageId: archive.imageId,
    diffId: archive.diffId,
    parts: tree.source.parts,
    ...(canalctl && { download: writeDownload(variant, tree) }),
    ...(start && { started: startAll(join(ROOT, file), variant, tree.source.version) }),
  };
}

function writeDownload(variant: Variant, tree: ImageTree): Built['download'] & object {
  const { fileName, content, sha256 } = canalctlDownload(variant, tree);
  const file = join('dist', fileName);
  writeFile(join(ROOT, file), [content]);
  writeFile(join(ROOT, `${file}.sha256`), [new TextEncoder().encode(`${sha256}  ${fileName}\n`)]);
  return { file, bytes: content.length, sha256 };
}

function startAll(archive: string, variant: Variant, version: string): readonly StartedProgram[] {
  const directory = mkdtempSync(join(tmpdir(), 'canal-image-root-'));
  try {
    unpackArchive(archive, directory);
    return startPrograms(join(directory, 'root'), variant, version);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Written beside and renamed: nobody loads half an archive. */
function writeFile(path: string, chunks: readonly Uint8Array[]): void {
  mkdirSync(join(path, '..'), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  const file = openSync(temporary, 'w');
  try {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) at += writeSync(file, chunk, at);
    }
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

function failed({ started = [] }: Built): boolean {
  return started.some(({ failure }) => failure !== undefined);
}

function describe(built: Built): string {
  const lines = [
    `${built.file}  ${built.name}`,
    `  size      ${megabytes(built.bytes)}`,
    `  digest    ${built.digest}`,
    `  image id  ${built.imageId}`,
    `  layer     ${built.diffId}`,
    `  made of   ${Object.entries(built.parts)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
  ];
  if (built.download !== undefined) {
    lines.push(`${built.download.file}  ${megabytes(built.download.bytes)}`, `  sha256    ${built.download.sha256}`);
  }
  for (const { name, milliseconds, failure } of built.started ?? []) {
    lines.push(
      `  ${failure === undefined ? 'starts' : 'FAILS '}  ${name} (${milliseconds} ms)${failure === undefined ? '' : `: ${failure}`}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function print(text: string): void {
  process.stdout.write(text);
}

try {
  process.exit(main(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof ImageError) && !isUsage(error)) throw error;
  process.stderr.write(`canal: ${error.message}\n`);
  process.exit(1);
}

/** What parseArgs throws. */
function isUsage(error: unknown): error is Error {
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
