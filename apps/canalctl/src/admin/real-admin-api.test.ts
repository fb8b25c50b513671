/** The commands against the real admin API, a process of its own: over an embedded Kubernetes and agents on their sockets. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encodeAnswer } from '@canal/agent-protocol';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { NODES } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../cluster/connect-cluster.ts';
import { EXIT } from '../exit-code.ts';
import { type Ran, runCommand } from './run-command.fixture.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');
const RUN = "const { main } = await import('@canal/admin-api'); process.exit(await main(process.argv.slice(1)));";
const TOKEN = 'a-token-of-the-test-which-is-long-enough';
const START_MS = 60_000;

const directory = mkdtempSync(join(tmpdir(), 'canal-real-'));
const file = (name: string): string => join(directory, name);
const kubernetes = createEmbeddedServer({ tokens: [{ token: 'own', user: 'api', groups: ['system:masters'] }] });
const agents: Server[] = [];
let api: ChildProcess | undefined;

beforeAll(async () => {
  const { url } = kubernetes.listen({ hostname: '127.0.0.1', port: 0 });
  const connection = { baseUrl: url, credentials: fixedCredentials({ token: new Secret('own') }) };
  const store = createKubeStore({ connection, clock: systemClock() });
  for (const number of [1, 2]) {
    const addresses = [{ type: 'InternalIP', address: `10.0.0.${number}` }];
    await store.create(NODES, {
      metadata: { name: `n${number}` },
      spec: { podCIDR: `10.244.${number}.0/24`, podCIDRs: [`10.244.${number}.0/24`] },
      status: { addresses },
    });
  }
  // n2 has no agents: nobody listens on its sockets.
  for (const name of ['flanneld', 'policy']) agents.push(agentOf(file(`n1-${name}.sock`)));
  writeFileSync(file('tokens'), `${TOKEN} ann view\n`, { mode: 0o600 });
  writeFileSync(file('token'), TOKEN);
  const kubeconfig = {
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: url } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    users: [{ name: 'u', user: { token: 'own' } }],
  };
  writeFileSync(file('kubeconfig'), JSON.stringify(kubeconfig), { mode: 0o600 });
  const flags = [
    `--kubeconfig-file=${file('kubeconfig')}`,
    '--listen-ip=127.0.0.1',
    '--listen-port=0',
    `--tls-authority-file=${file('ca.pem')}`,
    `--token-file=${file('tokens')}`,
    `--address-file=${file('address')}`,
    `--flanneld-socket=${file('{node}-flanneld.sock')}`,
    `--policy-socket=${file('{node}-policy.sock')}`,
  ];
  const process_ = spawn(process.execPath, ['-e', RUN, '--', ...flags], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  api = process_;
  let log = '';
  for (const stream of [process_.stdout, process_.stderr]) stream.on('data', (bytes) => (log += String(bytes)));
  const serves = (): boolean => {
    if (process_.exitCode !== null) throw new Error(`it has ended: ${log}`);
    return existsSync(file('address'));
  };
  await waitFor('the admin API', serves, START_MS);
}, 2 * START_MS);

afterAll(async () => {
  if (api !== undefined && api.exitCode === null) {
    const ended = once(api, 'exit');
    api.kill('SIGTERM');
    await ended;
  }
  for (const agent of agents) agent.close();
  await kubernetes.close();
  rmSync(directory, { recursive: true });
});

const STATUS = { version: '0.1.0', node: 'n1', ready: true, notes: [], lastSync: '2026-11-21T10:00:00.000Z' };
const ANSWERS: Readonly<Record<string, unknown>> = {
  'network-status': {
    ...STATUS,
    backend: 'vxlan',
    podMtuBytes: 1450,
    addresses: ['10.0.0.1'],
    leases: [{ family: 4, subnet: '10.244.1.0/24' }],
  },
  status: { ...STATUS, strict: false, counts: {} },
  peers: [{ node: 'n2', address: '10.0.0.2', via: 'vxlan', reachable: false }],
  addresses: {
    pools: [{ subnet: '10.244.1.0/24', capacity: '253', inUse: 1, leaked: 1 }],
    addresses: [
      {
        address: '10.244.1.2',
        state: 'in-use',
        containerId: 'c1',
        interface: 'eth0',
        pod: { namespace: 'shop', name: 'web' },
      },
      { address: '10.244.1.3', state: 'leaked', containerId: 'c2', interface: 'eth0' },
    ],
  },
};

/** Answers a question by its name. */
function agentOf(path: string): Server {
  return createServer((socket) => {
    let text = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      text += bytes.toString();
      if (!text.includes('\n')) return;
      const { op } = JSON.parse(text) as { readonly op: string };
      socket.end(encodeAnswer({ ok: true, value: ANSWERS[op] }));
    });
  }).listen(path);
}

const run = async (...words: readonly string[]): Promise<Ran> => {
  const url = await Bun.file(file('address')).text();
  const files = ['--admin-token-file', file('token'), '--admin-ca-file', file('ca.pem')];
  return await runCommand([...words, '--admin-server', url.trim(), ...files]);
};

test('status', async () => {
  const { exitCode, out, err } = await run('status');
  expect([exitCode, err]).toEqual([EXIT.unhealthy, '']);
  expect(out).toMatch(/^n1 +ready +vxlan +ready +ready +\d+[smhd] +0\/1 +2\/253 \(1 leaked\)$/m);
  expect(out).toMatch(/^n2 +unreachable +- +unreachable +unreachable +- +- +-$/m);
  for (const what of ['n1: pods of n2 (10.0.0.2, vxlan) cannot be reached', 'n2: flanneld does not answer']) {
    expect(out).toContain(what);
  }
});

test('node status', async () => {
  expect((await run('node', 'status', 'n1')).out).toMatch(/^10\.0\.0\.2 +vxlan +down +n2$/m);
  expect((await run('node', 'status', 'n3')).exitCode).toBe(EXIT.notFound);
});

test('ipam show, and of a node that is not there', async () => {
  const { exitCode, out, err } = await run('ipam', 'show', '--addresses');
  expect([exitCode, err]).toEqual([EXIT.unhealthy, expect.stringContaining('n2 is missing: ')]);
  expect(out).toMatch(/^10\.244\.1\.2 +n1 +in-use +shop\/web$/m);
  expect((await run('ipam', 'show', '--node', 'n3')).exitCode).toBe(EXIT.notFound);
});

test('ipam check', async () => {
  const { exitCode, out } = await run('ipam', 'check', '-o', 'json');
  expect(exitCode).toBe(EXIT.unhealthy);
  expect(JSON.parse(out)).toMatchObject({
    addresses: 2,
    leases: 2,
    findings: [
      { kind: 'leak', address: '10.244.1.3' },
      { kind: 'not asked', node: 'n2' },
    ],
  });
});
