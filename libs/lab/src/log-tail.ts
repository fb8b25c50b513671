import { readFileSync } from 'node:fs';

const LINES = 8;

/** The end of a log for an error text, each line set in; what cannot be read is named. */
export function logTail(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return `  (no log at ${path})`;
  }
  const lines = text.trimEnd().split('\n').slice(-LINES);
  return [`  last lines of ${path}:`, ...lines.map((line) => `  | ${line}`)].join('\n');
}
