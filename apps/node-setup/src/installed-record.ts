/**
 * <stateDir>/installed.json: hashes of the programs that canal put on this host, so that a later install or uninstall can
 * tell them from those of others. A hash is added before the file is put in its place and the others are dropped when it
 * is proven: whoever dies in between leaves a record that knows both.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '@canal/node-state';

/** Host path of a file to the SHA-256 digests (hex) it may have. */
type InstalledHashes = Readonly<Record<string, readonly string[]>>;

const INSTALLED_FILE = 'installed.json';

export class InstalledRecord {
  readonly #directory: string;
  #hashes: InstalledHashes;

  /** A record that cannot be read counts as none: then nothing but our own bytes is ours. */
  constructor(stateDir: string) {
    this.#directory = stateDir;
    this.#hashes = readHashes(join(stateDir, INSTALLED_FILE));
  }

  knows(hostPath: string, sha256: string): boolean {
    return this.#hashes[hostPath]?.includes(sha256) === true;
  }

  /** Host paths of the directories that programs were ever put in: the setting may have changed since. */
  directories(): readonly string[] {
    return [...new Set(Object.keys(this.#hashes).map((path) => dirname(path)))].filter((path) => path.startsWith('/'));
  }

  /** Adds a hash that the file is about to have. */
  announce(hostPath: string, sha256: string): void {
    if (this.knows(hostPath, sha256)) return;
    this.#write({ ...this.#hashes, [hostPath]: [...(this.#hashes[hostPath] ?? []), sha256] });
  }

  /** The file has this hash and no other. */
  settle(hostPath: string, sha256: string): void {
    const known = this.#hashes[hostPath];
    if (known?.length === 1 && known[0] === sha256) return;
    this.#write({ ...this.#hashes, [hostPath]: [sha256] });
  }

  #write(hashes: InstalledHashes): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o755 });
    const text = `${JSON.stringify({ version: 1, sha256: hashes }, undefined, 2)}\n`;
    writeFileAtomic(this.#directory, INSTALLED_FILE, text, { mode: 0o644, survives: 'power-cut' });
    this.#hashes = hashes;
  }
}

function readHashes(path: string): InstalledHashes {
  try {
    const { sha256 } = JSON.parse(readFileSync(path, 'utf8')) as { sha256?: unknown };
    if (typeof sha256 !== 'object' || sha256 === null) return {};
    return Object.fromEntries(
      Object.entries(sha256).flatMap(([name, list]) =>
        Array.isArray(list) ? [[name, list.filter((hash) => typeof hash === 'string')]] : [],
      ),
    );
  } catch {
    return {};
  }
}
