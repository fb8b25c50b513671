import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseContainerId, parseNetworkName } from '@canal/cni-spec';
import { type AllocationPlan, createRange, type RangeSet } from '@canal/ipam';
import type { Attachment } from '@canal/model';
import fc from 'fast-check';
import { formatIp, parseCidr, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AttachmentKey, type AttachmentStore, createAttachmentStore } from './attachment-store.ts';
import { createNodeAddresses, type NodeAddresses } from './node-addresses.ts';
import { NodeStateError } from './node-state-error.ts';

const NETWORK = unwrap(parseNetworkName('canal'));
const V4 = rangeOf('10.244.1.0/29');
const V6 = rangeOf('fd00:1::/125');

let root = '';
let attachments: AttachmentStore = createAttachmentStore('/nonexistent');
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'canal-addresses-'));
  attachments = createAttachmentStore(join(root, 'state'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function rangeOf(subnet: string): RangeSet {
  const range = createRange({ subnet: unwrap(parseCidr(subnet)) });
  if (!range.ok) throw new Error(range.error);
  return [range.value];
}

function key(id: string, name = 'eth0'): AttachmentKey {
  return { containerId: unwrap(parseContainerId(id)), containerInterface: unwrap(parseInterfaceName(name)) };
}

function addresses(bootId = 'boot-1'): NodeAddresses {
  return createNodeAddresses({
    dataDir: join(root, 'data'),
    network: NETWORK,
    attachments,
    bootId,
    lockTimeoutMs: 1000,
  });
}

function recordOf(owner: AttachmentKey, plan: AllocationPlan, bootId: string): Attachment {
  return {
    ...owner,
    network: 'canal',
    netns: `/run/netns/${owner.containerId}`,
    mode: 'routed',
    hostInterface: unwrap(parseInterfaceName('cnl0')),
    hostMac: unwrap(parseMac('0a:00:00:00:00:01')),
    containerMac: unwrap(parseMac('0a:00:00:00:00:02')),
    addresses: plan.grants.map(({ ip }) => ({ ip, prefixLen: 32 })),
    gateways: [],
    mtuBytes: 1450,
    bootId,
  };
}

interface Options {
  readonly rangeSets?: RangeSet[];
  readonly bootId?: string;
  readonly gone?: readonly string[];
}

function reserve(owner: AttachmentKey, { rangeSets = [V4], bootId = 'boot-1', gone = [] }: Options = {}) {
  return addresses(bootId).reserve(owner, {
    rangeSets,
    requested: [],
    recordOf: (plan) => recordOf(owner, plan, bootId),
    isGone: (attachment) => gone.includes(attachment.containerId),
  });
}

function given(owner: AttachmentKey, options?: Options): string {
  const result = reserve(owner, options);
  return result.ok ? result.value.plan.grants.map(({ ip }) => formatIp(ip)).join(' ') : result.error.kind;
}

/** What the disk holds: reservation files and record names. */
function held(): string[] {
  const list = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);
  const files = list(join(root, 'data/canal')).filter((name) => /^[0-9a-f.:]+$/.test(name) && name !== 'lock');
  const records = list(join(root, 'state/attachments/canal')).filter((name) => name.endsWith('.json'));
  return [...files, ...records].sort();
}

describe('reserve and release', () => {
  test('both families together, record and files, and all is gone after release', () => {
    expect(given(key('a'), { rangeSets: [V4, V6] })).toBe('10.244.1.2 fd00:1::2');
    expect(held()).toEqual(['10.244.1.2', 'a:eth0.json', 'fd00:1::2']);
    addresses().release(key('a'));
    expect(held()).toEqual([]);
  });

  test('an ADD that is tried again gets the same addresses and is told of the earlier record', () => {
    given(key('a'));
    const again = reserve(key('a'));
    expect(again.ok && again.value.plan.grants.map(({ ip, fresh }) => [formatIp(ip), fresh])).toEqual([
      ['10.244.1.2', false],
    ]);
    expect(again.ok && again.value.previous?.containerId).toBe('a');
  });

  test('interfaces of one container are apart', () => {
    expect(given(key('a', 'eth0'))).toBe('10.244.1.2');
    expect(given(key('a', 'net1'))).toBe('10.244.1.3');
    addresses().release(key('a', 'eth0'));
    expect(held()).toEqual(['10.244.1.3', 'a:net1.json']);
  });

  test('release is repeatable, and fine for what was never there', () => {
    addresses().release(key('ghost'));
    given(key('a'));
    for (let times = 0; times < 3; times++) addresses().release(key('a'));
    expect(held()).toEqual([]);
  });

  test('release without a record finds the files of the container and interface, host-local’s too', () => {
    given(key('a'));
    given(key('b'));
    attachments.remove(NETWORK, key('a'));
    addresses().release(key('a'));
    expect(held()).toEqual(['10.244.1.3', 'b:eth0.json']);
  });

  test('release never frees an address that another container has by now', () => {
    given(key('a'));
    writeFileSync(join(root, 'data/canal/10.244.1.2'), 'b\r\neth0');
    addresses().release(key('a'));
    expect(held()).toEqual(['10.244.1.2']);
  });

  test('release and garbage collection clear what killed writers left half written', () => {
    for (const clear of [() => addresses().release(key('a')), () => addresses().releaseUnlisted([])]) {
      given(key('a'));
      const directory = join(root, 'state/attachments/canal');
      writeFileSync(join(directory, '.canal-tmp-99-b:eth0.json'), '{');
      writeFileSync(join(root, 'data/canal/.canal-tmp-99-10.244.1.9'), 'b');
      clear();
      expect(readdirSync(directory)).toEqual(['.swept-boot-id']);
      expect(readdirSync(join(root, 'data/canal')).filter((name) => name.startsWith('.'))).toEqual([]);
    }
  });

  test('an ADD killed with a record of other addresses, tried again, loses none of those it held', () => {
    given(key('a'));
    const record = attachments.read(NETWORK, key('a'));
    if (record === undefined) throw new Error('no record');
    // Asked for by address; the kill came before its file.
    const asked = [{ ip: unwrap(parseIp('10.244.1.5')), prefixLen: 32 }];
    attachments.write(NETWORK, key('a'), { ...record, addresses: asked });
    expect(given(key('a'))).toBe('10.244.1.2');
    addresses().release(key('a'));
    expect(held()).toEqual([]);
  });

  test('a write that fails leaves the record of the earlier ADD', () => {
    given(key('a'));
    const before = attachments.read(NETWORK, key('a'));
    const failing = (): unknown =>
      addresses().reserve(key('a'), {
        rangeSets: [V4, V6],
        requested: [],
        recordOf: (plan) => {
          mkdirSync(join(root, 'data/canal/last_reserved_ip.1'));
          return recordOf(key('a'), plan, 'boot-1');
        },
        isGone: () => false,
      });
    expect(failing).toThrow('last_reserved_ip.1');
    expect(attachments.read(NETWORK, key('a'))).toEqual(before);
    expect(held()).toEqual(['10.244.1.2', 'a:eth0.json']);
  });

  test('two networks of one subnet do not reserve at the same time: each must see what the other gave out', () => {
    const second = createNodeAddresses({
      dataDir: join(root, 'data'),
      network: unwrap(parseNetworkName('second')),
      attachments,
      bootId: 'boot-1',
      lockTimeoutMs: 0,
    });
    const request = { rangeSets: [V4], requested: [], isGone: () => false };
    const inBetween: unknown[] = [];
    addresses().reserve(key('a'), {
      ...request,
      recordOf: (plan) => {
        const attempt = (): unknown =>
          second.reserve(key('b'), { ...request, recordOf: (other) => recordOf(key('b'), other, 'boot-1') });
        try {
          inBetween.push(attempt());
        } catch (error) {
          inBetween.push(error instanceof NodeStateError && error.code);
        }
        return recordOf(key('a'), plan, 'boot-1');
      },
    });
    expect(inBetween).toEqual(['locked']);
  });

  test('undo takes back what this ADD made, and only that', () => {
    const first = reserve(key('a'));
    if (!first.ok) throw new Error('no address');
    const second = reserve(key('a'));
    if (!second.ok) throw new Error('no address');
    addresses().undo(key('a'), second.value);
    expect(held()).toEqual(['10.244.1.2', 'a:eth0.json']);
    addresses().undo(key('a'), first.value);
    expect(held()).toEqual([]);
  });
});

describe('a full pool', () => {
  const fill = (): void => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) given(key(id));
  };
  test('is a problem, and nothing is left of the try', () => {
    fill();
    const before = held();
    expect(given(key('f'))).toBe('exhausted');
    expect(held()).toEqual(before);
  });
  test('takes back what sandboxes hold that are provably gone, and nothing else', () => {
    fill();
    expect(given(key('f'), { gone: ['c'] })).toBe('10.244.1.4');
    expect(held()).not.toContain('c:eth0.json');
    expect(held()).toHaveLength(10);
  });
  test('one family full: the other is not reserved either', () => {
    fill();
    expect(given(key('f'), { rangeSets: [V6, V4] })).toBe('exhausted');
    expect(held().filter((name) => name.startsWith('fd00'))).toEqual([]);
  });
});

