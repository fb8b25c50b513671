import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';

const [STDOUT, STDERR] = [1, 2];

/** Where the program writes; injected so that tests can read it. */
export interface Terminal {
  /** The answer. */
  out(text: string): void;
  /** Progress, warnings and errors. */
  err(text: string): void;
  /** Whether `err` is a terminal: only then may lines be drawn over. */
  readonly live: boolean;
  /** Whether `out` is a terminal that shows colours. */
  readonly colours?: boolean;
  /** Of `out` now, when it is a terminal that can be drawn on. */
  readonly size?: () => TerminalSize;
  /** Whether nobody reads what `out` is given: what would go on for ever ends then. */
  readonly readerGone?: () => boolean;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** The process's own streams, written at once: nothing is left in a buffer when the process exits. */
export function processTerminal(env: Readonly<Record<string, string | undefined>>): Terminal {
  let gone = false;
  return {
    out: (text) => {
      gone ||= !writeAll(STDOUT, text);
    },
    err: (text) => void writeAll(STDERR, text),
    readerGone: () => gone,
    live: isatty(STDERR) && env['TERM'] !== 'dumb' && env['CI'] === undefined,
    ...(isatty(STDOUT) && env['TERM'] !== 'dumb' && { size: sizeOfOut }),
    // https://no-color.org: set, and not empty.
    colours: isatty(STDOUT) && env['TERM'] !== 'dumb' && (env['NO_COLOR'] ?? '') === '',
  };
}

/** As VT100 when the terminal does not say. */
function sizeOfOut(): TerminalSize {
  const { columns, rows } = process.stdout;
  return { columns: columns || 80, rows: rows || 24 };
}

/** False when the reader has gone (`| head`): there is nobody to tell. */
function writeAll(fd: number, text: string): boolean {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length;) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
      if (code === 'EPIPE') return false;
      // A pipe that somebody made non-blocking is full: wait for its reader.
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  return true;
}
