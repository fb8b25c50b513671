import { printableLine } from './printable.ts';
import { type Terminal } from './terminal.ts';

/** Tells what is being done. On a terminal one line is drawn over; elsewhere every step is a line of its own. */
export interface Progress {
  /** Names of others may be in it. */
  step(text: string): void;
  /** Ends the line that is drawn over. */
  done(): void;
}

const FRAME_MS = 100;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const CLEAR_LINE = '\r\u001b[2K';

export function createProgress(terminal: Terminal, quiet = false): Progress {
  if (quiet) return { step: () => undefined, done: () => undefined };
  if (!terminal.live) return { step: (text) => terminal.err(`${printableLine(text)}\n`), done: () => undefined };
  let current: string | undefined;
  let frame = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  const draw = (): void => {
    if (current !== undefined) terminal.err(`${CLEAR_LINE}${FRAMES[frame++ % FRAMES.length] ?? ''} ${current}`);
  };
  const done = (): void => {
    clearInterval(timer);
    timer = undefined;
    if (current !== undefined) terminal.err(CLEAR_LINE);
    current = undefined;
  };
  return {
    step: (text) => {
      current = printableLine(text);
      timer ??= setInterval(draw, FRAME_MS);
      draw();
    },
    done,
  };
}
