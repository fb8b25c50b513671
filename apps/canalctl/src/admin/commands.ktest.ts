/** `get`, `apply`, `patch`, `delete` and `diag` of the shipped binary, on a lab with real agents. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { waitFor } from '@canal/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
const STATE_ROOT = `/run/canal-commands-test-${process.pid}`;
const NAME = `c${process.pid}`;
const HEARD_MS = 30_000;
const directory = mkdtempSync(join(tmpdir(), 'canal-commands-'));

interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

function canalctl(...words: readonly string[]): Run {
  const { exitCode, stdout, stderr } = Bun.spawnSync([BINARY, 'canalctl', ...words], {
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', CANAL_LAB_STATE_ROOT: STATE_ROOT },
  });
  return { exitCode, out: stdout.toString(), err: stderr.toString() };
}

const inLab = (...words: readonly string[]): Run => canalctl(...words, '--lab', NAME);

beforeAll(() => {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it with "npm run build"`);
  const spec = ['--name', NAME, '--nodes', '2', '--pods-per-node', '1'];
  expect(canalctl('lab', 'up', ...spec)).toMatchObject({ exitCode: 0 });
});
afterAll(() => {
  canalctl('lab', 'down', '--name', NAME);
  rmSync(directory, { recursive: true });
});

const POLICY = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: closed }
spec: { podSelector: { matchLabels: { app: pod2 } }, policyTypes: [Ingress] }
`;
/** What agents of a lab have in a file. */
const CONFIG = `
apiVersion: v1
kind: ConfigMap
metadata: { name: canal-config, namespace: canal-system }
data:
  net-conf.json: '{ "Network": "10.244.0.0/16", "Backend": { "Type": "vxlan" } }'
---
apiVersion: v1
kind: Namespace
metadata: { name: canal-system }
`;
const OBJECT = 'networkpolicy.networking.k8s.io/closed';

test('a policy comes, selects, is met, selects otherwise, and goes', async () => {
  writeFileSync(join(directory, 'closed.yaml'), POLICY);
  expect(inLab('apply', '-f', 'closed.yaml', '--dry-run').out).toBe(`${OBJECT} created (server dry run)\n`);
  expect(inLab('get', 'networkpolicies')).toMatchObject({ exitCode: 0, out: '' });
  expect(inLab('apply', '-f', 'closed.yaml')).toMatchObject({ exitCode: 0, out: `${OBJECT} created\n` });
  const row = (selects: number): RegExp => new RegExp(`^default +closed +ingress +${selects} `, 'm');
  await waitFor('the policy', () => row(1).test(inLab('get', 'netpol', '-n', 'default').out), HEARD_MS);
  expect(canalctl('lab', 'probe', 'pod1', 'pod2:80', '--name', NAME).exitCode).toBe(5);
  const isolated = (): string => inLab('policy', 'pods', 'closed', '-o', 'name').out;
  expect(isolated()).toBe('default/pod2\n');

  // The pod has another label now, and nothing isolates it.
  expect(inLab('patch', 'pod', 'pod2', '-p', '{"metadata":{"labels":{"app":"other"}}}')).toMatchObject({
    exitCode: 0,
    out: 'pod/pod2 patched\n',
  });
  await waitFor('the label', () => isolated() === '', HEARD_MS);
  const back = '[{"op":"replace","path":"/metadata/labels/app","value":"pod2"}]';
  expect(inLab('patch', 'pod', 'pod2', '--type', 'json', '-p', back).exitCode).toBe(0);
  await waitFor('the label', () => isolated() !== '', HEARD_MS);

  expect(inLab('apply', '-f', 'closed.yaml').out).toBe(`${OBJECT} unchanged\n`);
  expect(inLab('delete', '-f', 'closed.yaml')).toMatchObject({ exitCode: 0, out: `${OBJECT} deleted\n` });
  expect(inLab('delete', 'netpol', 'closed')).toMatchObject({ exitCode: 3, out: '' });
  await waitFor('the end of it', () => isolated() === '', HEARD_MS);
});

