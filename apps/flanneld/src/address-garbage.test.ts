import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tryLockFile } from '@canal/linux-ffi';
import { createAttachmentStore } from '@canal/node-state';
import { createPrometheusMetrics } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { parseCidr, parseIp, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AddressGarbage } from './address-garbage.ts';
import { createAgentMetrics } from './agent-metrics.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'canal-garbage-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const GRACE_MS = 240_000;

function create() {
  const clock = createFakeClock();
  const metrics = createPrometheusMetrics();
  const lease = {
    family: 4,
    subnet: unwrap(parseCidr('10.244.1.0/24')),
    network: unwrap(parseCidr('10.244.0.0/16')),
  } as const;
  const garbage = new AddressGarbage(
    {
      attachments: createAttachmentStore(join(directory, 'state')),
      clock,
      log: createCapturedLogger(),
      metrics: createAgentMetrics(metrics, 'test'),
      leases: () => [lease],
      linkNames: () => Promise.resolve(new Set()),
    },
    {
      dataDir: join(directory, 'networks'),
      cacheDir: join(directory, 'cache'),
      bootId: 'boot',
      roundMs: 30_000,
      graceMs: GRACE_MS,
    },
  );
  return { clock, metrics, garbage };
}

function reserve(network: string, ip: string, containerId: string): string {
  const path = join(directory, 'networks', network, ip);
  mkdirSync(join(directory, 'networks', network), { recursive: true });
  writeFileSync(path, `${containerId}\r\neth0`);
  return path;
}

/** The runtime knows no sandbox. */
function emptyCache(): void {
  mkdirSync(join(directory, 'cache/results'), { recursive: true });
}

test('an address without sandbox is released after the grace time and not before', async () => {
  const { clock, garbage, metrics } = create();
  const leaked = reserve('canal', '10.244.1.5', 'gone');
  emptyCache();
  await garbage.round();
  await clock.advance(GRACE_MS - 1);
  await garbage.round();
  expect(existsSync(leaked)).toBe(true);
  expect(await metrics.render()).toContain('canal_ipam_leaked 1');
  await clock.advance(1);
  await garbage.round();
  expect(existsSync(leaked)).toBe(false);
  const text = await metrics.render();
  expect(text).toContain('canal_ipam_gc_total 1');
  expect(text).toContain('canal_ipam_leaked 0');
});

test('what is held now: a fresh one is in use until a round has found it without sandbox', async () => {
  const { garbage, metrics } = create();
  reserve('canal', '10.244.1.5', 'gone');
  reserve('macvlan', '192.168.7.5', 'other');
  emptyCache();
  const ofGone = (leaked: boolean) => [
    { ip: unwrap(parseIp('10.244.1.5')), owner: { containerId: 'gone', containerInterface: 'eth0' }, leaked },
  ];
  expect(await garbage.held()).toEqual(ofGone(false));
  await garbage.round();
  expect(await garbage.held()).toEqual(ofGone(true));
  expect(await metrics.render()).toContain('canal_ipam_leaked 1');
  {
    using lock = tryLockFile(join(directory, 'networks/canal/lock'));
    expect(lock).toBeDefined();
    expect(await garbage.held(), 'a plugin is at work').toEqual(ofGone(true));
  }
  rmSync(join(directory, 'networks/canal/10.244.1.5'));
  expect(await garbage.held()).toEqual([]);
});

test('an address that was given out anew in between starts again', async () => {
  const { clock, garbage } = create();
  reserve('canal', '10.244.1.5', 'gone');
  emptyCache();
  await garbage.round();
  await clock.advance(GRACE_MS);
  rmSync(join(directory, 'networks/canal/10.244.1.5'));
  const anew = reserve('canal', '10.244.1.5', 'fresh-container');
  await garbage.round();
  expect(existsSync(anew)).toBe(true);
});

test.each([
  { name: 'the runtime has no cache here, so nothing is known', network: 'canal', ip: '10.244.1.5', cache: false },
  { name: "another plugin's address, outside this node's subnet", network: 'macvlan', ip: '192.168.7.5', cache: true },
])('kept: $name', async ({ network, ip, cache }) => {
  const { clock, garbage } = create();
  const path = reserve(network, ip, 'other');
  if (cache) emptyCache();
  await garbage.round();
  await clock.advance(GRACE_MS * 2);
  await garbage.round();
  expect(existsSync(path)).toBe(true);
});

test('a round that finds the pool locked does not start the grace time anew', async () => {
  const { clock, garbage } = create();
  const leaked = reserve('canal', '10.244.1.5', 'gone');
  emptyCache();
  await garbage.round();
  await clock.advance(GRACE_MS - 1);
  {
    using lock = tryLockFile(join(directory, 'networks/canal/lock'));
    expect(lock).toBeDefined();
    await garbage.round();
  }
  expect(existsSync(leaked)).toBe(true);
  await clock.advance(1);
  await garbage.round();
  expect(existsSync(leaked)).toBe(false);
});

test('a file beside the networks does not end the round', async () => {
  const { clock, garbage } = create();
  const leaked = reserve('canal', '10.244.1.5', 'gone');
  writeFileSync(join(directory, 'networks/aaa-readme'), 'none of ours');
  emptyCache();
  await garbage.round();
  await clock.advance(GRACE_MS);
  await garbage.round();
  expect(existsSync(leaked)).toBe(false);
});
