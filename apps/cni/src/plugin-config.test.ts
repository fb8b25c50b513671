import { type JsonValue, parseNetworkConfig } from '@canal/cni-spec';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePluginConfig, type PluginConfig } from './plugin-config.ts';
import { PluginError } from './plugin-error.ts';

function parse(keys: object, type = 'canal'): PluginConfig {
  const config = parseNetworkConfig(JSON.stringify({ cniVersion: '1.1.0', name: 'net', type, ...keys }), 'ADD');
  if (!config.ok) throw new Error(config.error.message);
  return parsePluginConfig(config.value);
}

function refusal(keys: object, type?: string): { code: number; message: string } {
  try {
    parse(keys, type);
  } catch (error) {
    if (error instanceof PluginError) return error.failure;
    throw error;
  }
  throw new Error('accepted');
}

const DEFAULTS: PluginConfig = {
  mode: 'routed',
  subnetFile: '/run/flannel/subnet.env',
  dataDir: '/var/lib/cni/networks',
  stateDir: '/var/lib/canal',
  bridge: 'cni0' as PluginConfig['bridge'],
  hairpinMode: true,
  isGateway: true,
  isDefaultGateway: true,
};

describe('canal’s keys', () => {
  test.each<[string, object, Partial<PluginConfig>]>([
    ['nothing set', {}, {}],
    ['bridge mode', { mode: 'bridge' }, { mode: 'bridge' }],
    [
      'places',
      { subnetFile: '/a/b.env', dataDir: '/c', stateDir: '/d' },
      { subnetFile: '/a/b.env', dataDir: '/c', stateDir: '/d' },
    ],
    ['an MTU; 0 is the node’s', { mtu: 1400 }, { mtuBytes: 1400 }],
    ['MTU 0', { mtu: 0 }, {}],
    [
      'the bridge’s name',
      { bridge: 'br7', hairpinMode: false },
      { bridge: 'br7' as PluginConfig['bridge'], hairpinMode: false },
    ],
    ['policy is required', { policy: 'required' }, { policySocket: '/run/canal/policy.sock' }],
    ['another socket', { policy: 'required', policySocket: '/x/p.sock' }, { policySocket: '/x/p.sock' }],
    [
      'the longest socket',
      { policy: 'required', policySocket: `/${'x'.repeat(106)}` },
      { policySocket: `/${'x'.repeat(106)}` },
    ],
    ['policy is off', { policy: 'off', policySocket: '/x/p.sock' }, {}],
    ['no default gateway', { isDefaultGateway: false }, { isDefaultGateway: false }],
    ['no gateway at all', { isDefaultGateway: false, isGateway: false }, { isDefaultGateway: false, isGateway: false }],
    ['a default gateway is a gateway', { isDefaultGateway: true, isGateway: false }, {}],
    ['switches of other plugins that are off', { ipMasq: false, vlan: 0, promiscMode: null }, {}],
    ['keys that nobody knows', { color: 'blue' }, {}],
  ])('%s', (_what, keys, expected) => {
    expect(parse(keys)).toEqual({ ...DEFAULTS, ...expected });
  });

  test.each([
    [{ mode: 'host' }, 7, 'mode: "host": expected "routed" or "bridge"'],
    [{ mode: 5 }, 7, 'mode: 5: expected a string'],
    [{ subnetFile: 'subnet.env' }, 7, 'subnetFile: "subnet.env": expected an absolute path'],
    [{ dataDir: '/var/lib/../../etc' }, 7, 'dataDir'],
    [{ stateDir: '/a/./b' }, 7, 'stateDir'],
    [{ stateDir: '/a\0b' }, 7, 'stateDir'],
    [{ mtu: 67 }, 7, 'mtu: 67'],
    [{ mtu: 65_536 }, 7, 'mtu: 65536'],
    [{ mtu: '1400' }, 7, 'mtu: "1400"'],
    [{ bridge: 'a/b' }, 7, 'bridge: "a/b"'],
    [{ bridge: 'all' }, 7, 'bridge: "all"'],
    [{ bridge: 'br%d' }, 7, 'bridge: "br%d"'],
    [{ hairpinMode: 'yes' }, 7, 'hairpinMode: "yes": expected true or false'],
    [{ policy: 'on' }, 7, 'policy: "on": expected "required" or "off"'],
    [{ policy: true }, 7, 'policy: true: expected a string'],
    [{ policySocket: `/${'é'.repeat(53)}x` }, 7, 'expected a path of at most 107 bytes'],
    [{ policySocket: 'p.sock' }, 7, 'policySocket: "p.sock": expected an absolute path'],
    [
      { mode: 'bridge', bridge: 'br7', policy: 'required' },
      7,
      'bridge: "br7": expected "cni0" where policy is required',
    ],
    [{ ipMasq: true }, 2, 'unsupported field ipMasq: true'],
    [{ vlan: 7 }, 2, 'unsupported field vlan: 7'],
  ])('refuses %j with code %i', (keys, code, message) => {
    expect(refusal(keys)).toMatchObject({ code, message: expect.stringContaining(message) as string });
  });
});

