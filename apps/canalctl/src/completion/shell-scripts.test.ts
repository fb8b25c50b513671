/** The scripts in the shells that there are; of the others what they must consist of. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SHELL_SCRIPTS } from './shell-scripts.ts';

const MAIN = resolve(import.meta.dirname, '../main.ts');

let directory: string;
let env: Record<string, string>;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'canalctl-completion-'));
  env = { PATH: `${directory}:${process.env['PATH'] ?? ''}` };
  const entry = join(directory, 'entry.ts');
  writeFileSync(
    entry,
    `import { main } from ${JSON.stringify(MAIN)};\nprocess.exit(await main(process.argv.slice(2)));\n`,
  );
  for (const name of ['canalctl', 'kubectl-canal']) {
    program(name, `#!/bin/sh\nexec '${process.execPath}' '${entry}' "$@"\n`);
  }
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function program(name: string, text: string): void {
  writeFileSync(join(directory, name), text);
  chmodSync(join(directory, name), 0o755);
}

function run(command: readonly string[], stdin = ''): string {
  const child = Bun.spawnSync([...command], { env, cwd: directory, stdin: Buffer.from(stdin) });
  expect([command, child.stderr.toString(), child.exitCode]).toEqual([command, '', 0]);
  return child.stdout.toString();
}

test.each(Object.entries(SHELL_SCRIPTS))('canalctl completion %s prints the script', (shell, script) => {
  expect(run(['canalctl', 'completion', shell])).toBe(script);
});

/** What bash makes of words up to the cursor: after `FILES` where it would go on with names of files. */
const ASK = `compopt() { [[ "$*" == '+o default' ]] && files=''; }
ask() {
  COMP_WORDS=(canalctl "$@") COMP_CWORD=$# files=' FILES'
  _canalctl canalctl
  echo "\${COMPREPLY[*]}$files"
}
`;

test('bash: -n finds nothing, and COMP_WORDS as bash splits them get what may follow', () => {
  run(['bash', '-n'], SHELL_SCRIPTS.bash);
  const cases: readonly (readonly [words: string, reply: string])[] = [
    [`lab st`, 'status'],
    [`lab up --back`, '--backend'],
    [`lab up --backend ''`, 'vxlan host-gw'],
    [`lab up --backend =`, 'vxlan host-gw'],
    [`lab up --backend = h`, 'host-gw'],
    [`lab up --backend=h`, '--backend=host-gw'],
    [`lab probe a b : 80 --out`, '--output'],
    [`lab pod add x --label a = b c = d -o j`, 'json'],
    [`lab apply -f ''`, ' FILES'],
    [`lab apply --filename = po`, ' FILES'],
    [`lab pod rm 'x y'`, ''],
    [`completion ba`, 'bash'],
  ];
  const script = `set -eu\n${SHELL_SCRIPTS.bash}${ASK}${cases.map(([words]) => `ask ${words}\n`).join('')}complete -p canalctl\n`;
  expect(run(['bash', '-c', script]).split('\n')).toEqual([
    ...cases.map(([, reply]) => reply),
    'complete -o default -F _canalctl canalctl',
    '',
  ]);
});

test('bash: a program that is not there, or answers nothing, leaves files', () => {
  program('broken', '#!/bin/sh\necho oops >&2\nexit 3\n');
  const script = `${SHELL_SCRIPTS.bash}${ASK.replace('_canalctl canalctl', '_canalctl "$program"')}`;
  expect(run(['bash', '-c', `${script}program=broken; ask lab ''; program=absent; ask lab ''`])).toBe(
    ' FILES\n FILES\n',
  );
});

test('kubectl: the executable answers with candidates, and a directive as the last line', () => {
  program('kubectl_complete-canal', SHELL_SCRIPTS.kubectl);
  run(['sh', '-n', 'kubectl_complete-canal']);
  expect(run(['kubectl_complete-canal', 'lab', 'up', '--backend=h'])).toBe('host-gw\n:4\n');
  expect(run(['kubectl_complete-canal', 'lab', 'apply', '-f', ''])).toBe(':0\n');
  expect(run(['kubectl_complete-canal', 'flows', '--', '--den'])).toBe(':4\n');
});

test.each(['zsh', 'fish'] as const)(
  '%s: quotes and brackets are closed, it asks the program and reads its answers',
  (shell) => {
    const script = SHELL_SCRIPTS[shell];
    const code = script.replace(/^\s*#.*$/gm, '');
    const bare = code.replace(/'[^'\n]*'/g, '');
    expect((bare.match(/"/g) ?? []).length % 2).toBe(0);
    // Patterns of zsh's "case" have both brackets.
    for (const [open, close] of ['()', '[]', '{}']) {
      expect([open, bare.split(open ?? '').length]).toEqual([open, bare.split(close ?? '').length]);
    }
    const count = (word: string): number => code.split(/[\s;]+/).filter((one) => one === word).length;
    if (shell === 'fish') expect(count('end')).toBe(count('function') + count('for') + count('switch'));
    else expect([count('if'), count('do'), count('case')]).toEqual([count('fi'), count('done'), count('esac')]);
    expect(code).toContain(' __complete ');
    expect(code).toContain(':0');
    expect(script.split('\n')[0]).toBe(shell === 'zsh' ? '#compdef canalctl' : '# fish completion of canalctl');
  },
);

test.runIf(Bun.which('zsh') !== null)('zsh: -n finds nothing', () => {
  run(['zsh', '-n'], SHELL_SCRIPTS.zsh);
});

test.runIf(Bun.which('fish') !== null)('fish: --no-execute finds nothing, and it completes', () => {
  run(['fish', '--no-execute'], SHELL_SCRIPTS.fish);
  const ask = `complete -C 'canalctl lab up --backend '\ncomplete -C 'canalctl lab up --backend=h'\n`;
  expect(run(['fish', '--no-config'], `${SHELL_SCRIPTS.fish}${ask}`)).toBe('vxlan\nhost-gw\n--backend=host-gw\n');
});
