import { afterAll, expect, test } from 'vitest';
import { startAdminApi } from '../admin/admin-api.fixture.ts';
import { type Ran, runCommand } from '../admin/run-command.fixture.ts';
import { EXIT } from '../exit-code.ts';
import { agent, answersOf, node, peer, WELL } from '../status/cluster.fixture.ts';

const api = startAdminApi({});
afterAll(() => api.close());
const nodeStatus = (...words: readonly string[]): Promise<Ran> =>
  runCommand(['node', 'status', ...words, ...api.flags]);

test('the agents of all nodes', async () => {
  api.use(answersOf(WELL));
  const { exitCode, out } = await nodeStatus();
  expect(exitCode).toBe(EXIT.ok);
  expect(out).toMatch(
    /^NODE {2}AGENT {9}STATE {2}VERSION {2}SYNCED {2,}BACKEND\nn1 {4}flanneld {6}ready {2}0\.1\.0 .* vxlan\n/,
  );
  expect(out.trimEnd().split('\n')).toHaveLength(7);
});

test('one node with its peers, and what is wrong with it alone', async () => {
  const lost = { peers: [peer(2, { reachable: false }), peer(3)] };
  const { reachable: _reachable, ...untried } = peer(1);
  const down = agent('policy-agent', { state: 'not-ready' });
  api.use(
    answersOf([node(1, lost), node(2, { agents: [agent('flanneld'), down] }), node(3, { peers: [untried, peer(2)] })]),
  );
  const { exitCode, out } = await nodeStatus('n1', '-o', 'wide');
  expect(exitCode).toBe(EXIT.unhealthy);
  expect(out).toContain(`
PEER ADDRESS  PEER TYPE  STATE  NODE  ROUND TRIP
10.0.0.2      vxlan      down   n2    0.4 ms
10.0.0.3      vxlan      up     n3    0.4 ms

error  n1: pods of n2 (10.0.0.2, vxlan) cannot be reached
`);
  expect(out).not.toContain('policy-agent is not ready');
  const third = await nodeStatus('n3');
  expect([third.exitCode, third.out]).toEqual([
    EXIT.ok,
    expect.stringContaining('10.0.0.1      vxlan      not tried  n1\n'),
  ]);
});

test('JSON', async () => {
  api.use(answersOf(WELL));
  expect(JSON.parse((await nodeStatus('n2', '-o', 'json')).out)).toMatchObject({
    name: 'n2',
    findings: [],
    pools: [{}],
  });
  expect(JSON.parse((await nodeStatus('-o', 'json')).out)).toMatchObject([
    { name: 'n1' },
    { name: 'n2' },
    { name: 'n3' },
  ]);
});

test('a node that is not there', async () => {
  const { exitCode, err } = await nodeStatus('n9');
  expect([exitCode, err]).toEqual([
    EXIT.notFound,
    expect.stringContaining('"canalctl node status" shows the nodes there are'),
  ]);
});
