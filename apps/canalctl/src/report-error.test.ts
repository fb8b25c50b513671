import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabError } from '@canal/lab';
import { KubeConfigError } from '@canal/store-kube';
import { StoreError } from '@canal/store-port';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from './exit-code.ts';
import { INTERRUPTED } from './next-step.ts';
import { createProgram } from './program.ts';
import { reportError, UsageError } from './report-error.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'canalctl-errors-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** What a person reads, and the exit code. */
async function reported(error: unknown): Promise<{ text: string; exitCode: number }> {
  let text = '';
  const terminal = { live: false, out: () => undefined, err: (part: string) => void (text += part) };
  const exitCode = await reportError(terminal, error);
  return { text, exitCode };
}

/** What the command throws. */
async function errorOf(...args: string[]): Promise<unknown> {
  const terminal = { live: false, out: () => undefined, err: () => undefined };
  const context = { terminal, signal: new AbortController().signal, outcome: { exitCode: 0 } };
  try {
    await createProgram(context).parseAsync(args, { from: 'user' });
  } catch (error) {
    return error;
  }
  throw new Error('it went well');
}

/** Unknown errors get a line that helps nobody much: what is expected here must not get it. */
const LAST_RESORT = /report it with this line/;

test.each([
  ['a system error', Object.assign(new Error('no space left'), { code: 'ENOSPC' }), EXIT.failed, 'free space'],
  ['what root may do', Object.assign(new Error('no'), { code: 'EACCES' }), EXIT.notSupported, 'run it as root'],
  ['a signal', new Error(INTERRUPTED), EXIT.failed, 'the same command goes on'],
  ['a wrong argument', new UsageError('no', 'give another'), EXIT.usage, 'give another'],
  ['a lab without a word', new LabError('failed', 'no'), EXIT.failed, 'canalctl lab status'],
  ['a lab with one', new LabError('busy', 'no', { hint: 'wait' }), EXIT.busy, 'wait'],
  ['an API server that is away', new StoreError('unavailable', 'no'), EXIT.failed, 'canalctl lab up'],
  ['a refusal', new StoreError('forbidden', 'no'), EXIT.failed, '--context'],
  ['an object that is not there', new StoreError('not-found', 'no'), EXIT.notFound, 'shows what there is'],
  ['a kubeconfig', new KubeConfigError('malformed', 'no'), EXIT.failed, 'KUBECONFIG'],
])('%s: the message, then the next step', async (_title, error, exitCode, says) => {
  const { text, exitCode: given } = await reported(error);
  const [first, second, ...rest] = text.split('\n');
  expect([first, rest, given]).toEqual([`error: ${error.message}`, [''], exitCode]);
  expect(second).toMatch(/^ {2}\S/);
  expect(second).toContain(says);
});

test('what nobody foresaw has a next step too', async () => {
  for (const error of [new TypeError('x is not a function'), 'text', undefined]) {
    expect((await reported(error)).text).toMatch(LAST_RESORT);
  }
});

const FILES: Readonly<Record<string, string>> = {
  empty: '',
  'not-yaml': 'a: [',
  'no-kind': 'apiVersion: v1\nmetadata: {name: x}\n',
  list: '- 1\n',
  'other-context': 'current-context: x\ncontexts: []\nclusters: []\nusers: []\n',
};

test.each([
  [['uninstall', '--dry-run', '--kubeconfig', '/nope'], /\/nope cannot be read: ENOENT\n {2}.*--kubeconfig/],
  [['uninstall', '--dry-run', '--kubeconfig', '@not-yaml'], /is not YAML .*\n {2}correct the file/],
  [['uninstall', '--dry-run', '--kubeconfig', '@other-context'], /there is no context "x".*\n {2}.*--context/],
  [['uninstall', '--timeout', 'soon'], /--timeout: "soon" .*\n {2}give one such as 120/],
  [['lab', 'up', '--nodes', 'x'], /"x" is no whole number\n {2}give one such as 3/],
  [['lab', 'apply', '-f', '/nope'], /\/nope cannot be read: ENOENT.*\n {2}give -f a file/],
  [['lab', 'apply', '-f', '@empty'], /holds no object\n {2}give -f a file/],
  [['lab', 'apply', '-f', '@not-yaml'], /\n {2}correct the file/],
  [['lab', 'apply', '-f', '@no-kind'], /kind is missing\n {2}correct the file/],
  [['lab', 'apply', '-f', '@list'], /a document is no object\n {2}correct the file/],
  [['lab', 'get', 'pods', 'x', '-A'], /one object has one namespace\n {2}leave out/],
  [['lab', 'pod', 'add', 'a/b/c'], /is no pod name\n {2}give name/],
  [['lab', 'pod', 'add', 'a', '--label', 'x'], /"x" is no label\n {2}give key=value/],
  [['lab', 'down', '--all', '--state-root', '/nope'], /there is no lab on this machine\n {2}\S/],
])('canalctl %j', async (args, says) => {
  const given = args.map((arg) => {
    const name = arg.startsWith('@') ? arg.slice(1) : undefined;
    if (name === undefined) return arg;
    writeFileSync(join(directory, name), FILES[name] ?? '');
    return join(directory, name);
  });
  const { text } = await reported(await errorOf(...given));
  expect(text).toMatch(says);
  expect(text).not.toMatch(LAST_RESORT);
});
