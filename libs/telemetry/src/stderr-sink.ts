import { writeSync } from 'node:fs';

const STDERR = 2;

/**
 * Writes to standard error at once, as flanneld does: a line that was logged is out before the process can die.
 * When a reader leaves the pipe full (EAGAIN) or is gone (EPIPE), the line is lost and the agent goes on.
 */
export function writeStderr(line: string): boolean {
  try {
    writeSync(STDERR, line);
    return true;
  } catch {
    return false;
  }
}
