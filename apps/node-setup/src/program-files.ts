/** The steps on disk that put a program in its place, one call each, so that a test can end the process between any two. */
import {
  chmodSync,
  chownSync,
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';

export interface ProgramFiles {
  /** Undefined when there is nothing. A link is not followed. */
  stat(path: string): Stats | undefined;
  /** SHA-256 in hex. */
  hash(path: string): string;
  /** Copies into a new file, mode 0755, owner root, synced. Gives the SHA-256. */
  copy(source: string, target: string): string;
  /** A second name for the file. */
  link(path: string, second: string): void;
  rename(from: string, to: string): void;
  /** Absent: no error. */
  unlink(path: string): void;
  /** Mode 0755 and owner root. */
  setMode(path: string): void;
  syncDirectory(path: string): void;
}

/** No SUID, no SGID (CVE-2024-33522), executable for whoever the runtime is. */
export const PROGRAM_MODE = 0o755;
const CHUNK_BYTES = 1024 * 1024;

export const PROGRAM_FILES: ProgramFiles = {
  stat: (path) => lstatSync(path, { throwIfNoEntry: false }),
  hash(path) {
    const hasher = new Bun.CryptoHasher('sha256');
    forEachChunk(path, (chunk) => hasher.update(chunk));
    return hasher.digest('hex');
  },
  copy(source, target) {
    const hasher = new Bun.CryptoHasher('sha256');
    const fd = openSync(target, 'wx', PROGRAM_MODE);
    try {
      forEachChunk(source, (chunk) => {
        hasher.update(chunk);
        for (let offset = 0; offset < chunk.length;) offset += writeSync(fd, chunk, offset);
      });
      // Whatever umask and owner this process has.
      fchownSync(fd, 0, 0);
      fchmodSync(fd, PROGRAM_MODE);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    return hasher.digest('hex');
  },
  link: linkSync,
  rename: renameSync,
  unlink(path) {
    try {
      unlinkSync(path);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  },
  setMode(path) {
    chownSync(path, 0, 0);
    chmodSync(path, PROGRAM_MODE);
  },
  syncDirectory(path) {
    const fd = openSync(path, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },
};

function forEachChunk(path: string, use: (chunk: Uint8Array) => void): void {
  const buffer = new Uint8Array(CHUNK_BYTES);
  const fd = openSync(path, 'r');
  try {
    for (;;) {
      const length = readSync(fd, buffer);
      if (length === 0) return;
      use(buffer.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
}
