/** What may stand next on a command line, from the definitions of the commands alone: no lab and no cluster is asked. */
import type { Argument, Command, Option } from 'commander';

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Whether the name of a file may stand there. */
  readonly files: boolean;
}

export interface Candidate {
  readonly word: string;
  /** What it is, in one line. */
  readonly about: string;
}

/** `words`: those after the program's name up to the cursor. The last is to be completed; it may be empty. */
export function complete(program: Command, words: readonly string[]): Completion {
  const typed = words.at(-1) ?? '';
  const place = placeAfter(program, words.slice(0, -1));
  const { command, wanting, optionsOver } = place;
  if (wanting?.must === true) return valuesOf(wanting.option, typed);
  if (!optionsOver && typed.startsWith('-')) {
    const [, flag = '', value = ''] = /^(--[^=]+)=(.*)$/s.exec(typed) ?? [];
    if (flag === '') return optionsOf(command, typed);
    const option = findOption(command, flag);
    return option === undefined || isSwitch(option) ? NOTHING : valuesOf(option, value);
  }
  const found = wanting === undefined ? operandsAt(place, typed) : valuesOf(wanting.option, typed);
  if (optionsOver || found.files || found.candidates.length > 0) return found;
  return optionsOf(command, typed);
}

/**
 * As the completion scripts and kubectl read it: a line for each candidate, its description behind a tab, and at the end
 * what the shell may add: `:0` names of files, `:4` nothing (the directives of cobra, which kubectl is made with).
 */
export function formatCompletion({ candidates, files }: Completion): string {
  const lines = candidates.map(({ word, about }) => (about === '' ? word : `${word}\t${about}`));
  return [...lines, files ? ':0' : ':4', ''].join('\n');
}

const NOTHING: Completion = { candidates: [], files: false };

/** Names of values and operands in the definitions, `<file>` for instance, for which the shell knows what there is. */
const ARE_FILES: ReadonlySet<string> = new Set(['file', 'path', 'directory', 'command']);

/** Where the parser stands after some words. */
interface Place {
  readonly command: Command;
  /** Operands of the command that were given. */
  readonly operands: number;
  /** After `--`. */
  readonly optionsOver: boolean;
  /** After `help`: the command's own commands are its operands. */
  readonly isHelp: boolean;
  readonly wanting: Wanting | undefined;
}

/** An option whose value may come, or must. */
interface Wanting {
  readonly option: Option;
  readonly must: boolean;
}

function placeAfter(program: Command, words: readonly string[]): Place {
  let command = program;
  let [operands, optionsOver, isHelp] = [0, false, false];
  let wanting: Wanting | undefined;
  for (const word of words) {
    if (!optionsOver && wanting !== undefined && (wanting.must || !word.startsWith('-'))) {
      wanting = wanting.option.variadic ? { option: wanting.option, must: false } : undefined;
      continue;
    }
    wanting = undefined;
    if (!optionsOver && word === '--') {
      optionsOver = true;
    } else if (!optionsOver && word.startsWith('-')) {
      wanting = wantingAfter(command, word);
    } else {
      const child = operands === 0 && !isHelp ? command.commands.find((one) => namesOf(one).includes(word)) : undefined;
      if (child !== undefined) command = child;
      else if (word === 'help' && command.commands.length > 0) isHelp = true;
      else operands++;
    }
  }
  return { command, operands, optionsOver, isHelp, wanting };
}

/** The option of the word whose value is in the next one: of `-Ao` that of `o`. */
function wantingAfter(command: Command, word: string): Wanting | undefined {
  const letters = word.startsWith('--') ? [] : Array.from(word.slice(1));
  for (const [index, letter] of letters.entries()) {
    const option = findOption(command, `-${letter}`);
    if (option === undefined) return undefined;
    if (isSwitch(option)) continue;
    return index === letters.length - 1 ? { option, must: option.required } : undefined;
  }
  const option = findOption(command, word);
  return option === undefined || isSwitch(option) ? undefined : { option, must: option.required };
}

function findOption(command: Command, flag: string): Option | undefined {
  return command.options.find(({ long, short }) => flag === long || flag === short);
}

function isSwitch(option: Option): boolean {
  return !option.required && !option.optional;
}

function namesOf(command: Command): readonly string[] {
  return [command.name(), ...command.aliases()];
}

function operandsAt({ command, operands, isHelp }: Place, typed: string): Completion {
  const help = command.createHelp();
  if (command.commands.length > 0) {
    const children = help.visibleCommands(command).filter((child) => !isHelp || child.name() !== 'help');
    const candidates = children.map((child) => ({ word: child.name(), about: child.summary() || child.description() }));
    return operands === 0 ? { candidates: startingWith(candidates, typed), files: false } : NOTHING;
  }
  const { registeredArguments: all } = command;
  const last = all.at(-1);
  const argument = all[operands] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined ? NOTHING : valuesOf(argument, typed);
}

function valuesOf(taker: Argument | Option, typed: string): Completion {
  const name = 'flags' in taker ? (/[<[]([^\]>.]+)/.exec(taker.flags)?.[1] ?? '') : taker.name();
  const candidates = (taker.argChoices ?? []).map((word) => ({ word, about: '' }));
  return { candidates: startingWith(candidates, typed), files: candidates.length === 0 && ARE_FILES.has(name) };
}

function optionsOf(command: Command, typed: string): Completion {
  const options = command.createHelp().visibleOptions(command);
  const candidates = options.flatMap(({ long, short, description }) =>
    [long, short].flatMap((word) => (word === undefined ? [] : [{ word, about: description }])),
  );
  return { candidates: startingWith(candidates, typed), files: false };
}

function startingWith(candidates: readonly Candidate[], typed: string): readonly Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(typed));
}