describe('flannel’s keys', () => {
  test.each<[string, object, string, Partial<PluginConfig>]>([
    [
      'policy, which it did not have',
      { policy: 'required' },
      'flannel',
      { mode: 'bridge', hairpinMode: false, isDefaultGateway: false, policySocket: '/run/canal/policy.sock' },
    ],
    ['its conflist', { delegate: { hairpinMode: true, isDefaultGateway: true } }, 'flannel', { mode: 'bridge' }],
    [
      'its defaults: a gateway, no default route, no hairpin',
      {},
      'flannel',
      { mode: 'bridge', hairpinMode: false, isDefaultGateway: false },
    ],
    [
      'its dataDir is a cache of its own',
      { delegate: {}, dataDir: '/var/lib/cni/flannel' },
      'canal',
      { mode: 'bridge', hairpinMode: false, isDefaultGateway: false },
    ],
    [
      'host-local’s dataDir',
      { delegate: {}, ipam: { type: 'host-local', dataDir: '/x' } },
      'canal',
      { mode: 'bridge', hairpinMode: false, isDefaultGateway: false, dataDir: '/x' },
    ],
    [
      'the delegate’s MTU and bridge',
      { delegate: { mtu: 1300, bridge: 'br1', isGateway: false } },
      'canal',
      {
        mode: 'bridge',
        hairpinMode: false,
        isDefaultGateway: false,
        isGateway: false,
        mtuBytes: 1300,
        bridge: 'br1' as PluginConfig['bridge'],
      },
    ],
  ])('%s', (_what, keys, type, expected) => {
    expect(parse(keys, type)).toEqual({ ...DEFAULTS, ...expected });
  });

  test.each([
    [{ delegate: { name: 'x' } }, 7, 'delegate.name'],
    [{ delegate: { ipam: {} } }, 7, 'delegate.ipam'],
    [{ delegate: { type: 'ipvlan' } }, 7, 'delegate.type: "ipvlan": expected "bridge"'],
    [{ delegate: [] }, 7, 'delegate: expected a JSON object'],
    [{ delegate: {}, ipam: { type: 'dhcp' } }, 7, 'ipam.type: "dhcp"'],
    [{ delegate: { ipMasq: true } }, 2, 'delegate.ipMasq: true'],
    [{ delegate: { vlan: 3 } }, 2, 'delegate.vlan: 3'],
  ])('refuses %j with code %i', (keys, code, message) => {
    expect(refusal(keys)).toMatchObject({ code, message: expect.stringContaining(message) as string });
  });
});

test('whatever the value of a key, the answer is a configuration with plain absolute paths, or code 2 or 7', () => {
  const keys = [
    'mode',
    'subnetFile',
    'dataDir',
    'stateDir',
    'mtu',
    'bridge',
    'hairpinMode',
    'delegate',
    'ipam',
    'ipMasq',
    'policy',
    'policySocket',
  ];
  const path = fc.stringMatching(/^[/.a-z\0]{0,12}$/);
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.oneof(fc.jsonValue(), path), (key, value) => {
      try {
        const { subnetFile, dataDir, stateDir } = parse({ [key]: value as JsonValue });
        for (const each of [subnetFile, dataDir, stateDir]) {
          expect(each.startsWith('/')).toBe(true);
          expect(each.split('/')).not.toContain('..');
        }
      } catch (error) {
        if (!(error instanceof PluginError)) throw error;
        expect([2, 7]).toContain(error.failure.code);
      }
    }),
    { numRuns: 500 },
  );
});
