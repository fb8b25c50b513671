/** The admin API of a lab: served to whoever has its token, started again by "up", gone with "down". */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ADMIN_API_ROLE } from './admin-api-process.ts';
import { API_ROLE } from './api-process.ts';
import { createLab, type Lab } from './lab.ts';
import { labPaths } from './lab-paths.ts';
import { readLabState } from './lab-state.ts';
import { findProcesses, killProcesses } from './processes.ts';
import { createTestLab, TEST_STATE_ROOT, testOptions } from './testing/test-lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await createTestLab({ nodes: 2, podsPerNode: 1 });
});
afterAll(async () => {
  await lab.down().catch(() => undefined);
});

const paths = () => labPaths(TEST_STATE_ROOT, lab.spec.name);
const read = (file: 'address' | 'token' | 'authority'): string => readFileSync(paths().adminApi[file], 'utf8').trim();

async function ask(path: string, init: { readonly token?: string; readonly body?: object } = {}): Promise<Response> {
  const { token = read('token'), body } = init;
  return await fetch(`${read('address')}${path}`, {
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    tls: { ca: read('authority') },
  });
}

function processesOf(...roles: readonly string[]) {
  const { id = '' } = readLabState(paths()) ?? {};
  return findProcesses(id).filter(({ role }) => roles.includes(role));
}

/** Of every node, from both of its agents: those of an API server that has come back take a moment. */
async function expectAllNodes(): Promise<void> {
  await vi.waitFor(expectAllNodesNow, { timeout: 10_000 });
}

async function expectAllNodesNow(): Promise<void> {
  const page = (await (await ask('/v1/nodes')).json()) as {
    items: { name: string; state: string }[];
    partial: boolean;
  };
  expect(page).toMatchObject({
    partial: false,
    items: lab.nodes().map(({ name }) => ({ name, state: 'ready' })),
  });
}

test('tells of the nodes to whoever has its token', async () => {
  await expectAllNodes();
  const endpoints = (await (await ask('/v1/endpoints')).json()) as { items: { pod: object }[] };
  expect(endpoints.items.map(({ pod }) => pod)).toEqual(lab.pods().map(({ namespace, name }) => ({ namespace, name })));
  expect((await ask('/v1/nodes', { token: 'A'.repeat(43) })).status).toBe(401);
});

test('compares policies, in a process of its own', async () => {
  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'deny', namespace: 'default' },
    spec: { podSelector: {}, policyTypes: ['Ingress'] },
  };
  const answer = await ask('/v1/diff', { body: { objects: [policy] } });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ opens: [], closes: [{ destinations: [{ pods: 2 }] }] });
});

test('its token is for root alone', () => {
  for (const file of ['token', 'tokens', 'kubeconfig'] as const)
    expect([file, statSync(paths().adminApi[file]).mode & 0o777]).toEqual([file, 0o600]);
});

test.each([
  ['the admin API', [ADMIN_API_ROLE]],
  ['the API server, too', [ADMIN_API_ROLE, API_ROLE]],
  ['the API server alone', [API_ROLE]],
])('%s dies: the status says so, "up" heals it, the token stays', async (_what, roles) => {
  const token = read('token');
  const doomed = processesOf(...roles);
  expect(doomed).toHaveLength(roles.length);
  await killProcesses(doomed);
  expect((await lab.status()).healthy).toBe(false);
  expect((await createLab(lab.spec, testOptions())).created).toBe(false);
  const { healthy, adminApi } = await lab.status();
  expect({ healthy, address: adminApi.address }).toEqual({ healthy: true, address: read('address') });
  expect(read('token')).toBe(token);
  await expectAllNodes();
});

test('a node that is added is told of', async () => {
  await lab.addNode();
  await expectAllNodes();
});

test('"down" ends it', async () => {
  expect(processesOf(ADMIN_API_ROLE)).toHaveLength(1);
  await lab.down();
  expect(existsSync(paths().root)).toBe(false);
});
