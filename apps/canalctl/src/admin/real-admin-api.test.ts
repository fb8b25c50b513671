/** The commands against the real admin API, a process of its own: over an embedded Kubernetes and agents on their sockets. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type AgentRequest, encodeAnswer, type FlowRecord } from '@canal/agent-protocol';
import { createEmbeddedServer } from '@canal/store-embedded';
import { createKubeStore, fixedCredentials, Secret } from '@canal/store-kube';
import { NETWORK_POLICIES, NODES, type Store } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../cluster/connect-cluster.ts';
import { EXIT } from '../exit-code.ts';
import { type Ran, runCommand } from './run-command.fixture.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');
const RUN = "const { main } = await import('@canal/admin-api'); process.exit(await main(process.argv.slice(1)));";
const TOKEN = 'a-token-of-the-test-which-is-long-enough';
const ADMIN_TOKEN = 'another-token-of-the-test-which-is-long-enough';
const START_MS = 60_000;
const HEARD_MS = 20_000;

const directory = mkdtempSync(join(tmpdir(), 'canal-real-'));
const file = (name: string): string => join(directory, name);
const kubernetes = createEmbeddedServer({ tokens: [{ token: 'own', user: 'api', groups: ['system:masters'] }] });
const agents: Server[] = [];
let store: Store;
let api: ChildProcess | undefined;

beforeAll(async () => {
  const { url } = kubernetes.listen({ hostname: '127.0.0.1', port: 0 });
  const connection = { baseUrl: url, credentials: fixedCredentials({ token: new Secret('own') }) };
  store = createKubeStore({ connection, clock: systemClock() });
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
  writeFileSync(file('tokens'), `${TOKEN} ann view\n${ADMIN_TOKEN} root admin\n`, { mode: 0o600 });
  writeFileSync(file('admin-token'), ADMIN_TOKEN);
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
  endpoints: [
    {
      key: 'c1/eth0',
      hostInterface: 'cnl1',
      mode: 'routed',
      addresses: ['10.244.1.2'],
      pod: { namespace: 'shop', name: 'web', uid: 'u' },
      state: 'policed',
      ingress: ['shop/deny'],
      egress: [],
    },
    {
      key: 'c2/eth0',
      hostInterface: 'cnl2',
      mode: 'routed',
      addresses: [],
      state: 'unknown-pod',
      ingress: [],
      egress: [],
    },
  ],
  policies: [],
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

const EXPLANATION = {
  verdict: 'deny',
  source: { kind: 'outside', address: '203.0.113.7' },
  destination: { kind: 'pod', address: '10.244.1.2', pod: { namespace: 'shop', name: 'web' } },
  protocol: 'TCP',
  port: 80,
  ingress: { direction: 'ingress', verdict: 'deny', reason: 'no-rule-allows', policies: ['shop/deny'], misses: [] },
  words: ['denied at ingress'],
};

let lastMs = 0;
function flowTo(port: number, verdict: 'allow' | 'deny' = 'deny'): FlowRecord {
  const pod = { namespace: 'shop', name: 'web' };
  lastMs = Math.max(Date.now(), lastMs + 1);
  return {
    time: new Date(lastMs).toISOString(),
    verdict,
    reason: verdict === 'deny' ? 'ingress-denied' : 'allowed',
    source: { address: '203.0.113.7', port: 40_000 },
    destination: { address: '10.244.1.2', port, pod },
    protocol: 'TCP',
    lost: 0,
  };
}

/** What n1 remembers, oldest first, and who listens for more. */
const remembered = [flowTo(1), flowTo(2, 'allow'), flowTo(3)];
const followers = new Set<Socket>();

function fall(record: FlowRecord): void {
  remembered.push(record);
  for (const socket of followers) socket.write(encodeAnswer({ ok: true, value: record }));
}

