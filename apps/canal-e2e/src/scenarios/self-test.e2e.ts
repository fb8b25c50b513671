/** `canalctl test` as a person with a kubeconfig runs it: on a network that is well, and on one that is not. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import { runCommand } from '../command.ts';
import { eventually } from '../eventually.ts';
import { scenario, type ScenarioContext } from '../scenario.ts';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
/** It promises to end within 60 s. */
const LIMIT_MS = 70_000;

interface Ran {
  readonly status: number;
  readonly seconds: number;
  readonly tests: readonly { readonly id: string; readonly group: string; readonly verdict: string }[];
  readonly stderr: string;
}

async function canalctlTest({ world }: ScenarioContext, ...flags: string[]): Promise<Ran> {
  const command = [BINARY, 'canalctl', 'test', `--kubeconfig=${world.kubeconfig}`, '-o', 'json', ...flags];
  const { status, stdout, stderr } = await runCommand(command, { timeoutMs: LIMIT_MS, allowFailure: true });
  if (stdout === '') throw new Error(`canalctl test: exit code ${status}: ${stderr}`);
  return { ...(JSON.parse(stdout) as Pick<Ran, 'seconds' | 'tests'>), status, stderr };
}

async function nothingIsLeft({ world }: ScenarioContext): Promise<void> {
  const args = ['get', 'namespaces', '-l', 'canal.io/purpose=self-test', '-o', 'name'];
  await eventually(
    'the namespace of the test to be gone',
    async () => (await world.kubectl(args)).stdout.trim() === '',
    { withinMs: 60_000 },
  );
}

const idsOf = ({ tests }: Ran, verdict: string): readonly string[] =>
  tests.filter((one) => one.verdict === verdict).map(({ id }) => id);

scenario('canalctl test: a network that is well', { limitMs: 180_000 }, async (context) => {
  const { world, note } = context;
  const directory = mkdtempSync(join(tmpdir(), 'canal-e2e-test-'));
  context.cleanup(() => {
    rmSync(directory, { recursive: true });
    return Promise.resolve();
  });
  const junit = join(directory, 'canal.xml');
  const ran = await canalctlTest(context, '--junit', junit);
  note('canalctl test', `${ran.tests.length} tests in ${ran.seconds.toFixed(1)} s`);
  expect([ran.status, idsOf(ran, 'fail'), idsOf(ran, 'skip')]).toEqual([0, [], []]);
  const groups = new Set(ran.tests.map(({ group }) => group));
  for (const group of [
    'start',
    'node-to-pod',
    'pod-to-pod',
    'large-packets',
    'pod-to-node',
    'service',
    'dns',
    'policy',
  ]) {
    expect(groups).toContain(group);
  }
  const [first, second] = (await world.nodes()).map(({ name }) => name);
  for (const family of world.settings.families) {
    expect(idsOf(ran, 'ok')).toContain(`pod-to-pod/${first}/${second}/${family}`);
    expect(idsOf(ran, 'ok')).toContain(`policy/isolates/${second}/${first}/${family}`);
  }
  expect(readFileSync(junit, 'utf8').split('<testcase ')).toHaveLength(ran.tests.length + 1);
  await nothingIsLeft(context);
});

scenario(
  'canalctl test: a node that keeps out pods of another',
  { limitMs: 180_000, needs: ['node-exec'] },
  async (context) => {
    const { world } = context;
    const [here, there] = await world.nodes();
    const { nodeExec } = world;
    if (here === undefined || there === undefined || nodeExec === undefined) throw new Error('two nodes are needed');
    const [first, second] = [here.name, there.name];
    const drops = there.podCidrs.map((cidr) => `${cidr.includes(':') ? 'ip6' : 'ip'} saddr ${cidr} drop`);
    const chain = `type filter hook forward priority -300; ${drops.join('; ')};`;
    await nodeExec(first, ['nft', `table inet e2e_shut { chain shut { ${chain} }; }`]);
    context.cleanup(async () => {
      await nodeExec(first, ['nft', 'delete', 'table', 'inet', 'e2e_shut']);
    });
    const ran = await canalctlTest(context, '--node', first, '--node', second);
    expect(ran.status).toBe(5);
    const failed = idsOf(ran, 'fail');
    const well = idsOf(ran, 'ok');
    for (const family of world.settings.families) {
      expect(failed).toContain(`pod-to-pod/${second}/${first}/${family}`);
      expect(well).toContain(`pod-to-pod/${first}/${first}/${family}`);
      expect(well).toContain(`policy/isolates/${second}/${second}/${family}`);
    }
  },
);
