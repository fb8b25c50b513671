/** `canalctl apply`, `patch` and `delete` on a kube-apiserver, taking turns with kubectl. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { Kubectl } from './kubectl.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { type RealApiServer, startRealApiServer } from './real-api-server.ts';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
const OBJECT = 'networkpolicy.networking.k8s.io/db';

const directory = mkdtempSync(join(tmpdir(), `canal-canalctl-${String(process.pid)}-`));
const config = join(directory, 'kubeconfig');
let server: RealApiServer;
let kubectl: Kubectl;
beforeAll(async () => {
  server = await startRealApiServer();
  kubectl = await Kubectl.create(server);
  writeFileSync(config, kubeconfigText(server), { mode: 0o600 });
}, 90_000);
afterAll(async () => {
  (kubectl as Kubectl | undefined)?.close();
  await (server as RealApiServer | undefined)?.close();
  rmSync(directory, { recursive: true });
});

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function canalctl(words: string, input = ''): Ran {
  const args = ['canalctl', ...words.split(' '), '--kubeconfig', config];
  const { status, stdout, stderr } = spawnSync(BINARY, args, { input, encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

const done = (outcome: string): Ran => ({ code: 0, out: `${OBJECT} ${outcome}\n`, err: '' });
const policy = (spec: string): string => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db }
spec: ${spec}
`;
const CLOSED = policy('{ podSelector: {}, policyTypes: [Ingress] }');
const opened = (port: number): string =>
  policy(`{ podSelector: {}, ingress: [{ ports: [{ port: ${String(port)} }] }] }`);
const portNow = (): Promise<string> => kubectl.ok('get netpol db -o jsonpath={.spec.ingress[*].ports[*].port}');

test('apply and kubectl apply take turns', async () => {
  expect(canalctl('apply -f - --dry-run', CLOSED)).toEqual(done('created (server dry run)'));
  expect(await kubectl.ok('get netpol -o name')).toBe('');
  expect(canalctl('apply -f -', CLOSED)).toEqual(done('created'));
  expect(canalctl('apply -f -', CLOSED)).toEqual(done('unchanged'));
  expect(canalctl('apply -f - --dry-run', opened(80))).toEqual(done('configured (server dry run)'));
  expect(await portNow()).toBe('');
  await kubectl.ok('apply -f -', { stdin: opened(80) });
  expect(await portNow()).toBe('80');
  expect(canalctl('apply -f -', opened(81))).toEqual(done('configured'));
  expect(await portNow()).toBe('81');
  // What one of them set, the other takes away.
  await kubectl.ok('apply -f -', { stdin: CLOSED });
  expect(await portNow()).toBe('');
});

test('applied by the server, fields of others are theirs until they are taken over', async () => {
  await kubectl.ok('apply --server-side --force-conflicts -f -', { stdin: opened(80) });
  const refused = canalctl('apply -f - --server-side', opened(82));
  expect(refused).toMatchObject({ code: 4, out: '' });
  expect(refused.err).toMatch(
    /conflict with "kubectl".*\.spec\.ingress.*nothing was changed\n {2}.*--force-conflicts\n$/,
  );
  expect(await portNow()).toBe('80');
  expect(canalctl('apply -f - --server-side --force-conflicts --dry-run', opened(82))).toEqual(
    done('configured (server dry run)'),
  );
  expect(await portNow()).toBe('80');
  expect(canalctl('apply -f - --server-side --force-conflicts', opened(82))).toEqual(done('configured'));
  expect(canalctl('apply -f - --server-side', opened(82))).toEqual(done('unchanged'));
  expect(await portNow()).toBe('82');
});

test('an unknown field is refused, or told by canalctl and by the API server', async () => {
  const misspelt = policy('{ podSelector: {}, policyTypes: [Ingress], ingres: [] }');
  expect(canalctl('apply -f -', misspelt)).toMatchObject({ code: 2, out: '' });
  expect(await portNow()).toBe('82');
  const told = canalctl('apply -f - --validate=warn', misspelt);
  expect(told.code).toBe(0);
  expect(told.err).toMatch(
    /standard input:5: error: .*ingres is no field.*\n.*:2: warning: unknown field "spec\.ingres"\n$/,
  );
});

test('patch and delete', async () => {
  const patch = '{"spec":{"ingress":[{}]}}';
  expect(canalctl(`patch netpol db -p ${patch} --dry-run`)).toEqual(done('patched (server dry run)'));
  expect(canalctl(`patch netpol db -p ${patch}`)).toEqual(done('patched'));
  expect(canalctl(`patch netpol db -p ${patch}`)).toEqual(done('patched (no change)'));
  expect(await kubectl.ok('get netpol db -o jsonpath={.spec.ingress}')).toBe('[{}]');
  expect(canalctl('delete netpol db --dry-run')).toEqual(done('deleted (server dry run)'));
  expect(canalctl('delete netpol db')).toEqual(done('deleted'));
  expect(canalctl('delete netpol db')).toMatchObject({ code: 3, out: '' });
});
