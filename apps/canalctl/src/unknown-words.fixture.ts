/** Whether what is typed in documents and pictures is there. */
import type { Command } from 'commander';
import { createProgram } from './program.ts';

export const PROGRAM: Command = createProgram({
  terminal: { live: false, out: () => undefined, err: () => undefined },
  signal: new AbortController().signal,
  outcome: { exitCode: 0 },
});

/** What of the words after `canalctl` the program does not have: commands and options. */
export function unknownIn(words: readonly string[]): readonly string[] {
  let command = PROGRAM;
  const unknown: string[] = [];
  for (const word of words) {
    if (word === '--' || word.includes('…')) break;
    const child = command.commands.find((one) => one.name() === word);
    if (child !== undefined) command = child;
    else if (word.startsWith('-')) {
      const [flag] = word.split('=');
      const known = [...command.options.flatMap(({ long, short }) => [long, short]), '--help', '-h'];
      if (!known.includes(flag)) unknown.push(word);
    } else if (command.commands.length > 0 && /^[a-z-]+$/.test(word)) {
      unknown.push(word);
      break;
    }
  }
  return unknown;
}
