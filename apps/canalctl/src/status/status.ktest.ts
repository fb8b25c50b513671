/** `canalctl status` on a lab with real agents: well, broken, and healed. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { waitFor } from '@canal/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
const STATE_ROOT = `/run/canal-status-test-${process.pid}`;
const NAME = `s${process.pid}`;
const SPEC = ['--name', NAME, '--nodes', '2', '--pods-per-node', '1'];

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

beforeAll(() => {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it with "npm run build"`);
  expect(canalctl('lab', 'up', ...SPEC)).toMatchObject({ exitCode: 0 });
});
afterAll(() => {
  canalctl('lab', 'down', '--name', NAME);
});

interface LabJson {
  readonly nodes: readonly { readonly name: string; readonly policyAgent: { readonly pid: number } }[];
}

test('a lab that is up comes to be well', () => {
  const { exitCode, out } = canalctl('status', '--lab', NAME, '--wait', '--timeout', '2m');
  expect([exitCode, out]).toEqual([
    0,
    expect.stringMatching(/^node1 +ready +vxlan +ready +ready .* [1?]\/1 +1\/253$/m),
  ]);
  expect(out).toContain('\n2 of 2 nodes ready\n');
  expect(out).not.toContain('\u001b');
});

test('addresses of its pods', () => {
  expect(canalctl('ipam', 'show', '--lab', NAME, '--addresses')).toMatchObject({
    exitCode: 0,
    out: expect.stringMatching(/^10\.244\.2\.2 +node2 +in-use +default\/pod2$/m) as string,
  });
  expect(canalctl('ipam', 'check', '--lab', NAME)).toMatchObject({ exitCode: 0 });
});

test('an agent that has died is told, with the next step that heals it', async () => {
  const lab = JSON.parse(canalctl('lab', 'status', '--name', NAME, '-o', 'json').out) as LabJson;
  const pid = lab.nodes.find(({ name }) => name === 'node2')?.policyAgent.pid;
  if (pid === undefined) throw new Error('node2 has no policy agent');
  process.kill(pid, 'SIGKILL');
  // The admin API gives an answer to all who ask within a second.
  const look = (): Run | undefined => {
    const ran = canalctl('status', '--lab', NAME);
    return ran.exitCode === 0 ? undefined : ran;
  };
  const broken = await waitFor('a status that is not well', look, 30_000);
  expect(broken.exitCode).toBe(5);
  expect(broken.out).toMatch(/^node2 +degraded +vxlan +ready +unreachable /m);
  expect(broken.out).toMatch(
    /^error {2}node2: policy-agent does not answer\n +cause: .*\n +next: .*"canalctl lab up"$/m,
  );
  expect(canalctl('lab', 'up', ...SPEC).exitCode).toBe(0);
  expect(canalctl('status', '--lab', NAME, '--wait', '--timeout', '2m').exitCode).toBe(0);
});
