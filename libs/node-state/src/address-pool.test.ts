import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { tryLockFile } from '@canal/linux-ffi';
import { formatIp, type Ip, parseInterfaceName, parseIp, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AddressPool, withAddressPool, withExistingAddressPool } from './address-pool.ts';
import { NodeStateError } from './node-state-error.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const KEY = { containerId: unwrap(parseContainerId('c1')), containerInterface: unwrap(parseInterfaceName('eth0')) };

let dataDir = '';
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'canal-pool-'));
});
afterEach(() => {
  rmSync(dataDir, { recursive: true });
});

function inPool<T>(action: (pool: AddressPool) => T, lockTimeoutMs = 1000): T {
  return withAddressPool({ dataDir, network: unwrap(parseNetworkName('net')), lockTimeoutMs }, action);
}

function put(name: string, text: string): void {
  mkdirSync(join(dataDir, 'net'), { recursive: true });
  writeFileSync(join(dataDir, 'net', name), text);
}

const texts = (ips: Iterable<Ip>): string[] => [...ips].map(formatIp).sort();

test('a reservation is host-local’s file: id, CR LF, interface, without a line end', () => {
  inPool((pool) => {
    pool.reserve(ip('10.244.1.5'), KEY);
    pool.reserve(ip('fd00:1::5'), KEY);
    pool.setLastReserved(1, ip('fd00:1::5'));
  });
  expect(readdirSync(join(dataDir, 'net')).sort()).toEqual(['10.244.1.5', 'fd00:1::5', 'last_reserved_ip.1', 'lock']);
  expect(readFileSync(join(dataDir, 'net/10.244.1.5'), 'utf8')).toBe('c1\r\neth0');
  expect(readFileSync(join(dataDir, 'net/last_reserved_ip.1'), 'utf8')).toBe('fd00:1::5');
});

test('reads back what it wrote, in the same hold of the lock and in the next', () => {
  inPool((pool) => {
    pool.reserve(ip('10.244.1.5'), KEY);
    pool.setLastReserved(0, ip('10.244.1.5'));
    expect(pool.reservations()).toEqual([{ ip: ip('10.244.1.5'), owner: KEY }]);
  });
  inPool((pool) => {
    expect(pool.ownerOf(ip('10.244.1.5'))).toEqual(KEY);
    expect(pool.lastReserved(0)).toBe(ip('10.244.1.5'));
    expect(pool.lastReserved(1)).toBeUndefined();
    expect(pool.release(ip('10.244.1.5'))).toBe(true);
    expect(pool.release(ip('10.244.1.5'))).toBe(false);
    expect(pool.reservations()).toEqual([]);
  });
});

test('the address given out last is what was set last, be its text longer or shorter', () => {
  for (const text of ['10.244.1.9', '10.244.1.10', '10.244.1.9', '10.244.1.254', '10.244.2.254', '10.2.1.1']) {
    inPool((pool) => {
      pool.setLastReserved(0, ip(text));
      expect(pool.lastReserved(0)).toBe(ip(text));
    });
    expect(readFileSync(join(dataDir, 'net/last_reserved_ip.0'), 'utf8')).toBe(text);
  }
});

describe('files of others', () => {
  test('an old host-local’s file has no interface, an empty one no owner', () => {
    put('10.244.1.5', 'c1');
    put('10.244.1.6', '');
    put('10.244.1.7', ' \n');
    expect(inPool((pool) => pool.reservations())).toEqual([
      { ip: ip('10.244.1.5'), owner: { containerId: 'c1' } },
      { ip: ip('10.244.1.6') },
      { ip: ip('10.244.1.7') },
    ]);
  });
  test('what is no address is none of ours', () => {
    for (const name of ['README', '10.244.1', '10.244.1.05', 'fd00::g', '.hidden']) put(name, 'c1\r\neth0');
    expect(inPool((pool) => [...pool.taken()])).toEqual([]);
  });
  test('a torn last_reserved_ip counts as none', () => {
    put('last_reserved_ip.0', '10.244.');
    expect(inPool((pool) => pool.lastReserved(0))).toBeUndefined();
  });
  test('addresses of other networks in the directory are taken as well, files beside the directories are passed over', () => {
    put('10.244.1.5', 'c1\r\neth0');
    mkdirSync(join(dataDir, 'cbr0'));
    writeFileSync(join(dataDir, 'cbr0/10.244.1.9'), 'c2\r\neth0');
    writeFileSync(join(dataDir, '10.244.1.77'), 'stray');
    expect(texts(inPool((pool) => pool.taken()))).toEqual(['10.244.1.5', '10.244.1.9']);
    expect(inPool((pool) => pool.ownerOf(ip('10.244.1.9')))).toBeUndefined();
  });
  test('temporary files of killed writers are cleared', () => {
    put('.canal-tmp-77-10.244.1.5', 'c1');
    inPool(() => undefined);
    expect(readdirSync(join(dataDir, 'net'))).toEqual(['lock']);
  });
});

test('the generation of an address changes when it is given out anew', () => {
  const generations = [1, 2].map(() =>
    inPool((pool) => {
      pool.reserve(ip('10.244.1.5'), KEY);
      const generation = pool.generationOf(ip('10.244.1.5'));
      pool.release(ip('10.244.1.5'));
      expect(pool.generationOf(ip('10.244.1.5'))).toBeUndefined();
      return generation;
    }),
  );
  expect(new Set(generations).size).toBe(2);
});

describe('the lock', () => {
  test('is exclusive, and who waits too long gets an error that names the file', () => {
    inPool(() => {
      const second = (): void => inPool(() => undefined, 20);
      expect(second).toThrow(NodeStateError);
      expect(second).toThrow(`${dataDir}/net/lock: another process has held the lock for 20 ms`);
    });
  });
  test('is given back after the action, also when that throws', () => {
    expect(() => inPool(() => never())).toThrow('absent');
    using lock = tryLockFile(join(dataDir, 'net/lock'));
    expect(lock).toBeDefined();
  });
  test('without a directory there is nothing to lock for a release', () => {
    const location = { dataDir, network: unwrap(parseNetworkName('other')), lockTimeoutMs: 10 };
    expect(withExistingAddressPool(location, () => 'ran')).toBeUndefined();
    expect(readdirSync(dataDir)).toEqual([]);
  });
});

function never(): never {
  throw new Error('absent');
}
