import { ipToBytes, parseIp, unwrap } from 'net-types';
import { ETHERTYPE, type NflogPacket } from 'netlink-ts';
import { describe, expect, test } from 'vitest';
import { verdictRecord, type VerdictContext } from './verdict-record.ts';

const [source, destination] = ['10.0.0.1', '10.0.0.2'].map((text) => unwrap(parseIp(text)));
const bytes = [source, destination].flatMap((ip) => (ip === undefined ? [] : [...ipToBytes(ip)]));
const payload = new Uint8Array([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, ...bytes, 0x12, 0x34, 0, 80]);

const PACKET: NflogPacket = {
  family: 1,
  version: 0,
  resourceId: 20,
  header: { etherType: ETHERTYPE.IPV4, hook: 4 },
  prefix: 'canal:ingress-denied',
  payload,
};
const CONTEXT: VerdictContext = { nowMs: 5000, lost: 3, nameOf: (index) => (index === 9 ? undefined : `if${index}`) };

test('a packet as a record', () => {
  expect(verdictRecord({ ...PACKET, inIndex: 1, outIndex: 2 }, CONTEXT)).toEqual({
    reason: 'ingress-denied',
    timeMs: 5000,
    family: 4,
    source,
    destination,
    protocol: 6,
    sourcePort: 0x1234,
    destinationPort: 80,
    inInterface: 'if1',
    outInterface: 'if2',
    lost: 3,
  });
});

test('its own time, where it has one', () => {
  const timeMs = (seconds: bigint, microseconds: bigint) =>
    verdictRecord({ ...PACKET, timestamp: { seconds, microseconds } }, CONTEXT)?.timeMs;
  expect(timeMs(1_795_281_906n, 360_999n)).toBe(1_795_281_906_360);
  expect(timeMs(0n, 0n)).toBe(5000);
});

describe('interfaces', () => {
  test('of a bridge the port', () => {
    const packet = { ...PACKET, inIndex: 1, physicalInIndex: 3, outIndex: 2, physicalOutIndex: 4 };
    expect(verdictRecord(packet, CONTEXT)).toMatchObject({ inInterface: 'if3', outInterface: 'if4' });
  });

  test('none, or one that is gone', () => {
    expect(Object.keys(verdictRecord({ ...PACKET, inIndex: 9 }, CONTEXT) ?? {})).not.toContain('inInterface');
    expect(Object.keys(verdictRecord(PACKET, CONTEXT) ?? {})).not.toContain('outInterface');
  });
});

describe('no record', () => {
  test.each([
    undefined,
    '',
    'canal',
    'canal:',
    'canal:denied',
    'canal:toString',
    'other: ingress-denied',
    'ingress-denied',
  ])('with the prefix %s', (prefix) => {
    const { prefix: _, ...others } = PACKET;
    expect(verdictRecord(prefix === undefined ? others : { ...others, prefix }, CONTEXT)).toBeUndefined();
  });

  test('of bytes without addresses', () => {
    const { payload: _, ...others } = PACKET;
    expect(verdictRecord(others, CONTEXT)).toBeUndefined();
    expect(verdictRecord({ ...PACKET, payload: payload.subarray(0, 19) }, CONTEXT)).toBeUndefined();
  });
});
