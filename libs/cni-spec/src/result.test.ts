import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JsonValue, parseJson } from './json-fields.ts';
import { formatResult, resultToJson } from './result-format.ts';
import { parseResult } from './result-parse.ts';
import { type CniResult } from './result.ts';
import { SPEC_VERSIONS, type SpecVersion } from './spec-version.ts';

/** Each field that any version knows. */
const FULL = {
  cniVersion: '1.1.0',
  interfaces: [
    { name: 'cnl0123456789a', mac: '0a:00:00:00:00:01', mtu: 1450 },
    {
      name: 'eth0',
      mac: '0a:00:00:00:00:02',
      sandbox: '/var/run/netns/cni-1',
      mtu: 1450,
      socketPath: '/run/vhost.sock',
      pciID: '0000:00:1f.6',
    },
  ],
  ips: [
    { interface: 1, address: '10.244.1.5/32', gateway: '169.254.1.1' },
    { interface: 1, address: 'fd00:10:244:1::5/128', gateway: 'fe80::1' },
  ],
  routes: [
    { dst: '0.0.0.0/0', gw: '169.254.1.1', mtu: 1400, advmss: 1360, priority: 10, table: 100, scope: 0 },
    { dst: '169.254.1.1/32', scope: 253 },
  ],
  dns: { nameservers: ['10.96.0.10'], domain: 'cluster.local', search: ['svc.cluster.local'], options: ['ndots:5'] },
};

function parsed(value: unknown): CniResult {
  const result = parseResult(asJson(value), 'prevResult');
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function asJson(value: unknown): JsonValue {
  const json = parseJson(JSON.stringify(value));
  if (json.ok) return json.value;
  throw new Error(json.error);
}

describe('each version gets the fields it knows', () => {
  const withoutMtu = FULL.interfaces.map(({ name, mac, sandbox }) => ({ name, mac, ...(sandbox && { sandbox }) }));
  const shortRoutes = [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }, { dst: '169.254.1.1/32' }];
  const numberedIps = FULL.ips.map((ip, index) => ({ version: index === 0 ? '4' : '6', ...ip }));
  const old = { interfaces: withoutMtu, ips: numberedIps, routes: shortRoutes, dns: FULL.dns };
  test.each([
    ['1.1.0', FULL],
    ['1.0.0', { cniVersion: '1.0.0', ...old, ips: FULL.ips }],
    ['0.4.0', { cniVersion: '0.4.0', ...old }],
    ['0.3.1', { cniVersion: '0.3.1', ...old }],
  ] satisfies [SpecVersion, object][])('%s', (version, expected) => {
    expect(resultToJson(parsed(FULL), version)).toEqual(expected);
  });

  test.each(SPEC_VERSIONS)('what %s prints reads back to what it can say', (version) => {
    const printed: unknown = JSON.parse(formatResult(parsed(FULL), version));
    expect(resultToJson(parsed(printed), version)).toEqual(printed);
  });
});

test('empty lists, empty strings and nulls, as Go prints them, are absent fields', () => {
  const result = parsed({ interfaces: null, ips: [{ address: '10.0.0.1/24', gateway: '' }], routes: [], dns: {} });
  expect(resultToJson(result, '1.1.0')).toEqual({ cniVersion: '1.1.0', ips: [{ address: '10.0.0.1/24' }], dns: {} });
});

test('what other plugins write stays: long MACs, host bits in a destination', () => {
  const odd = {
    interfaces: [{ name: 'ib0', mac: '80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:0f:91' }],
    routes: [{ dst: '10.1.2.3/8' }],
  };
  expect(resultToJson(parsed(odd), '1.0.0')).toMatchObject(odd);
});

test.each([
  [{ ips: [{ address: '10.0.0.1' }] }, 'prevResult.ips[0].address: "10.0.0.1"'],
  [{ ips: [{ address: '10.0.0.1/24', interface: 0 }] }, 'prevResult.ips[0].interface: 0'],
  [{ ips: [{ address: '10.0.0.1/24', interface: -1 }] }, 'prevResult.ips[0].interface: -1'],
  [{ ips: {} }, 'prevResult.ips: {}: expected a list'],
  [{ interfaces: [{ mac: 'x' }] }, 'prevResult.interfaces[0].name'],
  [{ routes: [{ dst: 'default' }] }, 'prevResult.routes[0].dst: "default"'],
  [{ ip4: { ip: '10.0.0.1/24' } }, 'prevResult.ip4'],
  [[], 'prevResult: expected a JSON object'],
])('refuses %j and names the field', (value, expected) => {
  const result = parseResult(asJson(value), 'prevResult');
  expect(result.ok ? 'accepted' : result.error).toContain(expected);
});

test('whatever the JSON, parsing does not throw, and what it accepts can be printed in each version', () => {
  fc.assert(
    fc.property(fc.constantFrom('interfaces', 'ips', 'routes', 'dns'), fc.jsonValue(), (key, value) => {
      const result = parseResult(asJson({ ...FULL, [key]: value }), 'prevResult');
      if (result.ok)
        for (const version of SPEC_VERSIONS) expect(formatResult(result.value, version)).toContain(version);
    }),
  );
});
