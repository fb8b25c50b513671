/**
 * The binary as it ships, started as root in a directory that somebody else has filled. What the switches of the build
 * keep out is shown by a binary built without them.
 */
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildCanal } from '../build.ts';

let root: string;
let hostile: string;
let shipped: string;
let careless: string;
let mark: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'canal-shipped-'));
  [shipped, careless, mark] = [join(root, 'canal'), join(root, 'careless'), join(root, 'mark')];
  await buildCanal({ outfile: shipped });
  await buildCanal({ outfile: careless, autoloadFromCurrentDirectory: true });
  hostile = mkdtempSync(join(root, 'hostile-'));
  const evil = join(hostile, 'evil.js');
  writeFileSync(evil, `require('node:fs').writeFileSync(${JSON.stringify(mark)}, 'here');`);
  writeFileSync(join(hostile, 'bunfig.toml'), `preload = ["./evil.js"]\n`);
  writeFileSync(join(hostile, '.bunfig.toml'), `preload = ["./evil.js"]\n`);
  for (const name of ['.env', '.env.local', '.env.production'])
    writeFileSync(join(hostile, name), 'CNI_COMMAND=VERSION\n');
  writeFileSync(join(hostile, 'package.json'), '{"type":"commonjs","imports":{"#x":"./evil.js"}}');
  writeFileSync(join(hostile, 'tsconfig.json'), '{"compilerOptions":{"paths":{"*":["./evil.js"]}}}');
});
afterAll(() => {
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  rmSync(mark, { force: true });
});

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether the hostile script has run. */
  readonly injected: boolean;
}

function run(binary: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Run {
  const child = Bun.spawnSync([binary, ...args], {
    cwd: hostile,
    env: { HOME: hostile, XDG_CONFIG_HOME: hostile, ...env },
  });
  return {
    exitCode: child.exitCode,
    stdout: child.stdout.toString(),
    stderr: child.stderr.toString(),
    injected: existsSync(mark),
  };
}

describe('in a hostile directory, as root', () => {
  test.each([
    ['bunfig.toml runs nothing in the plugin', [], { CNI_COMMAND: 'VERSION' }],
    ['nor in the agent', ['flanneld', '--version'], {}],
    ['nor in the command line', ['canalctl', '--help'], {}],
  ])('%s', (_name, args, env) => {
    expect(process.getuid?.()).toBe(0);
    expect(run(shipped, args, env)).toMatchObject({ exitCode: 0, injected: false });
  });

  test('.env sets nothing: without CNI_COMMAND there is help on stderr and nothing on stdout', () => {
    const { exitCode, stdout, stderr } = run(shipped);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toContain('canal canalctl');
  });

  test('a binary built without the switches runs the one and obeys the other', () => {
    const { injected, stdout } = run(careless);
    expect(injected).toBe(true);
    expect(stdout).toContain('supportedVersions');
  });
});

// Not to be prevented in the program: the runtime obeys before its first line. docs/security.md says who unsets them.
describe('the boundary: variables of the runtime itself', () => {
  test('BUN_OPTIONS runs what it names', () => {
    expect(run(shipped, [], { CNI_COMMAND: 'VERSION', BUN_OPTIONS: '--preload ./evil.js' }).injected).toBe(true);
  });

  test('BUN_BE_BUN makes a plain runtime of the binary', () => {
    expect(run(shipped, ['--version'], { BUN_BE_BUN: '1' }).stdout.trim()).toBe(Bun.version);
  });

  test('CNI_ARGS cannot set them', () => {
    const env = { CNI_COMMAND: 'VERSION', CNI_ARGS: 'IgnoreUnknown=1;BUN_OPTIONS=--preload ./evil.js' };
    expect(run(shipped, [], env)).toMatchObject({ exitCode: 0, injected: false });
  });
});

describe('programs', () => {
  test('VERSION answers without a configuration and without a trailing word', () => {
    const { exitCode, stdout } = run(shipped, [], { CNI_COMMAND: 'VERSION' });
    expect(exitCode).toBe(0);
    const { supportedVersions } = JSON.parse(stdout) as { supportedVersions: string[] };
    expect(supportedVersions).toEqual(['0.3.1', '0.4.0', '1.0.0', '1.1.0']);
  });

  test('a link runs the program that it is named after', () => {
    const link = join(root, 'flanneld');
    symlinkSync(shipped, link);
    expect(run(link, ['--version'])).toMatchObject({ exitCode: 0, stderr: '' });
    expect(run(link, ['--help']).stdout + run(link, ['--help']).stderr).toContain('kube-subnet-mgr');
  });

  test('a word that is no program is an error that names it', () => {
    const { exitCode, stderr } = run(shipped, ['flaneld']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('"flaneld"');
  });

  test('where executable memory is forbidden the error says so', () => {
    // Without memory that is writable and executable the runtime has no JIT: the same state from inside.
    const { exitCode, stderr } = run(shipped, ['flanneld', 'cleanup', '--dry-run'], { BUN_JSC_useJIT: '0' });
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('MemoryDenyWriteExecute');
    expect(stderr.length).toBeLessThan(2000);
  });
});
