import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { EXIT, EXIT_CODE_HELP, EXIT_MEANINGS } from './exit-code.ts';
import { createProgram } from './program.ts';

let written = '';
const program = createProgram({
  terminal: { live: false, out: (text) => void (written += text), err: (text) => void (written += text) },
  signal: new AbortController().signal,
  outcome: { exitCode: 0 },
});

const below = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(below)];

test('the help of every command ends with the exit codes', () => {
  expect(Object.keys(EXIT_MEANINGS).map(Number)).toEqual(Object.values(EXIT));
  for (const command of below(program)) {
    written = '';
    command.outputHelp();
    expect(written.split(EXIT_CODE_HELP), command.name()).toEqual([expect.stringMatching(/[^\n]\n\n$/), '\n']);
  }
});

test('what was typed is said again without control characters', async () => {
  written = '';
  await expect(program.parseAsync(['lab', '\u001b[2Jup'], { from: 'user' })).rejects.toThrow('unknown command');
  expect(written).toContain("unknown command '\\u{1b}[2Jup'");
  expect(written).not.toContain('\u001b');
});
