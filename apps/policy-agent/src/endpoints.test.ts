import type { Attachment, PolicyEndpoint } from '@canal/model';
import { createCapturedLogger } from '@canal/testing';
import { formatIp, parseInterfaceAddress, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { beforeEach, describe, expect, test } from 'vitest';
import { Endpoints } from './endpoints.ts';

const POD = { namespace: 'default', name: 'web', uid: 'u' };
const MAC = unwrap(parseMac('0a:00:00:00:00:01'));
const ETH0 = unwrap(parseInterfaceName('eth0'));
const NONE: ReadonlySet<string> = new Set();

let known: Map<string, PolicyEndpoint>;
let endpoints: Endpoints;
let changes: number;

beforeEach(() => {
  known = new Map();
  changes = 0;
  const engine = {
    putEndpoint: (endpoint: PolicyEndpoint) => void known.set(endpoint.key, endpoint),
    deleteEndpoint: (key: string) => void known.delete(key),
  };
  endpoints = new Endpoints({ engine, log: createCapturedLogger(), bootId: 'boot', onChange: () => changes++ });
});

function announced(containerId: string, address = '10.244.1.10'): PolicyEndpoint {
  return {
    key: `${containerId}/eth0`,
    pod: POD,
    hostInterface: unwrap(parseInterfaceName(`cnl${containerId}`)),
    mode: 'routed',
    addresses: [unwrap(parseIp(address))],
    mac: MAC,
  };
}

function recorded(containerId: string, changed: Partial<Attachment> = {}): Attachment {
  return {
    network: 'canal',
    containerId,
    containerInterface: ETH0,
    netns: '/run/netns/x',
    mode: 'routed',
    hostInterface: unwrap(parseInterfaceName(`cnl${containerId}`)),
    hostMac: MAC,
    containerMac: MAC,
    addresses: [unwrap(parseInterfaceAddress('10.244.1.10/32'))],
    gateways: [],
    mtuBytes: 1450,
    bootId: 'boot',
    pod: POD,
    ...changed,
  };
}

test('a record and an announcement make the same endpoint', () => {
  endpoints.setRecorded([recorded('c1')], NONE);
  const fromRecord = known.get('c1/eth0');
  endpoints.announce(announced('c1'));
  expect(known.get('c1/eth0')).toEqual(fromRecord);
});

test('an announced endpoint stays without a record, and goes with the one it had', () => {
  endpoints.announce(announced('c1'));
  endpoints.setRecorded([], NONE);
  expect([...known.keys()]).toEqual(['c1/eth0']);
  endpoints.setRecorded([recorded('c1')], NONE);
  endpoints.setRecorded([], NONE);
  expect(known.size).toBe(0);
});

test('a record that cannot be read is there: what is known of it stays', () => {
  endpoints.setRecorded([recorded('c1')], NONE);
  endpoints.setRecorded([], new Set(['c1/eth0']));
  expect(known.size).toBe(1);
});

test('after DEL the record does not bring it back, but a new ADD does', () => {
  endpoints.setRecorded([recorded('c1')], NONE);
  endpoints.withdraw('c1/eth0');
  endpoints.setRecorded([recorded('c1')], NONE);
  expect(known.size).toBe(0);
  endpoints.announce(announced('c1'));
  expect(known.size).toBe(1);
  endpoints.withdraw('c1/eth0');
  endpoints.setRecorded([], NONE);
  // The record of a later sandbox of that id.
  endpoints.setRecorded([recorded('c1')], NONE);
  expect(known.size).toBe(1);
});

describe('an ADD that is refused', () => {
  test('is forgotten', () => {
    const first = announced('c1');
    endpoints.announce(first);
    endpoints.refuse(first);
    expect([known.size, endpoints.size, changes]).toEqual([0, 0, 2]);
  });

  test('leaves what the container had: by an ADD before, or by its record', () => {
    endpoints.setRecorded([recorded('c1')], NONE);
    const other = announced('c2', '10.244.1.11');
    endpoints.announce(other);
    endpoints.admit(other);
    for (const containerId of ['c1', 'c2']) {
      const again = announced(containerId, '10.244.1.12');
      endpoints.announce(again);
      expect(known.get(again.key)).toBe(again);
      endpoints.refuse(again);
    }
    const had = [...known.values()].map(({ addresses }) => addresses.map(formatIp));
    expect(had).toEqual([['10.244.1.10'], ['10.244.1.11']]);
  });

  test('leaves the end to a record that was read meanwhile, or is read later', () => {
    const [early, late] = [announced('c1'), announced('c2', '10.244.1.11')];
    const records = [recorded('c1'), recorded('c2', { addresses: [unwrap(parseInterfaceAddress('10.244.1.11/32'))] })];
    endpoints.announce(early);
    endpoints.announce(late);
    endpoints.refuse(late);
    endpoints.setRecorded(records, NONE);
    endpoints.refuse(early);
    expect([...known.keys()]).toEqual(['c1/eth0', 'c2/eth0']);
    endpoints.setRecorded([], NONE);
    expect(known.size).toBe(0);
  });

  test('takes nothing from a later ADD, nor leaves anything when that is refused too', () => {
    const [first, second] = [announced('c1'), announced('c1')];
    endpoints.announce(first);
    endpoints.announce(second);
    endpoints.refuse(first);
    expect(known.get('c1/eth0')).toBe(second);
    endpoints.refuse(second);
    expect(known.size).toBe(0);
  });

  test('does not bring back what DEL ended', () => {
    endpoints.setRecorded([recorded('c1')], NONE);
    const again = announced('c1');
    endpoints.announce(again);
    endpoints.withdraw(again.key);
    endpoints.refuse(again);
    endpoints.setRecorded([recorded('c1')], NONE);
    expect(known.size).toBe(0);
  });
});

test('a runtime that gives no uid does not say which pod it is', () => {
  endpoints.setRecorded([recorded('c1', { pod: { ...POD, uid: '' } })], NONE);
  expect(known.get('c1/eth0')?.pod).toBeUndefined();
});

test('what changes nothing tells nothing', () => {
  endpoints.setRecorded([recorded('c1')], NONE);
  expect(changes).toBe(1);
  endpoints.setRecorded([recorded('c1')], NONE);
  endpoints.withdraw('c9/eth0');
  endpoints.linkGone('eth7');
  expect(changes).toBe(1);
});

test('the device of an endpoint goes', () => {
  endpoints.announce(announced('c1'));
  endpoints.announce(announced('c2', '10.244.1.11'));
  endpoints.linkGone('cnlc1');
  expect([...known.keys()]).toEqual(['c2/eth0']);
});

test('an address that was another’s ends the other, also when its record is there still', () => {
  endpoints.setRecorded([recorded('c1')], NONE);
  endpoints.announce(announced('c2'));
  endpoints.setRecorded([recorded('c1'), recorded('c2')], NONE);
  expect([...known.keys()]).toEqual(['c2/eth0']);
});
