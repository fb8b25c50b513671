/**
 * The admin API of a lab, with real agents and policies, asked whatever its own document lets one ask: while all agents
 * answer, while one is dead, and while one hangs. The shipped binary, its own TLS, three roles.
 */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  ADMIN_API_SAMPLES,
  ApiExercise,
  type HttpsExchange,
  openHttpsExchange,
  type SendRequest,
  waitFor,
} from '@canal/testing';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';

const BINARY = process.env['CANAL_BINARY'] ?? resolve(import.meta.dirname, '../../../../dist/canal');
const STATE_ROOT = `/run/canal-any-request-test-${process.pid}`;
const NAME = `q${process.pid}`;
/** `CANAL_SEED` tries others. */
const SEED = Number(process.env['CANAL_SEED'] ?? 20_261_122);
const ROLES = ['view', 'operate', 'admin'].map((name) => ({
  name,
  token: `${name}-of-the-exercise-${'x'.repeat(20)}`,
}));
/** Of chance alone; everything together stays below 30 s. */
const RANDOM_MS = { well: 6_000, broken: 3_000 };
const REQUEST_MS = 20_000;

const MANIFEST = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: closed }
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web }
spec:
  podSelector: { matchExpressions: [{ key: no-such, operator: DoesNotExist }] }
  ingress:
    - from: [{ podSelector: {} }, { ipBlock: { cidr: 192.0.2.0/24, except: [192.0.2.8/29] } }]
      ports: [{ port: 80 }, { port: 8000, endPort: 8100 }]
  egress: [{ to: [{ namespaceSelector: {} }] }]
---
apiVersion: v1
kind: Namespace
metadata: { name: canal-system }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: canal-config, namespace: canal-system }
data: { net-conf.json: '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}' }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: broken }
data: { net-conf.json: "no JSON" }
`;

interface LabJson {
  readonly adminApi: { readonly pid: number };
  readonly nodes: readonly {
    readonly name: string;
    readonly agent: { readonly pid: number };
    readonly policyAgent: { readonly pid: number };
    readonly pods: readonly { readonly name: string; readonly netns: string; readonly ips: readonly string[] }[];
  }[];
}

function canalctl(words: readonly string[], stdin = ''): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([BINARY, 'canalctl', ...words], {
    env: { PATH: process.env['PATH'] ?? '', CANAL_LAB_STATE_ROOT: STATE_ROOT },
    stdin: Buffer.from(stdin),
  });
  if (exitCode !== 0) throw new Error(`canalctl ${words.join(' ')}: ${exitCode}: ${stderr.toString()}`);
  return stdout.toString();
}

const statusOf = (): LabJson => JSON.parse(canalctl(['lab', 'status', '--name', NAME, '-o', 'json'])) as LabJson;

interface Api extends AsyncDisposable {
  readonly exchange: HttpsExchange;
}

const files = join(STATE_ROOT, NAME, 'admin-api');
const read = (path: string): string => readFileSync(path, 'utf8').trim();
let scratch: string;
let exchange: HttpsExchange | undefined;

beforeAll(async () => {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it with "npm run build"`);
  scratch = mkdtempSync(join(tmpdir(), 'canal-any-request-'));
  canalctl(['lab', 'up', '--name', NAME, '--nodes', '3', '--pods-per-node', '2']);
  // One of them is broken on purpose.
  canalctl(['apply', '--lab', NAME, '-f', '-', '--validate=warn'], MANIFEST);
  appendFileSync(join(files, 'tokens'), ROLES.map(({ name, token }) => `${token} a-${name} ${name}\n`).join(''));
  const [address, ca] = [read(join(files, 'address')), read(join(files, 'ca.pem'))];
  exchange = openHttpsExchange({ address, ca, timeoutMs: REQUEST_MS });
  await waitFor('the tokens to be read, and the policies by all agents', isInEffect, 30_000);
  const leaked = leakAnAddress();
  // Agents look every half minute.
  await waitFor('the leak to be seen', () => isLeakSeen(leaked), 60_000);
});
afterAll(() => {
  exchange?.[Symbol.dispose]();
  canalctl(['lab', 'down', '--name', NAME]);
  rmSync(scratch, { recursive: true });
});

const send: SendRequest = async (request) => {
  if (exchange === undefined) throw new Error('the lab is not up');
  return await exchange.send(request);
};