describe('after a boot', () => {
  test('the first ADD releases what earlier boots recorded, torn records and torn files', () => {
    for (const id of ['a', 'b']) given(key(id));
    writeFileSync(join(root, 'state/attachments/canal/b:eth0.json'), '');
    writeFileSync(join(root, 'data/canal/10.244.1.6'), '');
    expect(given(key('new'), { bootId: 'boot-2' })).toBe('10.244.1.4');
    expect(held()).toEqual(['10.244.1.4', 'new:eth0.json']);
  });
  test('addresses without a record stay: host-local may have given them out in this boot', () => {
    given(key('a'));
    attachments.remove(NETWORK, key('a'));
    given(key('new'), { bootId: 'boot-2' });
    expect(held()).toContain('10.244.1.2');
  });
  test('it happens once a boot: later records of an earlier boot wait for the agent', () => {
    given(key('new'), { bootId: 'boot-2' });
    given(key('late'), { bootId: 'boot-1' });
    given(key('b'), { bootId: 'boot-1' });
    expect(held()).toContain('b:eth0.json');
  });
});

describe('garbage collection', () => {
  test('keeps what is listed, releases and forgets the rest, torn files and records too', () => {
    for (const id of ['a', 'b', 'c']) given(key(id));
    writeFileSync(join(root, 'data/canal/10.244.1.6'), '');
    writeFileSync(join(root, 'state/attachments/canal/c:eth0.json'), '{');
    addresses().releaseUnlisted([key('b')]);
    expect(held()).toEqual(['10.244.1.3', 'b:eth0.json']);
  });
  test('releaseGone takes what the test says', () => {
    for (const id of ['a', 'b']) given(key(id));
    addresses().releaseGone((attachment) => attachment.containerId === 'a');
    expect(held()).toEqual(['10.244.1.3', 'b:eth0.json']);
  });
});

