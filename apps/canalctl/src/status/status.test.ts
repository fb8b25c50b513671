import type { Node } from '@canal/admin-client';
import { afterAll, afterEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Refusal, startAdminApi } from '../admin/admin-api.fixture.ts';
import { type Ran, runCommand } from '../admin/run-command.fixture.ts';
import { EXIT } from '../exit-code.ts';
import { agent, answersOf, node, peer, pool, WELL } from './cluster.fixture.ts';

const api = startAdminApi({});
afterAll(() => api.close());
afterEach(() => api.use({}));

const status = (...words: readonly string[]): Promise<Ran> => runCommand(['status', ...api.flags, ...words]);

const BROKEN: readonly Node[] = [
  node(1, { peers: [peer(2, { reachable: false }), peer(3)] }),
  node(2, {
    state: 'degraded',
    agents: [
      agent('flanneld'),
      agent('policy-agent', { state: 'not-ready', faults: [{ severity: 'error', message: 'nft: no such file' }] }),
    ],
  }),
  node(3, {
    state: 'unreachable',
    agents: [agent('flanneld', { state: 'unreachable' }), agent('policy-agent', { state: 'unreachable' })],
    peers: [],
  }),
];

test('a cluster that is well', async () => {
  api.use(answersOf(WELL));
  const { exitCode, out, err } = await status();
  expect(out.replaceAll(/\d+[smhd]  /g, 'AGE  ').replaceAll(/SYNCED +/g, 'SYNCED  ')).toBe(`\
NODE  STATE  BACKEND  FLANNELD  POLICY-AGENT  SYNCED  PEERS  IPS IN USE
n1    ready  vxlan    ready     ready         AGE     2/2    5/253
n2    ready  vxlan    ready     ready         AGE     2/2    5/253
n3    ready  vxlan    ready     ready         AGE     2/2    5/253

3 of 3 nodes ready
`);
  expect([exitCode, err]).toEqual([EXIT.ok, '']);
});

test('-o wide has addresses, subnets, MTU and version', async () => {
  api.use(answersOf(WELL));
  const { out } = await status('-o', 'wide');
  expect(out).toMatch(/ADDRESSES +SUBNETS +POD MTU +VERSION\n.* 10\.0\.0\.1 +10\.244\.1\.0\/24 +1450 +0\.1\.0\n/);
});

test('what is wrong is told with cause and next step, and is exit code 5', async () => {
  api.use(answersOf(BROKEN, [pool(1, { inUse: 250, leaked: 3 }), pool(2)], [{ node: 'n3', reason: 'no answer' }]));
  const { exitCode, out } = await status();
  expect(exitCode).toBe(EXIT.unhealthy);
  for (const line of [
    'n2    degraded',
    'error  n1: pods of n2 (10.0.0.2, vxlan) cannot be reached',
    '       next:  let UDP port 8472 through between the nodes',
    'error  n1: 253 of 253 addresses of 10.244.1.0/24 are in use',
    'warning  n1: 3 addresses of 10.244.1.0/24 are held by pods that are gone',
    'error  n2: policy-agent is not ready',
    '       cause: nft: no such file',
    'error  n3: flanneld does not answer',
    '1 of 3 nodes ready',
  ]) {
    expect(out).toContain(line);
  }
  // Of n3 nobody knows its addresses, and why is told once.
  expect(out).not.toContain('addresses are not known');
});

test('JSON and YAML have the same', async () => {
  api.use(answersOf(BROKEN));
  const json: unknown = JSON.parse((await status('-o', 'json')).out);
  expect(json).toMatchObject({
    ready: false,
    nodes: [{ name: 'n1', pools: [{ inUse: 5 }] }, {}, { state: 'unreachable' }],
  });
  expect(parse((await status('-o', 'yaml')).out)).toEqual(json);
});

test('colours only where they are shown', async () => {
  api.use(answersOf(BROKEN));
  const coloured = await runCommand(['status', ...api.flags], { colours: true });
  expect(coloured.out).toContain('\u001b[31mn3 ');
  expect(coloured.out).toContain('\u001b[31merror\u001b[0m');
  const plain = (await status()).out;
  expect(plain).not.toContain('\u001b');
  expect(coloured.out.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain);
});

test('no node is not well', async () => {
  api.use(answersOf([]));
  const { exitCode, out } = await status();
  expect([exitCode, out]).toEqual([EXIT.unhealthy, expect.stringContaining('error  there is no node\n')]);
});

test('--wait ends when all is well', async () => {
  const states = [
    () => api.use({ listNodes: () => refuse() }),
    () => api.use(answersOf(BROKEN)),
    () => api.use(answersOf(WELL)),
  ];
  const refuse = (): never => {
    states.shift()?.();
    throw new Refusal('unavailable', 'starting');
  };
  api.use({ listNodes: () => refuse() });
  const next = setInterval(() => states.shift()?.(), 500);
  const { exitCode, out, err } = await status('--wait', '--timeout', '1m').finally(() => clearInterval(next));
  expect([exitCode, out]).toEqual([EXIT.ok, expect.stringContaining('3 of 3 nodes ready')]);
  expect(err).toContain('waiting: What the answer needs cannot be reached: starting\n');
});

test('--wait shows what there is when the time is over', async () => {
  api.use(answersOf(BROKEN));
  const { exitCode, out, err } = await status('--wait', '--timeout', '1s');
  expect([exitCode, out]).toEqual([EXIT.timeout, expect.stringContaining('1 of 3 nodes ready')]);
  expect(err).toBe('waiting: n1: pods of n2 (10.0.0.2, vxlan) cannot be reached\n');
});

test('--wait says what failed when nothing could be seen', async () => {
  const { exitCode, err } = await status('--wait', '--timeout', '1s');
  expect([exitCode, err]).toEqual([
    EXIT.timeout,
    expect.stringContaining('error: What the answer needs cannot be reached'),
  ]);
});

test('--wait does not wait for what will not change', async () => {
  api.use({
    listNodes: () => {
      throw new Refusal('forbidden', 'not you');
    },
  });
  const { exitCode, err } = await status('--wait');
  expect([exitCode, err]).toEqual([EXIT.failed, expect.stringContaining('bind the ClusterRole canal-view')]);
});

test.each(['0', 'soon', '-1', '5d'])('--timeout %s', async (text) => {
  const { exitCode, err } = await status('--wait', '--timeout', text);
  expect([exitCode, err]).toEqual([EXIT.usage, expect.stringContaining('90s, 5m or 1h')]);
});

test('waits as long as the API wants when there are too many requests', async () => {
  let refused = 0;
  const { getNode, ...others } = answersOf(WELL);
  api.use({
    ...others,
    getNode: (asked) => {
      if (refused++ === 0) throw new Refusal('too-many-requests', 'slowly');
      return getNode?.(asked);
    },
  });
  expect((await status()).exitCode).toBe(EXIT.ok);
  expect(refused).toBe(4);
});
