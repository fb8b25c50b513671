import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseAttachment } from './attachment-record.ts';

const GOOD = {
  network: 'canal',
  containerId: 'c1',
  containerInterface: 'eth0',
  netns: '/var/run/netns/x',
  mode: 'bridge',
  hostInterface: 'cnl0123456789a',
  hostMac: '0a:00:00:00:00:01',
  containerMac: '0a:00:00:00:00:02',
  addresses: ['10.244.1.5/24'],
  gateways: ['10.244.1.1'],
  mtuBytes: 1450,
  bootId: 'b',
};

test('a record without pod names is fine', () => {
  expect(parseAttachment(JSON.stringify(GOOD)).ok).toBe(true);
});

test.each([
  [{ mode: 'host' }, 'mode: "host"'],
  [{ hostInterface: '../x' }, 'hostInterface: "../x"'],
  [{ hostMac: 7 }, 'hostMac: expected a string'],
  [{ containerMac: '0a' }, 'containerMac: "0a"'],
  [{ addresses: '10.0.0.1/8' }, 'addresses: expected a list'],
  [{ addresses: ['10.0.0.1/8', 5] }, 'addresses[1]: expected a string'],
  [{ gateways: ['x'] }, 'gateways[0]: "x"'],
  [{ mtuBytes: 0 }, 'mtuBytes: expected'],
  [{ pod: 'x' }, 'pod: expected a JSON object'],
  [{ pod: { name: 'x' } }, 'namespace: expected a string'],
  [{ bootId: undefined }, 'bootId: expected a string'],
])('refuses %j and names the key', (change, expected) => {
  const result = parseAttachment(JSON.stringify({ ...GOOD, ...change }));
  expect(result.ok ? 'accepted' : result.error).toContain(expected);
});

test('whatever the JSON, it answers and does not throw', () => {
  fc.assert(fc.property(fc.json(), (text) => typeof parseAttachment(text).ok === 'boolean'));
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(GOOD)), fc.jsonValue(), (key, value) => {
      expect(typeof parseAttachment(JSON.stringify({ ...GOOD, [key]: value })).ok).toBe('boolean');
    }),
  );
});
