import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tryLockFile } from '@canal/linux-ffi';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { type AddressRange, createRange } from '@canal/ipam';
import { type AttachmentKey, createAttachmentStore, createNodeAddresses } from '@canal/node-state';
import { createPrometheusMetrics } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import {
  type Cidr,
  formatIp,
  type Ip,
  parseCidr,
  parseInterfaceAddress,
  parseInterfaceName,
  parseIp,
  parseMac,
  unwrap,
} from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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
    {
      ip: unwrap(parseIp('10.244.1.5')),
      owner: { containerId: 'gone', containerInterface: 'eth0' },
      leaked,
      // Without a record nobody knows whether another plugin is at work.
      releasable: false,
    },
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

describe('on demand', () => {
  const IP = unwrap(parseIp('10.244.1.5'));
  const SUBNET: Cidr = unwrap(parseCidr('10.244.1.0/24'));
  const netnsOf = (containerId: string): string => join(directory, 'netns', containerId);

  function keyOf(containerId: string): AttachmentKey {
    return {
      containerId: unwrap(parseContainerId(containerId)),
      containerInterface: unwrap(parseInterfaceName('eth0')),
    };
  }

  function range(): AddressRange {
    const made = createRange({ subnet: SUBNET });
    if (!made.ok) throw new Error(made.error);
    return made.value;
  }

  const addresses = () =>
    createNodeAddresses({
      dataDir: join(directory, 'networks'),
      network: unwrap(parseNetworkName('canal')),
      attachments: createAttachmentStore(join(directory, 'state')),
      bootId: 'boot',
      lockTimeoutMs: 1000,
    });

  /** What an ADD of the real plugin does first, in its namespace; its link comes later. */
  function add(containerId: string, requested: readonly Ip[] = []): string {
    mkdirSync(join(directory, 'netns'), { recursive: true });
    writeFileSync(netnsOf(containerId), '');
    const key = keyOf(containerId);
    const reserved = addresses().reserve(key, {
      rangeSets: [[range()]],
      requested,
      isGone: () => false,
      recordOf: ({ grants }) => ({
        ...key,
        network: 'canal',
        netns: netnsOf(containerId),
        mode: 'routed',
        hostInterface: unwrap(parseInterfaceName(`cnl${containerId}`)),
        hostMac: unwrap(parseMac('0a:00:00:00:00:01')),
        containerMac: unwrap(parseMac('0a:00:00:00:00:02')),
        addresses: grants.map(({ ip }) => unwrap(parseInterfaceAddress(`${formatIp(ip)}/32`))),
        gateways: [],
        mtuBytes: 1450,
        bootId: 'boot',
      }),
    });
    if (!reserved.ok) throw new Error(reserved.error.kind);
    return formatIp(reserved.value.plan.grants[0]?.ip ?? IP);
  }

  /** Its sandbox was taken away, and nobody called DEL. */
  function leak(containerId: string): void {
    add(containerId, [IP]);
    rmSync(netnsOf(containerId));
  }

  test('a leaked one goes at once, and can be given out', async () => {
    const { garbage, metrics } = create();
    leak('gone');
    expect(await garbage.releaseNow(IP, 'gone')).toMatchObject({
      result: 'kept',
      why: expect.stringMatching(/^it has just/) as string,
    });
    await garbage.round();
    expect(await garbage.held()).toMatchObject([{ ip: IP, leaked: true, releasable: true }]);
    expect(await garbage.releaseNow(IP, 'gone')).toEqual({ result: 'released', released: [IP] });
    expect(await garbage.held()).toEqual([]);
    expect(await metrics.render()).toContain('canal_ipam_gc_total 1');
    expect(await garbage.releaseNow(IP, 'gone')).toEqual({ result: 'absent' });
    expect(add('next', [IP])).toBe('10.244.1.5');
  });

  test('of a pod that is there, or of another container, nothing goes', async () => {
    const { garbage } = create();
    add('lives', [IP]);
    await garbage.round();
    expect(await garbage.releaseNow(IP, 'lives')).toEqual({ result: 'kept', why: 'its sandbox is there' });
    rmSync(netnsOf('lives'));
    await garbage.round();
    expect(await garbage.releaseNow(IP, 'other')).toEqual({ result: 'kept', why: 'another container holds it now' });
    expect(await garbage.releaseNow(unwrap(parseIp('10.9.9.9')), 'lives')).toMatchObject({ result: 'kept' });
    expect(existsSync(join(directory, 'networks/canal/10.244.1.5'))).toBe(true);
  });

  test('without a record nobody knows: it stays', async () => {
    const { garbage } = create();
    reserve('canal', '10.244.1.5', 'gone');
    emptyCache();
    await garbage.round();
    expect(await garbage.releaseNow(IP, 'gone')).toMatchObject({
      result: 'kept',
      why: expect.stringContaining('an ADD may') as string,
    });
    {
      using lock = tryLockFile(join(directory, 'networks/canal/lock'));
      expect(lock).toBeDefined();
      expect(await garbage.releaseNow(IP, 'gone')).toMatchObject({
        result: 'kept',
        why: expect.stringContaining('try again') as string,
      });
    }
  });

  /** Each moment at which an ADD can come, from the look of the operator to the release. */
  test.each<[string, (releasing: () => Promise<unknown>) => Promise<unknown>, string]>([
    ['of the same sandbox before it', async (release) => (add('gone'), await release()), 'kept'],
    [
      'of another one, after it was given back',
      async (release) => {
        addresses().release(keyOf('gone'));
        add('other', [IP]);
        return await release();
      },
      'kept',
    ],
    [
      'of the same sandbox while links are listed: after the first look, before the lock',
      async (release) => {
        const releasing = release();
        add('gone');
        return await releasing;
      },
      'kept',
    ],
    ['of another one after it', async (release) => await release(), 'released'],
  ])('an ADD %s keeps what it was given', async (_name, race, result) => {
    const { garbage } = create();
    leak('gone');
    await garbage.round();
    expect(await race(() => garbage.releaseNow(IP, 'gone'))).toMatchObject({ result });
    if (result === 'released') {
      add('other', [IP]);
      expect(await garbage.releaseNow(IP, 'gone')).toMatchObject({ result: 'kept' });
    }
    // Whoever holds it now is not gone, and nobody else can get it.
    expect(existsSync(join(directory, 'networks/canal/10.244.1.5'))).toBe(true);
    expect(await garbage.held()).toMatchObject([{ ip: IP, releasable: false }]);
    expect(() => add('third', [IP])).toThrow('held-by-another');
  });
});
