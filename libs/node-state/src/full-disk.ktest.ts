/** Each write with a disk that fills up at each point of it: afterwards the old state or the new one, nothing between. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { createRange } from '@canal/ipam';
import { mount, unmount } from '@canal/linux-ffi';
import { parseCidr, parseInterfaceName, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAttachmentStore } from './attachment-store.ts';
import { createNodeAddresses, type NodeAddresses } from './node-addresses.ts';
import { NodeStateError } from './node-state-error.ts';
import { parseSubnetEnv, readSubnetEnv, type SubnetEnv, writeSubnetEnv } from './subnet-env.ts';

const PAGE_BYTES = 4096;
const PAGES = 24;
const NETWORK = unwrap(parseNetworkName('net'));

let disk = '';
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'canal-full-disk-'));
  mount('tmpfs', disk, 'tmpfs', 0, `size=${PAGES * PAGE_BYTES}`);
});
afterEach(() => {
  unmount(disk);
  rmdirSync(disk);
});

/** Leaves this many free pages. */
function fillUpTo(freePages: number): void {
  rmSync(join(disk, 'filler'), { force: true });
  const free = statfsSync(disk).bfree - freePages;
  if (free > 0) writeFileSync(join(disk, 'filler'), new Uint8Array(free * PAGE_BYTES));
}

/** Every file but the filler, with its text. */
function content(): Record<string, string> {
  const names = readdirSync(disk, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = names
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path !== join(disk, 'filler'));
  return Object.fromEntries(files.sort().map((path) => [path.slice(disk.length), readFileSync(path, 'utf8')]));
}

function isFull(error: unknown): boolean {
  return error instanceof NodeStateError && error.code === 'io' && String(error.cause).includes('ENOSPC');
}

test('subnet.env is the old one until the new one is whole', () => {
  const path = join(disk, 'run/subnet.env');
  // Longer than the pages that are left: the write ends in the middle of the text.
  const long = (first: number): SubnetEnv => {
    const networks = Array.from({ length: 900 }, (_unused, index) => `10.${first}.${index % 256}.0/24`).join(',');
    const text = `FLANNEL_NETWORK=${networks}\nFLANNEL_SUBNET=10.${first}.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`;
    const parsed = parseSubnetEnv(text);
    if (!parsed.ok) throw new Error(parsed.error);
    return parsed.value;
  };
  writeSubnetEnv(path, long(1));
  const before = content();
  let failures = 0;
  for (const freePages of [0, 1, 2]) {
    fillUpTo(freePages);
    expect(statfsSync(disk).bfree).toBe(freePages);
    try {
      writeSubnetEnv(path, long(2));
    } catch (error) {
      expect(isFull(error)).toBe(true);
      failures++;
      expect(content()).toEqual(before);
    }
  }
  expect(failures).toBe(3);
  fillUpTo(12);
  writeSubnetEnv(path, long(2));
  expect(readSubnetEnv(path)).toEqual(long(2));
});

function addresses(): NodeAddresses {
  return createNodeAddresses({
    dataDir: join(disk, 'data'),
    network: NETWORK,
    attachments: createAttachmentStore(join(disk, 'state')),
    bootId: 'boot',
    lockTimeoutMs: 1000,
  });
}

function add(id: string) {
  const ranges = ['10.244.3.0/24', 'fd00:3::/64'].map((subnet) => createRange({ subnet: unwrap(parseCidr(subnet)) }));
  const key = { containerId: unwrap(parseContainerId(id)), containerInterface: unwrap(parseInterfaceName('eth0')) };
  return addresses().reserve(key, {
    rangeSets: ranges.map((range) => (range.ok ? [range.value] : [])),
    requested: [],
    isGone: () => false,
    recordOf: (plan) => ({
      ...key,
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
}

/** Reservations and records; the pointer of the rotation may be ahead of a failed ADD, which costs nothing. */
function state(): Record<string, string> {
  return Object.fromEntries(Object.entries(content()).filter(([path]) => !path.includes('last_reserved_ip')));
}

test('an ADD that runs into a full disk at any write leaves no reservation, no record, no temporary file', () => {
  mkdirSync(join(disk, 'data'));
  fillUpTo(PAGES);
  expect(add('first').ok).toBe(true);
  const before = state();
  const outcomes: string[] = [];
  for (let freePages = 0; freePages < 8; freePages++) {
    fillUpTo(freePages);
    const key = {
      containerId: unwrap(parseContainerId('second')),
      containerInterface: unwrap(parseInterfaceName('eth0')),
    };
    try {
      expect(add('second').ok).toBe(true);
      outcomes.push('added');
      expect(Object.keys(state())).toHaveLength(Object.keys(before).length + 3);
      fillUpTo(0);
      addresses().release(key);
    } catch (error) {
      expect(isFull(error)).toBe(true);
      outcomes.push('refused');
    }
    expect(state()).toEqual(before);
  }
  expect(outcomes[0]).toBe('refused');
  expect(outcomes.filter((outcome) => outcome === 'refused').length).toBeGreaterThan(2);
  expect(outcomes.at(-1)).toBe('added');
});

test('a release needs no space', () => {
  add('first');
  fillUpTo(0);
  addresses().release({
    containerId: unwrap(parseContainerId('first')),
    containerInterface: unwrap(parseInterfaceName('eth0')),
  });
  expect(Object.keys(state()).filter((path) => /\.json$|\/10\.|\/fd00/.test(path))).toEqual([]);
});
