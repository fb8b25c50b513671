/**
 * Packages of Debian 12 for any architecture, through an apt of our own: its lists, its empty dpkg state and its sources
 * are in the cache directory, so neither the machine's packages nor its foreign architectures matter. Signatures are
 * checked with Debian's keyring; the machine's proxy settings apply.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from './cache.ts';
import { command } from './command.ts';
import { ImageError } from './image-error.ts';
import type { Architecture } from './variant.ts';

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Its control fields, as in /var/lib/dpkg/status. */
  readonly control: string;
  /** The unpacked tree, until `dispose`. */
  readonly directory: string;
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const RELEASE = 'bookworm';
/** Lists older than this are fetched again: updates of the C library reach the image within a day. */
const FRESH_MS = 24 * 3600 * 1000;

/** Runs apt-get in a folder of its root. */
type Apt = (folder: '.' | 'debs', ...args: string[]) => string;

export interface UnpackedPackages extends Disposable {
  readonly packages: readonly DebianPackage[];
}

/** The newest version of each package for `architecture`, downloaded if need be and unpacked in a temporary directory. */
export function unpackDebianPackages(architecture: Architecture, names: readonly string[]): UnpackedPackages {
  if (!existsSync(KEYRING)) {
    throw new ImageError(`the image needs Debian's keyring ${KEYRING}: install the package debian-archive-keyring`);
  }
  const root = join(cacheFolder('image'), `apt-${architecture}`);
  const sources = aptSources();
  const configuration = writeAptRoot(root, architecture, sources);
  // apt keeps no lock over several commands, and two builds may run at once.
  const apt: Apt = (folder, ...args) =>
    command('flock', [join(root, 'lock'), 'apt-get', '-c', configuration, '-qq', ...args], {
      cwd: join(root, folder),
      from: 'of util-linux; with it apt, of Debian and Ubuntu',
    });
  update(join(root, 'updated'), sources, apt);
  const files = downloadAll(apt, names);
  const temporary = mkdtempSync(join(tmpdir(), 'canal-debian-'));
  const dispose = (): void => {
    rmSync(temporary, { recursive: true, force: true });
  };
  try {
    const packages = files.map((file) => unpack(join(root, 'debs', file), temporary));
    return { packages, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** From Debian, or from the mirror that CANAL_DEBIAN_MIRROR names. */
function aptSources(): string {
  const configured = process.env['CANAL_DEBIAN_MIRROR'];
  const mirror = configured === undefined || configured === '' ? 'http://deb.debian.org' : configured;
  const source = (path: string, suites: string): string =>
    `Types: deb\nURIs: ${mirror}/${path}\nSuites: ${suites}\nComponents: main\nSigned-By: ${KEYRING}\n`;
  return `${source('debian', `${RELEASE} ${RELEASE}-updates`)}\n${source('debian-security', `${RELEASE}-security`)}`;
}

function writeAptRoot(root: string, architecture: Architecture, sources: string): string {
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'debs']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(root, 'debian.sources'), sources);
  writeFileSync(join(root, 'status'), '');
  const configuration = join(root, 'apt.conf');
  writeFileSync(
    configuration,
    [
      '#clear APT::Update::Pre-Invoke;',
      '#clear APT::Update::Post-Invoke;',
      '#clear APT::Update::Post-Invoke-Success;',
      '#clear APT::Architectures;',
      `Dir::State "${root}/state";`,
      `Dir::State::status "${root}/status";`,
      `Dir::Cache "${root}/cache";`,
      `Dir::Etc::sourcelist "${root}/debian.sources";`,
      'Dir::Etc::sourceparts "/dev/null";',
      `APT::Architecture "${architecture}";`,
      `APT::Architectures { "${architecture}"; };`,
      // The cache is the caller's, which the user _apt may not enter.
      'APT::Sandbox::User "root";',
      'Acquire::Languages "none";',
      'Acquire::Retries "3";',
      'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";',
      'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";',
      '',
    ].join('\n'),
  );
  return configuration;
}

function update(stamp: string, sources: string, apt: Apt): void {
  if (isFresh(stamp, sources)) return;
  apt('.', '--error-on=any', 'update');
  writeFileSync(stamp, sources);
}

/** A stamp and not the lists' times, which are the mirror's. It holds what they were fetched from. */
export function isFresh(stamp: string, sources: string): boolean {
  return (
    existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < FRESH_MS && readFileSync(stamp, 'utf8') === sources
  );
}

/** File names in the download folder. apt leaves a file alone whose hash is right. */
function downloadAll(apt: Apt, names: readonly string[]): readonly string[] {
  // 'URI' file size SHA256:hash, a line for each; none where the file is in the folder already.
  const uris = apt('.', '--print-uris', 'download', ...names);
  const files = [...uris.matchAll(/^'[^']+' (\S+\.deb) \d+ SHA256:[0-9a-f]{64}$/gm)].map((match) => match[1] ?? '');
  const ordered = names.map((name) => files.find((file) => file.startsWith(`${name}_`)));
  apt('debs', 'download', ...names);
  return ordered.map((file, index) => {
    if (file === undefined) throw new ImageError(`apt names no file for ${String(names[index])}:\n${uris}`);
    return file;
  });
}

function unpack(file: string, temporary: string): DebianPackage {
  const from = 'of the package dpkg';
  const field = (name: string): string => command('dpkg-deb', ['-f', file, name], { from }).trim();
  const name = field('Package');
  const directory = join(temporary, name);
  command('dpkg-deb', ['-x', file, directory], { from });
  if (readdirSync(directory).length === 0) throw new ImageError(`${file} holds nothing`);
  return { name, version: field('Version'), control: command('dpkg-deb', ['-f', file], { from }), directory };
}
