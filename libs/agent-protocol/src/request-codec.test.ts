import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AgentRequest, EndpointMessage } from './messages.ts';
import { MAX_REQUEST_BYTES } from './messages.ts';
import { decodeRequest, encodeRequest, endpointKey } from './request-codec.ts';

const ENDPOINT: EndpointMessage = {
  containerId: 'c1',
  containerInterface: 'eth0',
  hostInterface: 'cnl0123456789a',
  mode: 'routed',
  addresses: ['10.244.1.5', 'fd00::5'],
  mac: '02:00:00:00:00:05',
  pod: { namespace: 'default', name: 'web', uid: 'u-1' },
};

function refusal(value: unknown): string {
  const decoded = decodeRequest(typeof value === 'string' ? value : JSON.stringify(value));
  if (decoded.ok) throw new Error(`accepted: ${JSON.stringify(decoded.value)}`);
  return decoded.error;
}

const endpoint = fc.record<EndpointMessage>(
  {
    containerId: fc.stringMatching(/^[a-z0-9][a-z0-9_.-]{0,63}$/),
    containerInterface: fc.constantFrom('eth0', 'net1'),
    hostInterface: fc.stringMatching(/^cnl[0-9a-f]{11}$/),
    mode: fc.constantFrom('routed', 'bridge'),
    addresses: fc.array(fc.ipV4(), { minLength: 1, maxLength: 2 }),
    mac: fc.constantFrom('02:00:00:00:00:05', 'fe:ff:ff:ff:ff:ff'),
    pod: fc.record({
      namespace: fc.string({ minLength: 1 }),
      name: fc.string({ minLength: 1 }),
      uid: fc.string({ minLength: 1 }),
    }),
  },
  {
    requiredKeys: ['containerId', 'containerInterface', 'hostInterface', 'mode', 'addresses', 'mac'],
  },
);
const request: fc.Arbitrary<AgentRequest> = fc.oneof(
  endpoint.map((one): AgentRequest => ({ op: 'add-endpoint', endpoint: one })),
  endpoint.map((one): AgentRequest => ({ op: 'delete-endpoint', key: endpointKey(one) })),
  fc.constantFrom<AgentRequest>({ op: 'status' }, { op: 'endpoints' }, { op: 'policies' }, { op: 'counters' }),
  fc
    .record(
      {
        source: fc.string({ minLength: 1 }),
        destination: fc.string({ minLength: 1 }),
        protocol: fc.constantFrom('TCP', 'icmp', '47'),
        port: fc.oneof(fc.nat(65_535), fc.string({ minLength: 1 })),
      },
      { requiredKeys: ['source', 'destination', 'protocol'] },
    )
    .map((question): AgentRequest => ({ op: 'explain', question })),
  fc
    .record({ follow: fc.boolean(), last: fc.nat(), denied: fc.boolean() })
    .map((options): AgentRequest => ({ op: 'flows', ...options })),
);

