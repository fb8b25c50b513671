import { createFaultyProxy, type FaultyProxy } from '@canal/store-contract';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';

import { Churn } from './churn.ts';
import { recordFigures } from './figures.ts';
import { Follower, type FollowerReport } from './follower.ts';
import { type RealApiServer, startRealApiServer } from './real-api-server.ts';
import { seededName } from './seeded-node.ts';
import { digestOf } from './sequence.ts';
import { MountedAccount } from './service-account.ts';

/**
 * What an agent's view of the cluster survives: a real API server, the real client in a process of its own, and faults.
 * CANAL_E2E_ALL=1 gives each fault the time that it has in a bad night.
 */
const LONG = process.env['CANAL_E2E_ALL'] === '1';
const NODE_COUNT = 5_000;
const CUTTING_MS = LONG ? 300_000 : 12_000;
const OUTAGE_MS = LONG ? 60_000 : 6_000;
/** With no more than this the watch was hardly cut. */
const CUTS_MIN = 2;
const CPU_PERCENT = 5;
const GROWTH_MB = 12;

let server: RealApiServer;

beforeAll(async () => {
  server = await startRealApiServer({ uncached: ['configmaps'] });
  await server.seedNodes(NODE_COUNT);
}, 90_000);
afterAll(async () => {
  await server.close();
});

interface Subject {
  readonly account: MountedAccount;
  readonly proxy: FaultyProxy;
  readonly follower: Follower;
}

/** A following process with an account and a faulty network of its own. */
async function follow(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  server: RealApiServer,
  kind: 'nodes' | 'configmaps',
  name: string,
  labelSelector = '',
): Promise<Subject> {
  const account = await MountedAccount.create(server, name);
  const proxy = await createFaultyProxy(server.port);
  const follower = new Follower({ kind, labelSelector, directory: account.directory, port: proxy.port });
  onTestFinished(async () => {
    follower.stop();
    await proxy.close();
    account.unmount();
  });
  return { account, proxy, follower };
}

