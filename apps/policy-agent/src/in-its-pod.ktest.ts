/** The agent with the capabilities and mounts of its container in deploy/canal.yaml, and with less. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { decodeAnswer, encodeRequest, type EndpointMessage } from '@canal/agent-protocol';
import { connectUnixStream } from '@canal/linux-ffi';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';

const MAIN = resolve(import.meta.dirname, '../../canal/src/main.ts');

let directory: string;
let netns: TestNetns;
let server: ReturnType<typeof createEmbeddedServer>;
let agent: Bun.Subprocess | undefined;
const socket = (): string => join(directory, 'run/canal/policy.sock');
const log = (): string => readFileSync(join(directory, 'log'), 'utf8');

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-policy-pod-'));
  netns = createTestNetns('policy-pod');
  netns.run(['ip', 'link', 'set', 'lo', 'up']);
  server = createEmbeddedServer({ tokens: [{ token: 'test', user: 'agent' }] });
  const { url } = netns.within(() => server.listen({ hostname: '127.0.0.1', port: 0 }));
  writeFileSync(join(directory, 'kubeconfig'), kubeconfigText(url));
  for (const name of ['run/canal', 'state/attachments']) mkdirSync(join(directory, name), { recursive: true });
});
afterEach(async () => {
  agent?.kill('SIGKILL');
  await agent?.exited;
  netns[Symbol.dispose]();
  await server.close();
  rmSync(directory, { recursive: true });
});

function kubeconfigText(url: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: url } }],
    users: [{ name: 'u', user: { token: 'test' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
}

/** Root with these capabilities alone; /proc/sys and the plugin's records cannot be written. */
function start(capabilities: readonly string[]): void {
  const records = join(directory, 'state/attachments');
  const mounts = ['/proc/sys', records].map(
    (path) => `mount --bind ${path} ${path} && mount -o remount,bind,ro ${path}`,
  );
  const set = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const confined = `exec setpriv --bounding-set=${set} --inh-caps=-all --no-new-privs "$@"`;
  const wrapper = ['unshare', '-m', 'sh', '-c', `${mounts.join(' && ')} && ${confined}`, 'sh'];
  const flags = [
    `--kubeconfig-file=${directory}/kubeconfig`,
    `--net-config-path=${directory}/net-conf.json`,
    `--socket=${socket()}`,
    `--cni-state-dir=${directory}/state`,
  ];
  agent = netns.within(() =>
    Bun.spawn([...wrapper, process.execPath, MAIN, 'policy-agent', ...flags], {
      env: { NODE_NAME: 'a', PATH: process.env['PATH'] ?? '' },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: Bun.file(join(directory, 'log')),
    }),
  );
}

function probe(path: string): { readonly status: string; readonly body: string } {
  const { stdout } = netns.exec(['curl', '-s', '-w', '\n%{http_code}', `http://127.0.0.1:9097${path}`]);
  const end = stdout.lastIndexOf('\n');
  return { status: stdout.slice(end + 1), body: stdout.slice(0, end) };
}

const ENDPOINT: EndpointMessage = {
  containerId: 'c1',
  containerInterface: 'eth0',
  hostInterface: 'cnl0123456789a',
  mode: 'routed',
  addresses: ['10.244.1.5'],
  mac: '02:00:00:00:00:05',
};

test('NET_ADMIN is enough: rules, their log, conntrack, an endpoint; the socket is root’s alone', async () => {
  start(['net_admin']);
  await waitFor('readiness', () => probe('/readyz').status === '200', 20_000);
  expect(statSync(socket()).mode & 0o777).toBe(0o600);
  netns.run(['ip', 'link', 'add', ENDPOINT.hostInterface, 'type', 'veth', 'peer', 'name', 'eth9']);
  using stream = connectUnixStream(socket(), 1000);
  stream.send(new TextEncoder().encode(encodeRequest({ op: 'add-endpoint', endpoint: ENDPOINT })));
  const buffer = new Uint8Array(4096);
  const length = await waitFor('the answer', () => stream.receive(buffer, 20), 5_000);
  expect(decodeAnswer(new TextDecoder().decode(buffer.subarray(0, length)))).toMatchObject({
    ok: true,
    value: { ok: true, value: { state: 'isolated' } },
  });
  expect(netns.run(['nft', 'list', 'table', 'inet', 'canal-policy'])).toContain('10.244.1.5');
  expect(log()).not.toMatch(/EPERM|EACCES|EROFS/);
});

test('without it no rule is written, which the probe says, and nobody is told that there are any', async () => {
  start([]);
  await waitFor('the reason', () => probe('/readyz').body.includes('EPERM'), 20_000);
  expect(probe('/readyz').status).toBe('503');
});
