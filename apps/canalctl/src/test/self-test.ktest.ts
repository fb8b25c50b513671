/** `canalctl test` in a lab with real agents and the real plugin: well, with a node that is shut, and interrupted. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../exit-code.ts';
import type { TestResult } from './test-result.ts';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
const STATE_ROOT = `/run/canal-self-test-${process.pid}`;
const NAME = `t${process.pid}`;
const ENV = { PATH: process.env['PATH'] ?? '', CANAL_LAB_STATE_ROOT: STATE_ROOT };

interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

function run(command: readonly string[]): Run {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { env: ENV });
  return { exitCode, out: stdout.toString(), err: stderr.toString() };
}

const canalctl = (...words: readonly string[]): Run => run([BINARY, 'canalctl', ...words]);

function selfTest(): { readonly exitCode: number; readonly ids: (verdict: string) => readonly string[] } {
  const { exitCode, out, err } = canalctl('test', '--lab', NAME, '-o', 'json');
  if (out === '') throw new Error(`exit code ${exitCode}: ${err}`);
  const { tests } = JSON.parse(out) as { readonly tests: readonly TestResult[] };
  return { exitCode, ids: (verdict) => tests.filter((one) => one.verdict === verdict).map(({ id }) => id) };
}

/** Of the lab's own, which there are none of. */
function podsLeft(): string {
  return canalctl('lab', 'get', 'pods', '-A', '--name', NAME, '-o', 'name').out;
}

const WAYS = ['node1/node1', 'node2/node2', 'node1/node2', 'node2/node1'];
const ofEach = (group: string, ways: readonly string[]): readonly string[] =>
  ways.flatMap((way) => [`${group}/${way}/ipv4`, `${group}/${way}/ipv6`]);

beforeAll(() => {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it with "npm run build"`);
  const spec = ['--name', NAME, '--nodes', '2', '--pods-per-node', '0', '--ip-family', 'dual'];
  expect(canalctl('lab', 'up', ...spec)).toMatchObject({ exitCode: EXIT.ok });
});
afterAll(() => {
  canalctl('lab', 'down', '--name', NAME);
});

test('a lab that is well', () => {
  const { exitCode, ids } = selfTest();
  expect([exitCode, ids('fail'), ids('skip')]).toEqual([EXIT.ok, [], ['service', 'dns']]);
  const groups = ['pod-to-pod', 'large-packets', 'policy/isolates'];
  expect(ids('ok')).toEqual(expect.arrayContaining(groups.flatMap((group) => ofEach(group, WAYS))));
  expect(podsLeft()).toBe('');
});

test('a node that lets no packets of others in: which ways, and nothing that they would show', () => {
  const inNode = (...words: readonly string[]): Run => run(['ip', 'netns', 'exec', `canal-${NAME}.node2`, ...words]);
  const shut = 'table inet shut { chain in { type filter hook input priority -300; udp dport 8472 drop; }; }';
  expect(inNode('nft', shut)).toMatchObject({ exitCode: 0 });
  try {
    const { exitCode, ids } = selfTest();
    expect(exitCode).toBe(EXIT.unhealthy);
    const between = ['node1/node2', 'node2/node1'];
    expect(ids('fail').filter((id) => id.startsWith('pod-to-pod'))).toEqual(ofEach('pod-to-pod', between));
    expect(ids('ok')).toEqual(expect.arrayContaining(ofEach('pod-to-pod', ['node1/node1', 'node2/node2']) as string[]));
    expect(ids('skip')).toEqual(expect.arrayContaining(ofEach('policy/isolates', between) as string[]));
  } finally {
    inNode('nft', 'delete', 'table', 'inet', 'shut');
  }
  expect(podsLeft()).toBe('');
});

test('a link that is smaller than pods know', () => {
  const inNode = (...words: readonly string[]): Run => run(['ip', 'netns', 'exec', `canal-${NAME}.node2`, ...words]);
  const drop = 'meta length 1451-1600 udp dport 8472 drop';
  const shut = `table inet small { chain in { type filter hook input priority -300; ${drop}; }; }`;
  expect(inNode('nft', shut)).toMatchObject({ exitCode: 0 });
  try {
    const { exitCode, ids } = selfTest();
    expect(exitCode).toBe(EXIT.unhealthy);
    expect(ids('fail')).toEqual(expect.arrayContaining(ofEach('large-packets', ['node1/node2']) as string[]));
    expect(ids('ok')).toEqual(expect.arrayContaining(ofEach('pod-to-pod', WAYS) as string[]));
  } finally {
    inNode('nft', 'delete', 'table', 'inet', 'small');
  }
});

test('an interrupt takes the pods away', async () => {
  const child = Bun.spawn([BINARY, 'canalctl', 'test', '--lab', NAME], { env: ENV, stdout: 'pipe', stderr: 'pipe' });
  let err = '';
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    const before = err;
    err += decoder.decode(chunk, { stream: true });
    const begun = (text: string): boolean => text.includes('a policy isolates');
    if (begun(err) && !begun(before)) child.kill('SIGINT');
  }
  expect([await child.exited, err]).toEqual([EXIT.failed, expect.stringContaining('interrupted')]);
  expect(podsLeft()).toBe('');
  const names = canalctl('lab', 'get', 'namespaces', '--name', NAME, '-o', 'name').out;
  expect(names).toContain('default');
  expect(names).not.toContain('canal-test');
});
