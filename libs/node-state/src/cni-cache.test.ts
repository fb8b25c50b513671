import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { parseInterfaceName, unwrap } from 'net-types';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CachedAttachment, createCniCache } from './cni-cache.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-cache-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const ENTRY: CachedAttachment = {
  network: unwrap(parseNetworkName('canal')),
  containerId: unwrap(parseContainerId('c1')),
  containerInterface: unwrap(parseInterfaceName('eth0')),
  netns: '/run/netns/c1',
  config: '{"name":"canal"}',
  cniArgs: [['K8S_POD_NAME', 'web']],
  result: { cniVersion: '1.1.0' },
};

test('an entry is libcni’s file: name, kind, base64 of the configuration', () => {
  createCniCache(root).write(ENTRY);
  expect(JSON.parse(readFileSync(join(root, 'results/canal-c1-eth0'), 'utf8'))).toEqual({
    kind: 'cniCacheV1',
    containerId: 'c1',
    config: Buffer.from(ENTRY.config).toString('base64'),
    ifName: 'eth0',
    networkName: 'canal',
    netns: '/run/netns/c1',
    cniArgs: [['K8S_POD_NAME', 'web']],
    result: { cniVersion: '1.1.0' },
  });
  expect(createCniCache(root).read(ENTRY.network, ENTRY)).toEqual(ENTRY);
});

test('an entry of containerd 1.6 has no netns: the sandbox of its result tells it', () => {
  const result = { interfaces: [{ name: 'cni0' }, { name: 'eth0', sandbox: '/run/netns/old' }] };
  mkdirSync(join(root, 'results'));
  const entry = { kind: 'cniCacheV1', containerId: 'c1', config: '', ifName: 'eth0', networkName: 'canal', result };
  writeFileSync(join(root, 'results/canal-c1-eth0'), JSON.stringify(entry));
  expect(createCniCache(root).read(ENTRY.network, ENTRY)?.netns).toBe('/run/netns/old');
});

test('lists one network, passing over what is no entry; no directory is no cache', () => {
  const cache = createCniCache(root);
  expect(cache.list(ENTRY.network)).toBeUndefined();
  cache.write(ENTRY);
  cache.write({ ...ENTRY, network: unwrap(parseNetworkName('other')) });
  writeFileSync(join(root, 'results/canal-torn-eth0'), '{"kind":');
  writeFileSync(join(root, 'results/canal-evil-eth0'), JSON.stringify({ kind: 'cniCacheV1', containerId: '../x' }));
  expect(cache.list(ENTRY.network)).toEqual([ENTRY]);
  cache.remove(ENTRY.network, ENTRY);
  expect(cache.list(ENTRY.network)).toEqual([]);
});