test('what canal knows, kind by kind', () => {
  expect(inLab('get', 'nodes', '-o', 'name')).toMatchObject({ exitCode: 0, out: 'node1\nnode2\n' });
  const node = JSON.parse(inLab('get', 'node', 'node1', '-o', 'json').out) as { readonly peers: unknown };
  expect(node.peers).toMatchObject([{ node: 'node2' }]);
  expect(inLab('get', 'leases').out).toMatch(/^10\.244\.2\.0\/24 +node2 /m);
  expect(inLab('get', 'endpoints', '--node', 'node2').out).toMatch(/^node2 +default\/pod2 +10\.244\.2\.2 /m);
  expect(inLab('get', 'ippools').out).toMatch(/^node1 +10\.244\.1\.0\/24 /m);
  expect(inLab('get', 'addresses').out).toMatch(/^10\.244\.1\.2 +node1 +in-use +default\/pod1$/m);
  const none = inLab('get', 'net-conf');
  expect(none).toMatchObject({ exitCode: 3, out: '' });
  expect(none.err).toMatch(/there is no ConfigMap canal-system\/canal-config.*\n {2}.*in a lab there is none\n$/);
  writeFileSync(join(directory, 'config.yaml'), CONFIG);
  expect(inLab('apply', '-f', 'config.yaml')).toMatchObject({
    exitCode: 0,
    out: 'namespace/canal-system created\nconfigmap/canal-config created\n',
  });
  expect(inLab('get', 'net-conf').out).toMatch(/^10\.244\.0\.0\/16 /m);
  for (const kind of ['events', 'audit']) expect([kind, inLab('get', kind).exitCode]).toEqual([kind, 0]);
});

interface LabJson {
  readonly nodes: readonly { readonly name: string; readonly policyAgent: { readonly pid: number } }[];
}

test('a bundle of all nodes, and one that says what is missing', async () => {
  const whole = inLab('diag', '--directory', 'whole');
  expect(whole).toMatchObject({ exitCode: 0, err: expect.not.stringContaining('missing:') as string });
  for (const [node, agent] of [
    ['node1', 'flanneld'],
    ['node2', 'policy-agent'],
  ] as const) {
    const path = `nodes/${node}/${agent}/status.json`;
    expect(whole.out).toContain(path);
    expect(JSON.parse(readFileSync(join(directory, 'whole', path), 'utf8'))).toMatchObject({ node });
  }
  expect(readdirSync(join(directory, 'whole'))).not.toContain('missing.json');

  const lab = JSON.parse(canalctl('lab', 'status', '--name', NAME, '-o', 'json').out) as LabJson;
  const pid = lab.nodes.find(({ name }) => name === 'node2')?.policyAgent.pid;
  if (pid === undefined) throw new Error('node2 has no policy agent');
  process.kill(pid, 'SIGKILL');
  let tries = 0;
  const missing = await waitFor(
    'a bundle that is not whole',
    () => {
      const ran = inLab('diag', '--file', `part-${++tries}.json`);
      // What was answered a second before may still be told.
      return ran.err.includes('missing: nodes/node2/policy-agent/status.json: ') && ran;
    },
    HEARD_MS,
  );
  expect(missing.exitCode).toBe(5);
  expect(missing.out).toContain('nodes/node2/flanneld/status.json');
  const path = join(directory, `part-${tries}.json`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  // The token that the API was asked with, and what the lab's API server has.
  const token = readFileSync(join(STATE_ROOT, NAME, 'admin-api/token'), 'utf8').trim();
  const secrets = readFileSync(join(STATE_ROOT, NAME, 'api/secrets.json'), 'utf8').match(/[\w-]{20,}/g) ?? [];
  expect(secrets.length).toBeGreaterThan(0);
  for (const secret of [token, ...secrets]) expect(readFileSync(path, 'utf8')).not.toContain(secret);
  expect(inLab('diag', '--file', path)).toMatchObject({ exitCode: 4, out: '' });
});
