/** canalctl(1), from the definitions of the commands. */
import type { Command } from 'commander';
import { EXIT_CODE_HELP, EXIT_MEANINGS } from '../exit-code.ts';
import { createProgram } from '../program.ts';
import { bold, item, prose, roff } from './roff.ts';

const ABOUT = `Answers go to standard output, progress and errors to standard error; an error names the next step. Text of others
(names, labels, messages) is printed with its control characters made visible. Colours are not used, and lines are drawn
over on a terminal only.

Through a link of the name kubectl-canal in a directory of PATH it is also run as "kubectl canal".`;

const HEAD = `.\\" Made from the definitions of the commands by apps/canalctl/man-page.ts: change those.
.TH CANALCTL 1 "" canal "User Commands"
.ad l
.nh
`;

export function renderManPage(): string {
  let written = '';
  const program = createProgram({
    terminal: { live: false, out: (text) => void (written += text), err: () => undefined },
    signal: new AbortController().signal,
    outcome: { exitCode: 0 },
  });
  /** What help says of the command beneath its options. */
  const aboutOf = (command: Command): string => {
    written = '';
    command.outputHelp();
    return written.slice(command.helpInformation().length).replace(EXIT_CODE_HELP, '');
  };
  const commands = visibleBelow(program);
  const description = program.description();
  return [
    HEAD,
    `.SH NAME\n${program.name()} \\- ${roff(description.charAt(0).toLowerCase() + description.slice(1))}\n`,
    `.SH SYNOPSIS\n${commands
      .filter(({ commands: own }) => own.length === 0)
      .map((command) => usageOf(command))
      .join('.br\n')}`,
    `.SH DESCRIPTION\n${prose(ABOUT)}`,
    `.SH OPTIONS\nOf every command:\n${optionsOf(program)}`,
    '.SH COMMANDS\n',
    ...commands.map((command) => renderCommand(command, aboutOf(command))),
    '.SH EXIT STATUS\n',
    ...Object.entries(EXIT_MEANINGS).map(([code, text]) => item(code, roff(text))),
    `.SH ENVIRONMENT\n${environmentOf(commands)}`,
    '.SH SEE ALSO\n.BR kubectl (1)\n',
  ].join('');
}

/** Depth first, in the order of help; `help` is not among them. */
function visibleBelow(parent: Command): readonly Command[] {
  const visible = parent.createHelp().visibleCommands(parent);
  return parent.commands.filter((child) => visible.includes(child)).flatMap((child) => [child, ...visibleBelow(child)]);
}

function renderCommand(command: Command, about: string): string {
  const help = command.createHelp();
  const operands = help
    .visibleArguments(command)
    .map((argument) => item(bold(help.argumentTerm(argument)), roff(help.argumentDescription(argument))));
  const usage = command.commands.length > 0 ? '' : `.PP\n${usageOf(command)}`;
  return [
    `.SS ${roff(pathOf(command))}\n`,
    `${roff(sentence(command.description()))}\n`,
    usage,
    ...operands,
    optionsOf(command),
    prose(about),
  ].join('');
}

function sentence(description: string): string {
  return `${description.charAt(0).toUpperCase()}${description.slice(1)}.`;
}

/** Without --help, which every command has and the program shows. */
function optionsOf(command: Command): string {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .filter(({ long }) => command.parent === null || long !== '--help')
    .map((option) => item(bold(help.optionTerm(option)), roff(help.optionDescription(option))))
    .join('');
}

/** `canalctl lab up [options]`. */
function usageOf(command: Command): string {
  return `${bold(pathOf(command))} ${roff(command.usage())}\n`;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Variables that stand in for options. */
function environmentOf(commands: readonly Command[]): string {
  const flags = new Map<string, string>();
  for (const command of commands) {
    for (const { envVar, long, hidden } of command.options) {
      if (envVar !== undefined && long !== undefined && !hidden) flags.set(envVar, long);
    }
  }
  return [...flags].map(([name, flag]) => item(bold(name), roff(`instead of ${flag}`))).join('');
}
