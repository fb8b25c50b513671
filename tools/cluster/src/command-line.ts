/** Words of the command line to a command: options may stand anywhere before the words that are passed on. */
import { ClusterError } from './failure.ts';
import { parseName } from './plan.ts';

export interface CommandLine {
  readonly command: string;
  readonly name: string;
  readonly options: Readonly<Record<string, string>>;
  /** Words that are not options; for commands that pass words on, those as they stand. */
  readonly words: readonly string[];
}

/** Number of own words after which the rest is another program's. */
const PASS_ON: Readonly<Record<string, number>> = {
  kubectl: 0,
  node: 1,
  outside: 0,
};
/** Number of words that each other command takes at most. */
const WORDS: Readonly<Record<string, number>> = {
  up: 0,
  build: 0,
  status: 0,
  down: 0,
  list: 0,
  'node-add': 0,
  'load-image': 1,
  'node-remove': 1,
  halt: 1,
  reboot: 1,
  apiserver: 1,
  restart: 2,
  stop: 2,
  start: 2,
  logs: 2,
};
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  up: ['nodes', 'kube-proxy', 'ip-family', 'kubernetes', 'cni-plugins'],
  build: ['kubernetes', 'only', 'output'],
  status: ['output'],
  'load-image': ['node'],
};
export const DEFAULT_NAME = 'canal';

export function parseCommandLine(argv: readonly string[]): CommandLine {
  const options: Record<string, string> = {};
  const words: string[] = [];
  let name = DEFAULT_NAME;
  let command: string | undefined;
  let i = 0;
  for (; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (command !== undefined && words.length === PASS_ON[command] && !/^--name(=|$)/.test(word)) break;
    if (word === '--help' || word === '-h') return { command: 'help', name, options, words: [] };
    if (!word.startsWith('--')) {
      if (command === undefined) command = word;
      else words.push(word);
      continue;
    }
    const [option, inline] = split(word.slice(2));
    const value = inline ?? argv[++i];
    if (value === undefined) throw new ClusterError('usage', `--${option} needs a value`);
    if (option === 'name') name = parseName(value);
    else options[option] = value;
  }
  if (command === undefined) return { command: 'help', name, options, words };
  const known = OPTIONS[command] ?? [];
  const unknown = Object.keys(options).find((option) => !known.includes(option));
  if (unknown !== undefined) {
    const list = ['name', ...known].map((option) => `--${option}`).join(', ');
    throw new ClusterError('usage', `${command} has no option --${unknown}; it has ${list}`);
  }
  const surplus = words[WORDS[command] ?? words.length];
  if (surplus !== undefined)
    throw new ClusterError(
      'usage',
      `${command} does not take the word ${JSON.stringify(surplus)}; a cluster is named by --name`,
    );
  const rest = argv.slice(i);
  return {
    command,
    name,
    options,
    words: [...words, ...(rest[0] === '--' ? rest.slice(1) : rest)],
  };
}

function split(text: string): readonly [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** One of the known words. Throws `usage` with the list of them. */
export function parseChoice<T extends string>(what: string, text: string, known: readonly T[]): T {
  const found = known.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new ClusterError('usage', `${what} ${JSON.stringify(text)}: expected one of ${known.join(', ')}`);
}

export function parseCount(what: string, text: string, most: number): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= most) return count;
  throw new ClusterError('usage', `${what} ${JSON.stringify(text)}: expected a number from 1 to ${most}`);
}