function tellFlows(socket: Socket, { last, denied, follow }: AgentRequest & { readonly op: 'flows' }): void {
  const meant = remembered.filter(({ verdict }) => !denied || verdict === 'deny');
  for (const value of last === 0 ? [] : meant.slice(-last)) socket.write(encodeAnswer({ ok: true, value }));
  if (!follow) return void socket.end();
  followers.add(socket);
  socket.on('close', () => followers.delete(socket));
}

/** Answers a question by its name. */
function agentOf(path: string): Server {
  return createServer((socket) => {
    let text = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      text += bytes.toString();
      if (!text.includes('\n')) return;
      const request = JSON.parse(text) as AgentRequest;
      if (request.op === 'flows') tellFlows(socket, request);
      else if (request.op !== 'explain') socket.end(encodeAnswer({ ok: true, value: ANSWERS[request.op] }));
      else if (request.question.destination === 'shop/web') socket.end(encodeAnswer({ ok: true, value: EXPLANATION }));
      else socket.end(encodeAnswer({ ok: false, code: 'not-found', message: 'there is no such pod' }));
    });
  }).listen(path);
}

function flagsOf(token: string): readonly string[] {
  const url = readFileSync(file('address'), 'utf8').trim();
  return ['--admin-server', url, '--admin-token-file', file(token), '--admin-ca-file', file('ca.pem')];
}

const run = (...words: readonly string[]): Promise<Ran> => runCommand([...words, ...flagsOf('token')]);
const runAsAdmin = (...words: readonly string[]): Promise<Ran> => runCommand([...words, ...flagsOf('admin-token')]);

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

const N2_IS_MISSING = expect.stringContaining('n2 is missing: ') as string;

test('policy explain: the verdict, and a pod that is not there', async () => {
  const { exitCode, out } = await run('policy', 'explain', '203.0.113.7', 'web', '-n', 'shop', '--port', '80');
  expect(exitCode).toBe(EXIT.ok);
  expect(out).toMatch(/^ingress +shop\/web +deny +no-rule-allows +shop\/deny +-$/m);
  expect(out).toContain('\ndenied at ingress\n');
  const denied = await run('policy', 'explain', '203.0.113.7', 'shop/web', '--port', '80', '--exit-code');
  expect(denied).toMatchObject({ exitCode: EXIT.failed, err: '' });
  const nobody = await run('policy', 'explain', '203.0.113.7', 'shop/nobody', '--port', '80', '--exit-code');
  expect(nobody).toMatchObject({ exitCode: EXIT.notFound, out: '' });
  expect(nobody.err).toMatch(/there is no such pod.*\n.*canalctl policy endpoints/);
});

test('policy endpoints and pods: of all nodes, and what is missing', async () => {
  const all = await run('policy', 'endpoints');
  expect(all).toMatchObject({ exitCode: EXIT.unhealthy, err: N2_IS_MISSING });
  expect(all.out).toMatch(/^n1 +shop\/web +10\.244\.1\.2 +cnl1 +policed +shop\/deny +-$/m);
  expect(all.out).toMatch(/^n1 +cnl2 +cnl2 +unknown-pod +all +all$/m);
  const ofNode = await run('policy', 'endpoints', '--node', 'n1', '-n', 'shop', '-o', 'name');
  expect(ofNode).toEqual({ exitCode: EXIT.ok, out: 'shop/web\n', err: '' });
  expect((await run('policy', 'endpoints', '--node', 'n9')).exitCode).toBe(EXIT.notFound);
  const pods = await run('policy', 'pods', 'shop/deny');
  expect(pods).toEqual({
    exitCode: EXIT.unhealthy,
    out: 'POD       ISOLATED FOR\nshop/web  ingress\n',
    err: N2_IS_MISSING,
  });
});

