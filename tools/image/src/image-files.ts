/** Every file of the image, from the binary and the unpacked packages. docs/image.md says what each is for. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { DebianPackage } from './debian-packages.ts';
import { parseElf } from './elf.ts';
import { GLIBC_FLOOR, newerThanFloor } from './glibc-floor.ts';
import { USER } from './image-config.ts';
import { ImageError } from './image-error.ts';
import type { TarEntry } from './tar-archive.ts';
import { LIBRARY_FOLDERS, type Architecture } from './variant.ts';

export interface ImageFilesInput {
  readonly architecture: Architecture;
  readonly binary: Uint8Array;
  /** The text of canal's own licence. */
  readonly license: Uint8Array;
  /** The licences of what is compiled in. */
  readonly notices: string;
  readonly libc: DebianPackage;
  readonly certificates: DebianPackage;
}

/** Programs that answer to a name of their own. */
const LINKS = ['canalctl', 'flanneld'];

export function imageFiles(input: ImageFilesInput): readonly TarEntry[] {
  const { binary, license, notices, libc, certificates } = input;
  const files: TarEntry[] = [
    file('usr/local/bin/canal', binary, 0o755),
    ...LINKS.map((name) => link(`usr/local/bin/${name}`, 'canal')),
    ...cLibrary(input),
    file('etc/passwd', passwd()),
    file('etc/group', `root:x:0:\n${USER.name}:x:${USER.id}:\n`),
    file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    file('etc/ssl/certs/ca-certificates.crt', certificateBundle(certificates.directory)),
    file('usr/share/doc/canal/LICENSE', license),
    file('usr/share/doc/canal/THIRD-PARTY', notices),
    ...[libc, certificates].flatMap(packageRecord),
    file('etc/os-release', 'PRETTY_NAME="canal"\nNAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n'),
  ];
  return [...foldersOf(files), ...files];
}

/** The loader and the libraries that the binary names, and those that they name, where the loader looks for them. */
function cLibrary({ architecture, binary, libc }: ImageFilesInput): readonly TarEntry[] {
  const needs = parseElf(binary);
  if (needs.machine !== architecture) throw new ImageError(`the binary is for ${needs.machine}, not ${architecture}`);
  const tooNew = newerThanFloor(needs);
  if (tooNew.length > 0) {
    throw new ImageError(`the binary does not start on hosts with glibc ${GLIBC_FLOOR}: it needs ${tooNew.join(', ')}`);
  }
  if (needs.interpreter === undefined) throw new ImageError('the binary is static: nothing to take from Debian');
  const folder = LIBRARY_FOLDERS[architecture];
  const loader = basename(needs.interpreter);
  const contents = new Map<string, Uint8Array>();
  const wanted = new Set([loader, ...needs.libraries]);
  for (const name of wanted) {
    const path = join(libc.directory, folder, name);
    if (!existsSync(path)) throw new ImageError(`${libc.name} ${libc.version} has no ${folder}/${name}`);
    const content = readFileSync(path);
    contents.set(name, content);
    for (const next of parseElf(content).libraries) wanted.add(next);
  }
  return [
    ...[...contents].map(([name, content]) => file(`${folder}/${name}`, content, 0o755)),
    // Where the binary looks for it, as in every Linux.
    link(needs.interpreter.slice(1), `/${folder}/${loader}`),
  ];
}

function passwd(): string {
  return `root:x:0:0:root:/:/\n${USER.name}:x:${USER.id}:${USER.id}:${USER.name}:/:/\n`;
}

/** What update-ca-certificates(8) makes: all of Mozilla's authorities one after the other. */
function certificateBundle(directory: string): string {
  const folder = join(directory, 'usr/share/ca-certificates/mozilla');
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.crt'))
    .sort();
  if (names.length === 0) throw new ImageError('the package ca-certificates holds no certificate');
  return names.map((name) => `${readFileSync(join(folder, name), 'utf8').trimEnd()}\n`).join('');
}

/** Licence, and the record by which scanners know the version. */
function packageRecord({ name, control, directory }: DebianPackage): readonly TarEntry[] {
  return [
    file(`usr/share/doc/${name}/copyright`, readFileSync(join(directory, 'usr/share/doc', name, 'copyright'))),
    file(`var/lib/dpkg/status.d/${name}`, `${control.trimEnd()}\n`),
  ];
}

function foldersOf(files: readonly TarEntry[]): readonly TarEntry[] {
  const folders = new Set<string>();
  for (const { path } of files) {
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) folders.add(path.slice(0, at));
  }
  return [...folders].map((path) => ({ type: 'directory', path, mode: 0o755 }));
}

function file(path: string, content: Uint8Array | string, mode = 0o644): TarEntry {
  return {
    type: 'file',
    path,
    mode,
    content: typeof content === 'string' ? new TextEncoder().encode(content) : content,
  };
}

function link(path: string, target: string): TarEntry {
  return { type: 'symlink', path, target };
}
