/** Both plugins on one directory: Debian's host-local binary against the pool, in both directions. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { createRange } from '@canal/ipam';
import { formatIp, parseCidr, parseInterfaceName, parseIp, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withAddressPool } from './address-pool.ts';
import { type AttachmentKey, createAttachmentStore } from './attachment-store.ts';
import { createNodeAddresses, type NodeAddresses } from './node-addresses.ts';

const HOST_LOCAL = '/usr/lib/cni/host-local';
const NETWORK = unwrap(parseNetworkName('net'));

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-host-local-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function config(): string {
  const ranges = [[{ subnet: '10.244.3.0/28' }], [{ subnet: 'fd00:3::/124' }]];
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'net',
    type: 'x',
    ipam: { type: 'host-local', dataDir: join(root, 'data'), ranges },
  });
}

function variables(command: string, id: string): NodeJS.ProcessEnv {
  return { CNI_COMMAND: command, CNI_CONTAINERID: id, CNI_IFNAME: 'eth0', CNI_NETNS: '/x', CNI_PATH: '/usr/lib/cni' };
}

/** Addresses that host-local gives, or the message of its error. */
function hostLocal(command: 'ADD' | 'DEL', id: string): string {
  const run = spawnSync(HOST_LOCAL, { env: variables(command, id), input: config(), encoding: 'utf8' });
  if (command === 'DEL') return run.status === 0 ? 'done' : run.stdout;
  const answer = JSON.parse(run.stdout) as { msg?: string; ips?: { address: string }[] };
  return answer.msg ?? (answer.ips ?? []).map(({ address }) => address.replace(/\/.*/, '')).join(' ');
}

function key(id: string): AttachmentKey {
  return { containerId: unwrap(parseContainerId(id)), containerInterface: unwrap(parseInterfaceName('eth0')) };
}

function addresses(): NodeAddresses {
  return createNodeAddresses({
    dataDir: join(root, 'data'),
    network: NETWORK,
    attachments: createAttachmentStore(join(root, 'state')),
    bootId: 'boot',
    lockTimeoutMs: 5000,
  });
}

function canal(id: string): string {
  const ranges = ['10.244.3.0/28', 'fd00:3::/124'].map((subnet) => createRange({ subnet: unwrap(parseCidr(subnet)) }));
  const result = addresses().reserve(key(id), {
    rangeSets: ranges.map((range) => (range.ok ? [range.value] : [])),
    requested: [],
    isGone: () => false,
    recordOf: (plan) => ({
      ...key(id),
      network: 'net',
      netns: '/x',
      mode: 'routed',
      hostInterface: unwrap(parseInterfaceName('cnl0')),
      hostMac: '0a:00:00:00:00:01' as never,
      containerMac: '0a:00:00:00:00:02' as never,
      addresses: plan.grants.map(({ ip }) => ({ ip, prefixLen: 32 })),
      gateways: [],
      mtuBytes: 1450,
      bootId: 'boot',
    }),
  });
  return result.ok ? result.value.plan.grants.map(({ ip }) => formatIp(ip)).join(' ') : result.error.kind;
}

const files = (): string[] =>
  readdirSync(join(root, 'data/net')).filter((name) => name !== 'lock' && !name.startsWith('last'));

test('both go on where the other stopped, and never give one address twice', () => {
  expect(hostLocal('ADD', 'a')).toBe('10.244.3.2 fd00:3::2');
  expect(canal('b')).toBe('10.244.3.3 fd00:3::3');
  expect(hostLocal('ADD', 'c')).toBe('10.244.3.4 fd00:3::4');
  expect(hostLocal('DEL', 'c')).toBe('done');
  expect(canal('d')).toBe('10.244.3.5 fd00:3::5');
});

test('the bytes on disk are the same', () => {
  hostLocal('ADD', 'a');
  canal('b');
  const read = (name: string): string => readFileSync(join(root, 'data/net', name), 'utf8');
  expect(read('10.244.3.2')).toBe('a\r\neth0');
  expect(read('10.244.3.3')).toBe('b\r\neth0');
  expect([read('last_reserved_ip.0'), read('last_reserved_ip.1')]).toEqual(['10.244.3.3', 'fd00:3::3']);
});

test('each releases what the other gave out', () => {
  hostLocal('ADD', 'a');
  canal('b');
  addresses().release(key('a'));
  expect(hostLocal('DEL', 'b')).toBe('done');
  expect(files()).toEqual([]);
});

test('over a long mixed run both agree with one model, pool full and empty included', () => {
  const held = new Map<string, string>();
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let step = 0; step < 120; step++) {
    const id = `c${random(16)}`;
    const ours = random(2) === 0;
    if (held.has(id)) {
      if (ours) addresses().release(key(id));
      else expect(hostLocal('DEL', id)).toBe('done');
      held.delete(id);
    } else {
      const given = ours ? canal(id) : hostLocal('ADD', id);
      if (held.size >= 13) expect(given).toMatch(/exhausted|no IP addresses available/);
      else {
        expect(given).toMatch(/^10\.244\.3\.\d+ fd00:3::[0-9a-f]+$/);
        expect([...held.values()]).not.toContain(given);
        held.set(id, given);
      }
    }
    expect(files().sort()).toEqual([...held.values()].flatMap((pair) => pair.split(' ')).sort());
  }
});

describe('the lock', () => {
  test('host-local waits for ours', async () => {
    hostLocal('ADD', 'a');
    const location = { dataDir: join(root, 'data'), network: NETWORK, lockTimeoutMs: 1000 };
    const { ended, child } = withAddressPool(location, (pool) => {
      const started = startHostLocal();
      Bun.sleepSync(300);
      expect(pool.taken().has(unwrap(parseIp('10.244.3.3')))).toBe(false);
      expect(existsSync(join(root, 'data/net/10.244.3.3'))).toBe(false);
      return started;
    });
    expect(await ended).toBe(0);
    expect(child.pid).toBeDefined();
    expect(existsSync(join(root, 'data/net/10.244.3.3'))).toBe(true);
  });

  test('ours waits for another process’, and gives up in the end', async () => {
    canal('a');
    const lock = join(root, 'data/net/lock');
    const holder = spawn('flock', ['--no-fork', lock, 'sh', '-c', 'echo held; exec sleep 30'], { stdio: 'pipe' });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const location = { dataDir: join(root, 'data'), network: NETWORK, lockTimeoutMs: 50 };
    expect(() => withAddressPool(location, () => undefined)).toThrow('held the lock for 50 ms');
    const gone = new Promise((resolve) => holder.once('close', resolve));
    holder.kill('SIGKILL');
    await gone;
    expect(withAddressPool({ ...location, lockTimeoutMs: 2000 }, () => 'ran')).toBe('ran');
  });
});

function startHostLocal() {
  const child = spawn(HOST_LOCAL, { env: variables('ADD', 'b'), stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.end(config());
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, ended };
}