describe.concurrent('an agent follows a kind', () => {
  test('etcd is compacted while the watch is cut: 410, then a list, nothing forgotten', async (context) => {
    recordFigures(context);
    const churn = new Churn(server, 'configmaps', 'compaction');
    for (const name of ['kept', 'changed', 'gone']) await churn.put(name);
    const { proxy, follower } = await follow(context, server, 'configmaps', 'compaction', churn.labelSelector);
    await follower.until(({ inSync, digest }) => inSync === 1 && digest === churn.digest, 20_000);
    const cutting = setInterval(() => proxy.cut(), 1);
    await churn.delete('gone');
    await churn.put('changed');
    await churn.put('new');
    await server.compactEtcd();
    clearInterval(cutting);
    const after = await follower.until(({ digest }) => digest === churn.digest, 20_000);
    expect(after.lastError).toContain('too old');
    expect(after).toMatchObject({ inSync: 1, deletes: 1, backwards: 0, objects: 3 });
  }, 60_000);

  test('the service account token is rotated and the old one revoked, while the watch is cut each second', async (context) => {
    const show = recordFigures(context);
    const churn = new Churn(server, 'configmaps', 'rotation');
    const { account, proxy, follower } = await follow(context, server, 'configmaps', 'rotation', churn.labelSelector);
    await follower.until(({ inSync }) => inSync === 1, 20_000);
    const cutting = setInterval(() => proxy.cut(), 1_000);
    const first = account.token;
    const rotated = (async () => {
      account.mount(await account.issue('second'));
      const startMs = Date.now();
      await account.revoke('first', first);
      return Date.now() - startMs;
    })();
    await Promise.all([rotated, churn.run(LONG ? 60_000 : 12_000, 100)]);
    clearInterval(cutting);
    const refusedAfterMs = await rotated;
    // With the old token refused for sure, one more connection and what comes over it.
    proxy.cut();
    await churn.put('last');
    const after = await follower.until(({ digest }) => digest === churn.digest, 20_000);
    show({
      'old token refused after': seconds(refusedAfterMs),
      'writes, missed': `${String(churn.writes)}, ${String(after.missed)}`,
      cuts: String(proxy.connections - 1),
    });
    expect(after).toMatchObject({ inSync: 1, missed: 0, backwards: 0 });
    expect(after.puts + after.deletes).toBe(churn.writes);
    expect(proxy.connections - 1, 'the watch was cut').toBeGreaterThan(CUTS_MIN);
  }, 150_000);

  test.runIf(LONG)(
    'the token is revoked before the next one is there: what was known stays until then',
    async (context) => {
      const show = recordFigures(context);
      const churn = new Churn(server, 'configmaps', 'revoked');
      await churn.put('kept');
      const { account, proxy, follower } = await follow(context, server, 'configmaps', 'revoked', churn.labelSelector);
      await follower.until(({ inSync, digest }) => inSync === 1 && digest === churn.digest, 20_000);
      await account.revoke('first', account.token);
      proxy.cut();
      const during = await follower.until(({ connected }) => !connected, 20_000);
      const known = churn.digest;
      await churn.put('kept');
      await pause(10_000);
      const before = await follower.report();
      expect(before).toMatchObject({ connected: false, digest: known });
      expect(before.lastError).toContain('401');
      const startMs = Date.now();
      account.mount(await account.issue('second'));
      const after = await follower.until(({ connected, digest }) => connected && digest === churn.digest, 40_000);
      show({
        'in sync after the new token': seconds(Date.now() - startMs),
        'CPU without a token': percent(cpuPercent(during, before, 10_000)),
      });
      expect(after).toMatchObject({ inSync: 1, missed: 0, backwards: 0 });
    },
    120_000,
  );

  test(
    '5,000 nodes listed in pages; then the watch is cut each second while nodes come and go',
    async (context) => {
      const show = recordFigures(context);
      const churn = new Churn(server, 'nodes', 'cuts');
      for (let index = 0; index < NODE_COUNT; index += 1) churn.state.set(seededName(index), 1);
      const startMs = Date.now();
      const { proxy, follower } = await follow(context, server, 'nodes', 'cuts');
      const listed = await follower.until(({ inSync }) => inSync === 1, 60_000);
      const listMs = Date.now() - startMs;
      expect(listed.digest).toBe(digestOf(churn.state));
      expect((await server.nodeRequests()).lists).toBe(NODE_COUNT / 500);

      await pause(2_000);
      const idle = await follower.report();
      await pause(5_000);
      const before = await follower.report();
      const cutting = setInterval(() => proxy.cut(), 1_000);
      await churn.run(CUTTING_MS, 100);
      clearInterval(cutting);
      const after = await follower.until(({ digest }) => digest === churn.digest, 20_000);

      const idleCpu = cpuPercent(idle, before, 5_000);
      const cpu = cpuPercent(before, after, CUTTING_MS);
      show({
        'listed after, CPU': `${seconds(listMs)}, ${seconds(listed.cpuMs)}`,
        'peak memory': megabytes(listed.peakRssMb),
        'CPU idle, cut': `${percent(idleCpu)}, ${percent(cpu)}`,
        'writes, missed': `${String(churn.writes)}, ${String(after.missed)}`,
        cuts: String(proxy.connections - 1),
        'memory before, after': `${megabytes(before.rssMb)}, ${megabytes(after.rssMb)}`,
      });
      expect(after).toMatchObject({ inSync: 1, missed: 0, backwards: 0 });
      expect(after.puts + after.deletes - listed.puts).toBe(churn.writes);
      expect(proxy.connections - 1, 'the watch was cut').toBeGreaterThan(CUTS_MIN);
      expect((await server.nodeRequests()).lists, 'nothing was listed again').toBe(NODE_COUNT / 500);
      expect(idleCpu).toBeLessThan(CPU_PERCENT);
      expect(cpu).toBeLessThan(CPU_PERCENT);
      expect(after.rssMb - before.rssMb).toBeLessThan(GROWTH_MB);
    },
    CUTTING_MS + 120_000,
  );

  test(
    `5,000 nodes listed though cut every 200 ms; the API server gone for ${String(OUTAGE_MS / 1_000)} s: what was known stays, what changed is found`,
    async (context) => {
      const show = recordFigures(context);
      const own = await startRealApiServer();
      context.onTestFinished(() => own.close());
      await own.seedNodes(NODE_COUNT);
      const churn = new Churn(own, 'nodes', 'outage');
      for (let index = 0; index < NODE_COUNT; index += 1) churn.state.set(seededName(index), 1);
      for (const name of ['kept', 'changed', 'gone']) await churn.put(name);

      const startMs = Date.now();
      const { proxy, follower } = await follow(context, own, 'nodes', 'outage');
      const cutting = setInterval(() => proxy.cut(), 200);
      await follower.until(({ inSync, digest }) => inSync === 1 && digest === churn.digest, 60_000);
      clearInterval(cutting);
      const listMs = Date.now() - startMs;
      const cuts = proxy.connections - 1;

      await own.killApiServer();
      await proxy.refuse(true);
      const before = await follower.until(({ connected }) => !connected, 10_000);
      await pause(OUTAGE_MS);
      const during = await follower.report();
      expect(during).toMatchObject({ connected: false, digest: churn.digest });
      await own.startApiServer();
      await proxy.refuse(false);
      const backMs = Date.now();
      await churn.delete('gone');
      await churn.put('changed');
      await churn.run(2_000, 100);
      const after = await follower.until(({ connected, digest }) => connected && digest === churn.digest, 60_000);
      const cpu = cpuPercent(before, during, OUTAGE_MS);
      const foundAfterMs = Date.now() - backMs;
      show({
        'listed after, cuts': `${seconds(listMs)}, ${String(cuts)}`,
        'CPU during the outage': percent(cpu),
        'in sync after the return': seconds(foundAfterMs),
        'memory before, after': `${megabytes(before.rssMb)}, ${megabytes(after.rssMb)}`,
      });
      expect(after).toMatchObject({ inSync: 1, backwards: 0 });
      expect(cpu).toBeLessThan(CPU_PERCENT);
      // Two seconds of writing, and a wait below 5 s for a server that nobody could reach.
      expect(foundAfterMs).toBeLessThan(12_000);
    },
    OUTAGE_MS + 200_000,
  );
});

/** Share of one CPU, in percent, between two reports. */
function cpuPercent(before: FollowerReport, after: FollowerReport, milliseconds: number): number {
  return ((after.cpuMs - before.cpuMs) / milliseconds) * 100;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

function percent(value: number): string {
  return `${value.toFixed(2)} %`;
}

function megabytes(value: number): string {
  return `${value.toFixed(1)} MB`;
}
