import { describe, expect, test } from 'vitest';
import { decodeNetworkQuestion, decodePolicyQuestion } from './node-request-codec.ts';
import { encodeRequest } from './request-codec.ts';

test.each(['network-status', 'peers', 'addresses'] as const)('%s', (op) => {
  expect(decodeNetworkQuestion(encodeRequest({ op }))).toEqual({ ok: true, value: { op } });
  expect(decodeNetworkQuestion(`{"op":"${op}","later":1}`)).toEqual({ ok: true, value: { op } });
});

test.each(['status', 'add-endpoint', 'toString', ''])('the node agent has no op %j', (op) => {
  const decoded = decodeNetworkQuestion(JSON.stringify({ op }));
  expect(decoded).toEqual({ ok: false, error: expect.stringContaining('request.op: ') as string });
});

test('what is no JSON says so', () => {
  expect(decodeNetworkQuestion('{')).toEqual({ ok: false, error: expect.stringContaining('not JSON') as string });
});

describe('of the policy agent’s operations', () => {
  test.each([
    { op: 'status' },
    { op: 'endpoints' },
    { op: 'policies' },
    { op: 'counters' },
    { op: 'flows', follow: false, last: 3, denied: true },
    { op: 'explain', question: { source: 'a/b', destination: '10.0.0.1', protocol: 'TCP' } },
  ] as const)('$op is a question', (request) => {
    expect(decodePolicyQuestion(encodeRequest(request))).toEqual({ ok: true, value: request });
  });

  const endpoint = {
    containerId: 'c1',
    containerInterface: 'eth0',
    hostInterface: 'cnl0123456789a',
    mode: 'routed',
    addresses: ['10.244.1.5'],
    mac: '02:00:00:00:00:05',
  } as const;
  test.each([{ op: 'add-endpoint', endpoint } as const, { op: 'delete-endpoint', key: 'c1/eth0' } as const])(
    '$op is none',
    (request) => {
      expect(decodePolicyQuestion(encodeRequest(request))).toEqual({
        ok: false,
        error: expect.stringContaining('nothing is changed here') as string,
      });
    },
  );
});