describe('hostile names', () => {
  test('whatever passes the parsers, all files stay inside the two directories', () => {
    const name = fc.oneof(
      fc.constantFrom(
        '..',
        '../x',
        'lock',
        '10.244.1.2',
        'last_reserved_ip.0',
        '.swept-boot-id',
        'a/b',
        'x'.repeat(150),
      ),
      fc.stringMatching(/^[a-zA-Z0-9._:/-]{1,16}$/),
    );
    fc.assert(
      fc.property(name, name, name, (networkText, idText, nameText) => {
        const network = parseNetworkName(networkText);
        const containerId = parseContainerId(idText);
        const containerInterface = parseInterfaceName(nameText);
        if (!network.ok || !containerId.ok || !containerInterface.ok) return;
        const owner = { containerId: containerId.value, containerInterface: containerInterface.value };
        const inside = mkdtempSync(join(root, 'case-'));
        const store = createAttachmentStore(join(inside, 'state'));
        const pool = createNodeAddresses({
          dataDir: join(inside, 'data'),
          network: network.value,
          attachments: store,
          bootId: 'boot-1',
          lockTimeoutMs: 100,
        });
        const before = readdirSync(root);
        const result = pool.reserve(owner, {
          rangeSets: [V4],
          requested: [],
          recordOf: (plan) => ({ ...recordOf(owner, plan, 'boot-1'), network: network.value }),
          isGone: () => false,
        });
        expect(result.ok).toBe(true);
        expect(store.list().attachments).toHaveLength(1);
        expect(readdirSync(root)).toEqual(before);
        expect(readdirSync(inside).sort()).toEqual(['data', 'state']);
        pool.release(owner);
        expect(store.list().attachments).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