async function isInEffect(): Promise<boolean> {
  const headers = { authorization: `Bearer ${ROLES[0]?.token}` };
  const { status, text } = await send({ method: 'GET', path: '/v1/endpoints', headers });
  // Whoever shows unknown tokens too often is kept out.
  if (status === 401) await Bun.sleep(250);
  if (status !== 200) return false;
  const { items, partial } = JSON.parse(text) as { items: { ingress: string[] }[]; partial: boolean };
  return !partial && items.length === 6 && items.every(({ ingress }) => ingress.length === 2);
}

/** Its namespace goes and nobody calls DEL: as a node that loses power leaves it. Gives its address. */
function leakAnAddress(): string {
  canalctl(['lab', 'pod', 'add', 'lost', '--node', 'node1', '--name', NAME]);
  const pod = statusOf()
    .nodes.flatMap(({ pods }) => pods)
    .find(({ name }) => name === 'lost');
  if (pod === undefined) throw new Error('the lab does not tell of its pod');
  expect(Bun.spawnSync(['ip', 'netns', 'delete', pod.netns]).exitCode).toBe(0);
  return pod.ips[0] ?? '';
}

async function isLeakSeen(leaked: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${ROLES[0]?.token}` };
  const { text } = await send({ method: 'GET', path: '/v1/ipam/addresses?state=leaked', headers });
  return text.includes(`"${leaked}"`);
}

/** Another admin API of the same lab, with some of its flags otherwise. */
async function startAnother(pid: number, flags: readonly string[]): Promise<Api> {
  const directory = mkdtempSync(join(scratch, 'api-'));
  const [address, authority] = [join(directory, 'address'), join(directory, 'ca.pem')];
  const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  const own = [`--address-file=${address}`, `--tls-authority-file=${authority}`, ...flags];
  const child = Bun.spawn([...argv, ...own], { stdout: 'ignore', stderr: 'ignore' });
  await waitFor('another admin API', () => existsSync(address), 15_000);
  const another = openHttpsExchange({ address: read(address), ca: read(authority), timeoutMs: REQUEST_MS });
  const isReady = async (): Promise<boolean> =>
    (await another.send({ method: 'GET', path: '/readyz', headers: {} })).status === 200;
  await waitFor('another admin API to know the nodes', isReady, 15_000);
  return {
    exchange: another,
    [Symbol.asyncDispose]: async () => {
      another[Symbol.dispose]();
      child.kill('SIGTERM');
      await child.exited;
    },
  };
}

test('only what its document says, whatever is asked, and whoever of the agents answers', async () => {
  const started = performance.now();
  const { adminApi, nodes } = statusOf();
  const { text } = await send({ method: 'GET', path: '/openapi.json', headers: {} });
  const exercise = new ApiExercise(JSON.parse(text), {
    ...{ send, roles: ROLES, strangerToken: undefined, samples: ADMIN_API_SAMPLES, seed: SEED, concurrency: 6 },
  });
  onTestFinished(() => {
    process.stderr.write(`${exercise.table()}\n${Math.round(performance.now() - started)} ms\n`);
  });
  await exercise.discover();
  await exercise.validOnes();
  await exercise.aimedOnes();
  await exercise.randomOnes({ ms: RANDOM_MS.well });
  expect(exercise.faults).toEqual([]);
  expect(exercise.partialAnswers).toBe(0);
  {
    await using strict = await startAnother(adminApi.pid, ['--client-rate=1']);
    await exercise.limitedOnes(strict.exchange.send);
  }
  {
    await using absent = await startAnother(adminApi.pid, ['--net-conf=default/absent']);
    for (const id of ['getNetConf', 'putNetConf'])
      expect(await exercise.also(id, absent.exchange.send)).toMatchObject({ status: 404 });
  }
  {
    await using broken = await startAnother(adminApi.pid, ['--net-conf=default/broken']);
    expect(await exercise.also('getNetConf', broken.exchange.send)).toMatchObject({ status: 409 });
  }

  const [, second, third] = nodes;
  if (second === undefined || third === undefined) throw new Error('the lab has too few nodes');
  process.kill(third.policyAgent.pid, 'SIGKILL');
  await waitFor(
    'a partial answer',
    async () => {
      await exercise.discover();
      return exercise.partialAnswers > 0;
    },
    15_000,
  );
  await exercise.randomOnes({ ms: RANDOM_MS.broken });
  process.kill(second.agent.pid, 'SIGSTOP');
  try {
    await exercise.validOnes(1);
  } finally {
    process.kill(second.agent.pid, 'SIGCONT');
  }

  expect(exercise.faults).toEqual([]);
  const excuses = [
    {
      status: 403,
      operations: exercise.operationsOf('view'),
      why: 'a token file gives each token a role, and each role may this',
    },
  ];
  expect(exercise.gaps(excuses)).toEqual([]);
});
