import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { judgeReservations, NO_STALENESS } from '@canal/ipam';
import type { Attachment } from '@canal/model';
import { tryLockFile } from '@canal/linux-ffi';
import { formatIp, parseInterfaceAddress, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAttachmentStore } from './attachment-store.ts';
import { createCniCache } from './cni-cache.ts';
import { createStaleAddresses, type StaleAddresses } from './stale-addresses.ts';

const NETWORK = unwrap(parseNetworkName('canal'));
const NETNS_OF_A = '/run/netns/a';

let root = '';
let links: string[] = [];
let namespaces: string[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-stale-'));
  links = [];
  namespaces = [];
  mkdirSync(join(root, 'data/canal'), { recursive: true });
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function stale(bootId = 'boot-1'): StaleAddresses {
  return createStaleAddresses({
    dataDir: join(root, 'data'),
    network: NETWORK,
    attachments: createAttachmentStore(join(root, 'state')),
    cache: createCniCache(join(root, 'cni')),
    bootId,
    lockTimeoutMs: 1000,
    netns: (path) => (namespaces.includes(path) ? 'present' : 'absent'),
    hostLink: (name) => (links.includes(name) ? 'present' : 'absent'),
  });
}

function put(address: string, owner: string): void {
  writeFileSync(join(root, 'data/canal', address), owner);
}

function record(id: string, address: string, bootId = 'boot-1', others: readonly string[] = []): void {
  const attachment: Attachment = {
    network: 'canal',
    containerId: id,
    containerInterface: unwrap(parseInterfaceName('eth0')),
    netns: `/run/netns/${id}`,
    mode: 'routed',
    hostInterface: unwrap(parseInterfaceName(`cnl${id}`)),
    hostMac: unwrap(parseMac('0a:00:00:00:00:01')),
    containerMac: unwrap(parseMac('0a:00:00:00:00:02')),
    addresses: [address, ...others].map((text) => unwrap(parseInterfaceAddress(text))),
    gateways: [],
    mtuBytes: 1450,
    bootId,
  };
  const key = { containerId: unwrap(parseContainerId(id)), containerInterface: attachment.containerInterface };
  createAttachmentStore(join(root, 'state')).write(NETWORK, key, attachment);
}

/** One round after the grace time: what it releases. */
function releasedBy(addresses: StaleAddresses): string[] {
  const first = judgeReservations(addresses.observe(), NO_STALENESS, 0, 1000);
  const second = judgeReservations(addresses.observe(), first.state, 1000, 1000);
  return addresses.release(second.release).map(formatIp).sort();
}

function cacheEntry(id: string): void {
  createCniCache(join(root, 'cni')).write({
    network: NETWORK,
    containerId: unwrap(parseContainerId(id)),
    containerInterface: unwrap(parseInterfaceName('eth0')),
    netns: `/run/netns/${id}`,
    config: '{}',
    cniArgs: [],
  });
}

test('a pod whose link and namespace are gone loses address and record; a live one keeps both', () => {
  for (const [id, address] of [
    ['a', '10.244.1.2'],
    ['b', '10.244.1.3'],
  ] as const) {
    put(address, `${id}\r\neth0`);
    record(id, `${address}/32`);
  }
  links = ['cnlb'];
  expect(releasedBy(stale())).toEqual(['10.244.1.2']);
  expect(readdirSync(join(root, 'data/canal')).sort()).toEqual(['10.244.1.3', 'lock']);
  expect(readdirSync(join(root, 'state/attachments/canal'))).toEqual(['b:eth0.json']);
});

test('a record of an earlier boot loses its address at once', () => {
  put('10.244.1.2', 'a\r\neth0');
  record('a', '10.244.1.2/32');
  namespaces = [NETNS_OF_A];
  const { release } = judgeReservations(stale('boot-2').observe(), NO_STALENESS, 0, 1000);
  expect(stale('boot-2').release(release)).toHaveLength(1);
});

test('a recorded address without a file goes, and its record with it', () => {
  record('a', '10.244.1.2/32');
  expect(releasedBy(stale())).toEqual(['10.244.1.2']);
  expect(existsSync(join(root, 'state/attachments/canal/a:eth0.json'))).toBe(false);
});

test('without a record the runtime’s cache decides; without a cache nothing is released', () => {
  put('10.244.1.2', 'a\r\neth0');
  put('10.244.1.3', 'b\r\neth0');
  put('10.244.1.4', 'c');
  expect(releasedBy(stale())).toEqual([]);
  cacheEntry('a');
  cacheEntry('c');
  expect(releasedBy(stale())).toEqual(['10.244.1.3']);
});

test('a file that names nobody is released', () => {
  put('10.244.1.2', '');
  expect(releasedBy(stale())).toEqual(['10.244.1.2']);
});

test('an address given out anew between judgement and release stays', () => {
  put('10.244.1.2', '');
  const addresses = stale();
  const judged = addresses.observe();
  rmSync(join(root, 'data/canal/10.244.1.2'));
  put('10.244.1.2', 'new\r\neth0');
  expect(addresses.release(judged)).toEqual([]);
  expect(existsSync(join(root, 'data/canal/10.244.1.2'))).toBe(true);
});

test('an owner whose name cannot be an attachment’s removes nothing elsewhere', () => {
  put('10.244.1.2', '../../x\r\neth0');
  mkdirSync(join(root, 'cni/results'), { recursive: true });
  expect(releasedBy(stale())).toEqual(['10.244.1.2']);
});

test('the record of an ADD that came between look and release stays: it is of another address', () => {
  mkdirSync(join(root, 'cni/results'), { recursive: true });
  put('10.244.1.2', 'a\r\neth0');
  const addresses = stale();
  const first = judgeReservations(addresses.observe(), NO_STALENESS, 0, 1000);
  const second = judgeReservations(addresses.observe(), first.state, 1000, 1000);
  put('10.244.1.3', 'a\r\neth0');
  record('a', '10.244.1.3/32');
  expect(addresses.release(second.release).map(formatIp)).toEqual(['10.244.1.2']);
  expect(existsSync(join(root, 'state/attachments/canal/a:eth0.json'))).toBe(true);
});

test('one address on demand, with the other of its sandbox: looked at and released under one lock', () => {
  put('10.244.1.2', 'a\r\neth0');
  put('fd00::2', 'a\r\neth0');
  put('10.244.1.3', 'b\r\neth0');
  record('a', '10.244.1.2/32', 'boot-1', ['fd00::2/128']);
  const addresses = stale();
  const ip = unwrap(parseIp('10.244.1.2'));
  expect(addresses.releaseIf(ip, () => false)).toEqual([]);
  expect(readdirSync(join(root, 'data/canal')).sort()).toEqual(['10.244.1.2', '10.244.1.3', 'fd00::2', 'lock']);
  const seen: string[] = [];
  const released = addresses.releaseIf(ip, (now) => {
    expect(tryLockFile(join(root, 'data/canal/lock')), 'nobody else may come in between').toBeUndefined();
    seen.push(formatIp(now.ip));
    return now.evidence.hostLink === 'absent';
  });
  expect(released?.map(formatIp)).toEqual(['10.244.1.2', 'fd00::2']);
  expect(seen).toEqual(['10.244.1.2', 'fd00::2']);
  expect(readdirSync(join(root, 'data/canal')).sort()).toEqual(['10.244.1.3', 'lock']);
  expect(existsSync(join(root, 'state/attachments/canal/a:eth0.json'))).toBe(false);
  expect(addresses.releaseIf(ip, () => true)).toBeUndefined();
});