describe('flows', () => {
  const portsOf = (out: string): readonly (number | undefined)[] =>
    out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as FlowRecord).destination.port);

  test('those that nodes remember, by filters', async () => {
    const { exitCode, out, err } = await run('flows');
    expect([exitCode, err]).toEqual([EXIT.unhealthy, N2_IS_MISSING]);
    expect(out.split('\n')[0]).toMatch(/^NODE +TIME +VERDICT/);
    expect(out).toMatch(/^n1 +\S+Z +deny +ingress-denied +203\.0\.113\.7 +shop\/web +TCP\/1 +-$/m);
    const ports = async (...words: string[]): Promise<unknown> =>
      portsOf((await run('flows', '-o', 'json', ...words)).out);
    expect(await ports()).toEqual([1, 2, 3]);
    expect(await ports('--last', '2')).toEqual([2, 3]);
    expect(await ports('--denied', '--last', '1')).toEqual([3]);
    expect(await ports('--verdict', 'allow')).toEqual([2]);
    expect(await ports('--pod', 'shop/web', '--port', '1')).toEqual([1]);
    expect(await ports('-n', 'other')).toEqual([]);
    expect(await run('flows', '--node', 'n1')).toMatchObject({ exitCode: EXIT.ok, err: '' });
    expect((await run('flows', '--node', 'n9')).exitCode).toBe(EXIT.notFound);
  });

  /** While the work runs; then it is interrupted. */
  async function following(words: readonly string[], work: (out: () => string, err: () => string) => Promise<void>) {
    const stop = new AbortController();
    const text = { out: '', err: '' };
    const written = { onOut: (part: string) => (text.out += part), onErr: (part: string) => (text.err += part) };
    const ran = runCommand([...words, ...flagsOf('token')], { signal: stop.signal, ...written });
    await work(
      () => text.out,
      () => text.err,
    );
    stop.abort(new Error('interrupted'));
    return await ran;
  }

  test('followed: each once, in order, also what fell before nodes were followed', async () => {
    const ran = await following(['flows', '--follow', '-o', 'json', '--last', '2'], async (out) => {
      await waitFor('those that are remembered', () => portsOf(out()).length === 2, HEARD_MS);
      fall(flowTo(100));
      await waitFor('what fell', () => portsOf(out()).includes(100), HEARD_MS);
      await waitFor('the node to be followed', () => followers.size > 0, HEARD_MS);
      fall(flowTo(101));
      fall(flowTo(102, 'allow'));
      await waitFor('what falls', () => portsOf(out()).includes(102), HEARD_MS);
    });
    expect(portsOf(ran.out)).toEqual([2, 3, 100, 101, 102]);
    // It ended as it was meant to; n2 was missing.
    expect(ran).toMatchObject({ exitCode: EXIT.unhealthy, err: N2_IS_MISSING });
  });

  test('a node that is lost is told, and what fell meanwhile is shown', async () => {
    const ran = await following(['flows', '-f', '--node', 'n1', '-o', 'json', '--last', '0'], async (out, err) => {
      const lose = (): void => followers.forEach((socket) => socket.destroy());
      // Nodes are followed already, perhaps, when this reader comes: until it is told, too.
      const isTold = (): boolean => {
        if (!err().includes('resync: ')) lose();
        return err().includes('resync: ');
      };
      await waitFor('a word on it', isTold, HEARD_MS);
      lose();
      fall(flowTo(200));
      await waitFor('what fell', () => portsOf(out()).includes(200), HEARD_MS);
      await waitFor('the node to be followed again', () => followers.size > 0, HEARD_MS);
      fall(flowTo(201));
      await waitFor('what falls', () => portsOf(out()).includes(201), HEARD_MS);
    });
    expect(portsOf(ran.out)).toEqual([200, 201]);
    expect(ran.exitCode).toBe(EXIT.ok);
  });

  test('a way to the API that breaks is made again from where it broke', async () => {
    const port = new URL(readFileSync(file('address'), 'utf8').trim()).port;
    const open = new Set<Socket>();
    const way = createServer((client) => {
      const onward = connect(Number(port), '127.0.0.1');
      for (const [from, to] of [
        [client, onward],
        [onward, client],
      ] as const) {
        open.add(from);
        from.on('error', () => to.destroy()).on('close', () => open.delete(from) && to.destroy());
        from.pipe(to);
      }
    }).listen(0, '127.0.0.1');
    await once(way, 'listening');
    const { port: wayPort } = way.address() as AddressInfo;
    const flags = ['--admin-token-file', file('token'), '--admin-ca-file', file('ca.pem')];
    const stop = new AbortController();
    let [out, err] = ['', ''];
    const ran = runCommand(
      ['flows', '-f', '-o', 'json', '--last', '0', '--admin-server', `https://127.0.0.1:${wayPort}`, ...flags],
      { signal: stop.signal, onOut: (text) => void (out += text), onErr: (text) => void (err += text) },
    );
    await waitFor('the node to be followed', () => followers.size > 0 && err !== '', HEARD_MS);
    fall(flowTo(300));
    await waitFor('what falls', () => portsOf(out).includes(300), HEARD_MS);
    for (const socket of open) socket.destroy();
    fall(flowTo(301));
    fall(flowTo(302));
    await waitFor('what fell meanwhile', () => portsOf(out).includes(302), HEARD_MS);
    fall(flowTo(303));
    await waitFor('what falls', () => portsOf(out).includes(303), HEARD_MS);
    stop.abort(new Error('interrupted'));
    expect((await ran).exitCode).toBe(EXIT.unhealthy);
    expect(portsOf(out)).toEqual([300, 301, 302, 303]);
    way.close();
  });

  test('drawn over on a terminal', async () => {
    const ran = await following(['flows', '--live', '--node', 'n1', '--denied'], async (out) => {
      await waitFor('a frame', () => out().includes('Ctrl-C ends'), HEARD_MS);
      const [record] = remembered;
      if (record === undefined) throw new Error('nothing is remembered');
      fall(flowTo(record.destination.port ?? 0));
      await waitFor('both in one line', () => /\d\d:\d\d:\d\d +2 +deny .* TCP\/1 /.test(out()), HEARD_MS);
    });
    expect(ran.exitCode).toBe(EXIT.ok);
    expect(ran.out.startsWith('\u001b[?1049h')).toBe(true);
    expect(ran.out.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  });
});

