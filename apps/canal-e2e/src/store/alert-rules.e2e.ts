/** The alert rules of deploy/prometheus, by Prometheus' own judge: whether they are rules, and fire when they should. */
import { resolve } from 'node:path';
import { buildPromtool } from '@canal/cluster';
import { beforeAll, expect, test } from 'vitest';

const RULES = resolve(import.meta.dirname, '../../../../deploy/prometheus');
const BUILD_MS = 1_800_000;

let promtool: string;
beforeAll(async () => {
  promtool = await buildPromtool((line) => process.stderr.write(`${line}\n`));
}, BUILD_MS);

/** Exit code, and what it says. */
function run(...words: readonly string[]): readonly [number, string] {
  const { exitCode, stdout, stderr } = Bun.spawnSync([promtool, ...words], { cwd: RULES });
  return [exitCode, stdout.toString() + stderr.toString()];
}

test('promtool check rules', () => {
  const [exitCode, text] = run('check', 'rules', '--lint=all', '--lint-fatal', 'canal-alerts.yaml');
  expect([exitCode, text]).toEqual([0, expect.stringMatching(/SUCCESS: \d{2,} rules found/)]);
});

test('promtool test rules', () => {
  const [exitCode, text] = run('test', 'rules', 'canal-alerts.test.yaml');
  expect([exitCode, text]).toEqual([0, expect.stringContaining('SUCCESS')]);
});

test('it finds a rule that is spoilt', () => {
  const spoilt = Bun.spawnSync([promtool, 'check', 'rules'], {
    stdin: Buffer.from('groups: [{ name: a, rules: [{ alert: A, expr: "sum(" }] }]'),
  });
  expect(spoilt.exitCode).not.toBe(0);
});
