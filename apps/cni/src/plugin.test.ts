/** Dispatch, versions and error answers, without a kernel: whatever comes in, what goes out is an answer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { Kernel } from './kernel.ts';
import type { PluginAnswer } from './plugin-input.ts';
import { runPlugin } from './plugin.ts';

const folder = mkdtempSync(join(tmpdir(), 'canal-plugin-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** No call may get this far. */
const NO_KERNEL: Kernel = {
  openNetlink: () => never('openNetlink'),
  withNetns: () => never('withNetns'),
  netnsIdentity: () => undefined,
  writeIpv6Sysctl: () => never('writeIpv6Sysctl'),
  writeProxyDelay: () => never('writeProxyDelay'),
  connectUnixStream: () => never('connectUnixStream'),
  hasPolicyRules: () => never('hasPolicyRules'),
};

function never(what: string): never {
  throw new Error(`${what} was called`);
}

const CONFIG = {
  cniVersion: '1.1.0',
  name: 'canal',
  type: 'canal',
  subnetFile: `${folder}/subnet.env`,
  dataDir: `${folder}/networks`,
  stateDir: `${folder}/state`,
};
const VARIABLES = {
  CNI_CONTAINERID: 'c1',
  CNI_IFNAME: 'eth0',
  CNI_NETNS: '/run/netns/none',
  CNI_PATH: '/opt/cni/bin',
};

function run(command: string, config: unknown = CONFIG, variables: object = {}): PluginAnswer {
  const readStdin = (): string => (typeof config === 'string' ? config : JSON.stringify(config));
  return runPlugin({ variables: { ...VARIABLES, CNI_COMMAND: command, ...variables }, readStdin, kernel: NO_KERNEL });
}

function answerOf({ stdout }: PluginAnswer): { cniVersion?: string; code?: number; msg?: string; details?: string } {
  return JSON.parse(stdout) as ReturnType<typeof answerOf>;
}

describe('error answers', () => {
  test.each<[string, () => PluginAnswer, number, string]>([
    ['an unknown verb', () => run('FROB'), 4, 'CNI_COMMAND'],
    ['a missing variable', () => run('ADD', CONFIG, { CNI_NETNS: '' }), 4, 'CNI_NETNS'],
    ['a hostile container id', () => run('DEL', CONFIG, { CNI_CONTAINERID: '../../etc' }), 4, 'CNI_CONTAINERID'],
    ['no JSON', () => run('ADD', '{'), 6, 'not JSON'],
    ['no object', () => run('ADD', '[]'), 6, 'expected a JSON object'],
    ['a hostile network name', () => run('ADD', { ...CONFIG, name: '../x' }), 7, 'name: "../x"'],
    ['a version that nobody knows', () => run('ADD', { ...CONFIG, cniVersion: '2.0.0' }), 1, 'incompatible'],
    ['GC before 1.1.0', () => run('GC', { ...CONFIG, cniVersion: '1.0.0' }), 1, 'has no GC'],
    ['a hostile place', () => run('ADD', { ...CONFIG, dataDir: '/a/../b' }), 7, 'dataDir'],
    ['an unsupported field', () => run('ADD', { ...CONFIG, vlan: 7 }), 2, 'vlan: 7'],
    ['a namespace that is none', () => run('ADD'), 8, 'CNI_NETNS'],
    ['no subnet', () => run('STATUS'), 50, 'no'],
    ['a fault of ours', () => run('DEL'), 999, 'openNetlink was called'],
  ])('%s', (_what, call, code, message) => {
    const answer = call();
    expect(answer.exitCode).toBe(1);
    expect(answerOf(answer)).toMatchObject({ code, msg: expect.stringContaining(message) as string });
  });

  test('are in the version of the question, as far as it can be read', () => {
    expect(answerOf(run('ADD', { ...CONFIG, cniVersion: '0.4.0', name: '' })).cniVersion).toBe('0.4.0');
    expect(answerOf(run('ADD', '{')).cniVersion).toBe('1.1.0');
  });

  test('stdin that cannot be read is code 5', () => {
    const readStdin = (): string => never('stdin');
    const answer = runPlugin({ variables: { ...VARIABLES, CNI_COMMAND: 'ADD' }, readStdin, kernel: NO_KERNEL });
    expect(answerOf(answer).code).toBe(5);
  });
});

test('VERSION needs no configuration and does not read stdin', () => {
  const readStdin = (): string => never('stdin');
  const answer = runPlugin({ variables: { CNI_COMMAND: 'VERSION' }, readStdin, kernel: NO_KERNEL });
  expect(answer.exitCode).toBe(0);
  expect(answerOf(answer)).toEqual({ cniVersion: '1.1.0', supportedVersions: ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] });
});

test('whatever comes in, an answer goes out: exit 0, or JSON with one of the specification’s codes', () => {
  const text = fc.oneof(fc.string(), fc.json(), fc.constant(JSON.stringify(CONFIG)));
  const value = fc.oneof(fc.string(), fc.constantFrom('eth0', 'c1', '/run/netns/x', ''));
  fc.assert(
    fc.property(
      fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'X'),
      text,
      fc.dictionary(fc.constantFrom(...Object.keys(VARIABLES), 'CNI_ARGS'), value),
      (command, stdin, variables) => {
        const answer = run(command, stdin, variables);
        if (answer.exitCode === 0) return;
        const { code, msg } = answerOf(answer);
        expect([1, 2, 4, 5, 6, 7, 8, 11, 50, 999]).toContain(code);
        expect(msg).not.toBe('');
        // Only where a fault is injected may the answer be "internal": NO_KERNEL throws.
        if (code === 999) expect(msg).toContain('was called');
      },
    ),
    { numRuns: 400 },
  );
});