describe('diag', () => {
  test('a file for its owner alone, over nothing', async () => {
    const path = file('bundle.json');
    const { exitCode, out, err } = await runAsAdmin('diag', '--file', path);
    expect([exitCode, err]).toEqual([
      EXIT.unhealthy,
      expect.stringMatching(/^missing: nodes\/n2\/flanneld\/status\.json: .*\n[^]*"canalctl node status"/m),
    ]);
    expect(out).toMatch(/^nodes\/n1\/policy-agent\/status\.json +\d+$/m);
    expect(out).toContain(`written: ${path}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const bundle = readFileSync(path, 'utf8');
    expect(JSON.parse(bundle)).toMatchObject({ entries: expect.arrayContaining([]) as unknown });
    for (const secret of [TOKEN, ADMIN_TOKEN]) expect(bundle).not.toContain(secret);
    const again = await runAsAdmin('diag', '--file', path);
    expect(again).toMatchObject({ exitCode: EXIT.exists, out: '' });
    expect(again.err).toContain('is there already\n  name another');
    expect(readFileSync(path, 'utf8')).toBe(bundle);
  });

  test('a directory, and standard output', async () => {
    const path = file('bundle');
    const { out } = await runAsAdmin('diag', '--directory', path, '-o', 'json');
    const { entries } = JSON.parse(out) as { readonly entries: readonly { readonly path: string }[] };
    const written = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(written.length).toBe(entries.length + 1);
    for (const entry of written) expect(statSync(join(entry.parentPath, entry.name)).mode & 0o777).toBe(0o600);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(path, 'missing.json'), 'utf8')).toContain('nodes/n2/');
    expect((await runAsAdmin('diag', '--directory', path)).exitCode).toBe(EXIT.exists);
    const toStdout = await runAsAdmin('diag', '--file', '-');
    expect(JSON.parse(toStdout.out)).toHaveProperty('entries');
  });

  test('is for the role admin', async () => {
    const { exitCode, out, err } = await run('diag', '--file', file('refused.json'));
    expect([exitCode, out, err]).toEqual([EXIT.failed, '', expect.stringContaining('--as-role admin')]);
    expect(existsSync(file('refused.json'))).toBe(false);
  });
});

describe('get', () => {
  test.each<[string, number, RegExp]>([
    ['nodes', EXIT.unhealthy, /^n1 +ready +vxlan /m],
    ['leases', EXIT.ok, /^10\.244\.2\.0\/24 +n2 /m],
    ['wep', EXIT.unhealthy, /^n1 +shop\/web +10\.244\.1\.2 +cnl1 +policed$/m],
    ['ippools', EXIT.unhealthy, /^n1 +10\.244\.1\.0\/24 +253 +1 +1$/m],
    ['addresses', EXIT.unhealthy, /^10\.244\.1\.2 +n1 +in-use +shop\/web$/m],
  ])('%s', async (kind, exitCode, row) => {
    const ran = await run('get', kind);
    expect([ran.exitCode, ran.out]).toEqual([exitCode, expect.stringMatching(row)]);
  });

  test('one by its name', async () => {
    const node = await run('get', 'node', 'n1', '-o', 'json');
    expect(JSON.parse(node.out)).toMatchObject({ name: 'n1', state: 'ready' });
    expect((await run('get', 'endpoints', 'shop/web', '--node', 'n1', '-o', 'name')).out).toBe('shop/web\n');
    const nobody = await run('get', 'nodes', 'n9');
    expect(nobody).toMatchObject({ exitCode: EXIT.notFound, out: '' });
    expect(nobody.err).toMatch(/n9.*\n {2}"canalctl node status" shows the nodes there are\n$/);
    const other = await run('get', 'endpoints', 'shop/other');
    expect(other).toMatchObject({ exitCode: EXIT.notFound, out: '' });
    expect(other.err).toContain('it may be of a node that could not be asked');
    expect((await run('get', 'endpoints', 'other', '--node', 'n1')).err).toContain('"canalctl get endpoints" shows');
  });

  test('policies with what they met', async () => {
    await store.create(
      { ...NODES, namespaced: false, plural: 'namespaces', kind: 'Namespace' },
      { metadata: { name: 'shop' } },
    );
    await store.create(NETWORK_POLICIES, {
      metadata: { namespace: 'shop', name: 'deny' },
      spec: { podSelector: {}, policyTypes: ['Ingress'] },
    });
    const { out } = await run('get', 'netpol', '-n', 'shop');
    expect(out).toMatch(/^NAMESPACE +NAME +ISOLATES FOR +PODS +DENIED +PROBLEMS\nshop +deny +ingress +0 +\S/m);
    expect((await run('get', 'netpol', '-n', 'other')).err).toContain('no networkpolicies in other');
  });

  test('audit is for the role admin', async () => {
    expect((await run('get', 'audit')).err).toContain('--as-role admin');
    expect((await runAsAdmin('get', 'audit')).exitCode).toBe(EXIT.ok);
  });

  test.each<[string, readonly string[], RegExp]>([
    ['no such kind', ['secrets'], /there is no kind "secrets"\n.*networkpolicies.*kubectl get/],
    ['a filter that it has not', ['nodes', '-n', 'x'], /nodes cannot be told apart by --namespace/],
    ['both', ['netpol', '-n', 'x', '-A'], /exclude each other/],
    ['two namespaces', ['netpol', 'a/b', '-n', 'c'], /is no name of one/],
  ])('%s', async (_name, words, says) => {
    const ran = await run('get', ...words);
    expect([ran.exitCode, ran.err]).toEqual([EXIT.usage, expect.stringMatching(says)]);
  });
});