describe('requests', () => {
  test('what is encoded is one line and decodes to the same', () => {
    fc.assert(
      fc.property(request, (value) => {
        const line = encodeRequest(value);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(decodeRequest(line)).toEqual({ ok: true, value });
      }),
    );
  });

  test('an address in another notation becomes the one that everybody compares', () => {
    const decoded = decodeRequest(
      JSON.stringify({ op: 'add-endpoint', endpoint: { ...ENDPOINT, addresses: ['FD00:0:0::5'] } }),
    );
    expect(decoded).toMatchObject({ ok: true, value: { endpoint: { addresses: ['fd00::5'] } } });
  });

  test('fields of a newer plugin are passed over', () => {
    const newer = { op: 'add-endpoint', endpoint: { ...ENDPOINT, bandwidth: 7 }, deadline: 3 };
    expect(decodeRequest(JSON.stringify(newer))).toEqual({
      ok: true,
      value: { op: 'add-endpoint', endpoint: ENDPOINT },
    });
  });

  test('flows: what is left out is off', () => {
    expect(decodeRequest('{"op":"flows"}')).toEqual({
      ok: true,
      value: { op: 'flows', follow: false, last: 0, denied: false },
    });
  });

  const added = (change: object): object => ({ op: 'add-endpoint', endpoint: { ...ENDPOINT, ...change } });
  const asked = (change: object): object => ({
    op: 'explain',
    question: { source: 'a', destination: 'b', protocol: 'TCP', ...change },
  });
  test.each<[string, unknown, string]>([
    ['no JSON', '{', 'request: not JSON'],
    ['nothing', '', 'request: not JSON'],
    ['a list', [], 'request: expected a JSON object, found []'],
    ['no op', {}, 'request.op: nothing: expected a string'],
    ['an op of another kind', { op: 7 }, 'request.op: 7: expected a string'],
    ['an unknown op', { op: 'drop-all' }, 'request.op: "drop-all": expected add-endpoint, '],
    ['an op of Object', '{"op":"toString"}', 'request.op: "toString": expected add-endpoint'],
    ['no endpoint', { op: 'add-endpoint' }, 'request.endpoint: nothing: expected a JSON object'],
    ['an endpoint by __proto__', '{"op":"add-endpoint","__proto__":{"endpoint":{}}}', 'request.endpoint: nothing'],
    ['a path as container id', added({ containerId: '../x' }), 'request.endpoint.containerId: "../x": expected 1 to'],
    ['a blank in the interface', added({ hostInterface: 'cnl x' }), 'request.endpoint.hostInterface: "cnl x"'],
    ['an unknown mode', added({ mode: 'vlan' }), 'request.endpoint.mode: "vlan": expected "routed" or "bridge"'],
    ['no address', added({ addresses: [] }), 'request.endpoint.addresses: []: expected one address or more'],
    ['a network', added({ addresses: ['10.0.0.0/8'] }), 'request.endpoint.addresses[0]: "10.0.0.0/8"'],
    ['no MAC', added({ mac: 'x' }), 'request.endpoint.mac: "x": expected'],
    ['a group as MAC', added({ mac: 'ff:ff:ff:ff:ff:ff' }), 'request.endpoint.mac: "ff:ff:ff:ff:ff:ff": expected an'],
    ['a pod without uid', added({ pod: { namespace: 'a', name: 'b' } }), 'request.endpoint.pod.uid: nothing: expected'],
    ['a key without interface', { op: 'delete-endpoint', key: 'c1' }, 'request.key: "c1": expected <container id>/'],
    ['a key with a path', { op: 'delete-endpoint', key: 'c1/../eth0' }, 'request.key: "c1/../eth0": expected'],
    ['a port above all', asked({ port: 65_536 }), 'request.question.port: 65536: expected an integer within 0..65535'],
    ['an empty port name', asked({ port: '' }), 'request.question.port: "": expected a string that is not empty'],
    ['no protocol', asked({ protocol: null }), 'request.question.protocol: nothing: expected a string'],
    ['a negative number', { op: 'flows', last: -1 }, 'request.last: -1: expected an integer within 0..'],
    ['a number as switch', { op: 'flows', follow: 1 }, 'request.follow: 1: expected true or false'],
  ])('%s', (_what, value, message) => {
    expect(refusal(value)).toContain(message);
  });

  test('a nest as deep as a request may be long is an error like others, and a short one', () => {
    const depth = MAX_REQUEST_BYTES / 2 - 20;
    for (const nest of [
      '['.repeat(depth) + ']'.repeat(depth),
      '{"a":'.repeat(depth / 3) + '1' + '}'.repeat(depth / 3),
    ]) {
      for (const line of [nest, `{"op":${nest}}`, `{"op":"add-endpoint","endpoint":${nest}}`]) {
        expect(refusal(line).length).toBeLessThan(200);
      }
    }
  });

  test('whatever comes in, there is a request or one line that says what is wrong', () => {
    const fields = fc.constantFrom('op', 'endpoint', 'key', 'question', 'last', 'mac', 'addresses', 'pod');
    const values = fc.oneof(fc.jsonValue(), fc.constantFrom('add-endpoint', 'flows', 'explain', 'delete-endpoint'));
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.dictionary(fields, fc.oneof(values, fc.dictionary(fields, values))).map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(text, (line) => {
        const decoded = decodeRequest(line);
        if (decoded.ok) expect(decodeRequest(encodeRequest(decoded.value))).toEqual(decoded);
        else expect(decoded.error).toMatch(/^request/);
      }),
      { numRuns: 2000 },
    );
  });
});
