/** `canalctl ipam release` in a lab with real agents: of a sandbox that was lost, and of a pod that lives. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { waitFor } from '@canal/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../exit-code.ts';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
const STATE_ROOT = `/run/canal-release-test-${process.pid}`;
const NAME = `r${process.pid}`;
/** Of the first pod of node1, and of the second. */
const [LOST, LIVE] = ['10.244.1.2', '10.244.1.3'];

interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

function canalctl(...words: readonly string[]): Run {
  const { exitCode, stdout, stderr } = Bun.spawnSync([BINARY, 'canalctl', ...words], {
    env: { PATH: process.env['PATH'] ?? '', CANAL_LAB_STATE_ROOT: STATE_ROOT },
  });
  return { exitCode, out: stdout.toString(), err: stderr.toString() };
}

const ipam = (...words: readonly string[]): Run => canalctl('ipam', ...words, '--lab', NAME);

beforeAll(() => {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it with "npm run build"`);
  expect(canalctl('lab', 'up', '--name', NAME, '--nodes', '1', '--pods-per-node', '2')).toMatchObject({ exitCode: 0 });
});
afterAll(() => {
  canalctl('lab', 'down', '--name', NAME);
});

test('an address of a pod that lives stays, and one of nobody is not found', () => {
  const refused = ipam('release', LIVE);
  expect([refused.exitCode, refused.err]).toEqual([
    EXIT.failed,
    expect.stringContaining('it is in use by pod default/pod2'),
  ]);
  expect(ipam('release', '10.244.1.99').exitCode).toBe(EXIT.notFound);
  expect(canalctl('lab', 'probe', 'pod1', 'pod2:80', '--name', NAME).exitCode).toBe(EXIT.ok);
});

test('an address that leaked is given back at once', async () => {
  // The sandbox is gone, and nobody has called DEL.
  const { exitCode } = Bun.spawnSync(['ip', 'netns', 'delete', `canal-${NAME}.node1.pod1`]);
  expect(exitCode).toBe(0);
  const leaked = (): boolean => ipam('check').out.includes(`leak: ${LOST} on node1`);
  await waitFor('the agent to find the leak', leaked, 300_000);
  expect(ipam('release', LOST, '--container', 'another').exitCode).toBe(EXIT.failed);
  expect(ipam('release', LOST, '--dry-run')).toMatchObject({
    exitCode: EXIT.ok,
    out: `${LOST} on node1 would be released (dry run)\n`,
  });
  expect(leaked()).toBe(true);
  const released = ipam('release', LOST);
  expect([released.exitCode, released.err, released.out]).toEqual([
    EXIT.ok,
    '',
    expect.stringMatching(/^10\.244\.1\.2 on node1 released: 10\.244\.1\.2 of container \S+, whose sandbox is gone\n$/),
  ]);
  // The admin API gives one answer to all who ask within a second.
  await waitFor('a check that finds nothing', () => ipam('check').exitCode === EXIT.ok, 30_000);
  expect(ipam('release', LOST).exitCode).toBe(EXIT.notFound);
  const node = canalctl('lab', 'get', 'node', 'node1', '-o', 'json', '--name', NAME).out;
  expect(node).not.toMatch(/"canal\.io\/ipam-release"/);
  expect(node).toContain('canal.io/ipam-release-outcome');
});
