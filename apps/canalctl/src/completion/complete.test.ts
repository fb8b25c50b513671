import type { Command, Option } from 'commander';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createProgram } from '../program.ts';
import { complete, formatCompletion } from './complete.ts';

const program = createProgram({
  terminal: { live: false, out: () => undefined, err: () => undefined },
  signal: new AbortController().signal,
  outcome: { exitCode: 0 },
});

/** The candidates, and `FILES` where the shell completes files. */
function after(...words: readonly string[]): readonly string[] {
  const { candidates, files } = complete(program, words);
  return [...candidates.map(({ word }) => word), ...(files ? ['FILES'] : [])];
}

interface Node {
  readonly path: readonly string[];
  readonly command: Command;
}

function below(node: Node): readonly Node[] {
  return [
    node,
    ...node.command.commands.flatMap((command) => below({ path: [...node.path, command.name()], command })),
  ];
}

const all = below({ path: [], command: program });
const isHidden = ({ command }: Node): boolean =>
  command.parent !== null && !command.parent.createHelp().visibleCommands(command.parent).includes(command);
const flagsOf = ({ long, short }: Option): readonly string[] => [long, short].filter((flag) => flag !== undefined);

test('there are many commands', () => {
  expect(all.length).toBeGreaterThan(20);
});

test.each(all.map((node) => [node.path.join(' '), node] as const))(
  'canalctl %s: every command, option and choice that is not hidden, and no other',
  (_name, { path, command }) => {
    const children = all.filter((node) => node.command.parent === command && !isHidden(node));
    if (children.length > 0) {
      expect(after(...path, '')).toEqual([...children.map(({ path: full }) => full.at(-1)), 'help']);
    }
    const options = command.options.filter(({ hidden }) => !hidden);
    expect([...after(...path, '-')].sort()).toEqual([...options.flatMap(flagsOf), '--help', '-h'].sort());
    for (const option of options) {
      if (option.argChoices === undefined) continue;
      for (const flag of flagsOf(option)) expect(after(...path, flag, '')).toEqual(option.argChoices);
      expect(after(...path, `${option.long ?? ''}=`, '')).not.toEqual(option.argChoices);
      expect(after(...path, `${option.long ?? ''}=`)).toEqual(option.argChoices);
    }
    const [first] = command.registeredArguments;
    if (first?.argChoices !== undefined) expect(after(...path, '')).toEqual(first.argChoices);
  },
);

test.each<[string, readonly string[]]>([
  ['l', ['lab']],
  ['lab s', ['status']],
  ['lab serve', []],
  ['nonsense ', ['--help', '-h']],
  ['lab up --no', ['--nodes', '--no-policy']],
  ['lab up --ip-family d', ['dual']],
  ['lab up --ip-family=', ['ipv4', 'dual', 'ipv6']],
  ['lab up --direct-routing=', []],
  ['lab up --name ', []],
  ['lab up --name --backend h', []],
  ['lab up --name x --backend h', ['host-gw']],
  ['lab apply -f ', ['FILES']],
  ['lab apply --filename=poli', ['FILES']],
  ['lab apply -fx -n', ['-n']],
  ['lab get -Ao ', ['table', 'wide', 'json', 'yaml', 'name', 'custom-columns=']],
  ['lab get -oA ', ['-n', '-A', '-o', '-h']],
  ['lab get pods -o j', ['json']],
  ['lab pod add x --label a=b c=d --node n --out', ['--output']],
  ['uninstall --node a b --dry', ['--dry-run']],
  ['uninstall --kubeconfig ', ['FILES']],
  ['uninstall --timeout=', []],
  ['lab pod exec pod1 ', ['FILES']],
  ['lab pod exec pod1 -- ls -', ['FILES']],
  ['lab pod exec pod1 -- ls --name ', ['FILES']],
  ['policy explain a b --socket ', ['FILES']],
  ['completion ', ['bash', 'zsh', 'fish', 'kubectl']],
  ['completion bash zsh', []],
  ['help po', ['policy']],
  ['get n', ['nodes', 'networkpolicies', 'net-conf']],
  ['get networkpolicies -o y', ['yaml']],
  ['flows --verdict ', ['allow', 'deny']],
  ['flows --as-role a', ['admin']],
  ['diag --directory ', ['FILES']],
  ['apply -f ', ['FILES']],
  ['patch pod p --type ', ['strategic', 'merge', 'json']],
  ['delete pod p --dry-run=', ['server', 'none']],
  ['help policy ', ['--help', '-h']],
  ['lab help n', ['node']],
])('canalctl %s', (line, expected) => {
  const given = after(...line.split(' '));
  // Where the options are all that is left, the short ones tell.
  expect(line.startsWith('lab get -oA') ? given.filter((word) => /^-\w$/.test(word)) : given).toEqual(expected);
});

test('where nothing else may stand the options are shown', () => {
  expect(after('lab', 'up', '')).toContain('--backend');
  expect(after('lab', 'status', '')).toEqual(after('lab', 'status', '-'));
});

test('whatever was typed, each candidate begins with it and is one safe word', () => {
  const known = all.flatMap(({ path, command }) => [...path, ...command.options.flatMap(flagsOf)]);
  const word = fc.oneof(fc.constantFrom(...known, '', '-', '--', '-o', 'help'), fc.string());
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (words) => {
      const typed = (words.at(-1) ?? '').replace(/^--[^=]+=/, '');
      for (const candidate of complete(program, words).candidates) {
        expect(candidate.word).toMatch(/^[a-zA-Z0-9-]+$/);
        expect(candidate.word.startsWith(typed) || candidate.word.startsWith(words.at(-1) ?? '')).toBe(true);
        expect(candidate.about).not.toMatch(/[\n\t]/);
      }
    }),
  );
});

test('the answer: candidates with their descriptions, and what the shell may add', () => {
  expect(formatCompletion(complete(program, ['policy', 'exp']))).toBe(
    'explain\tsay why a flow passes or does not\n:4\n',
  );
  expect(formatCompletion(complete(program, ['lab', 'up', '--backend', '']))).toBe('vxlan\nhost-gw\n:4\n');
  expect(formatCompletion(complete(program, ['lab', 'apply', '-f', '']))).toBe(':0\n');
});

test('a command of two descriptions is shown with the short one, and found by its other names', () => {
  const sub = program.createCommand('long').alias('other').description('very long').summary('short').option('-x');
  const parent = program.createCommand('p').addCommand(sub);
  expect(complete(parent, ['l']).candidates).toEqual([{ word: 'long', about: 'short' }]);
  expect(complete(parent, ['other', '-x']).candidates).toEqual([{ word: '-x', about: '' }]);
});
