import { describe, expect, test } from 'vitest';
import { formatCidr } from 'net-types';
import { formatFieldError, parseNetConf } from './index.ts';

function parse(value: unknown) {
  return parseNetConf(typeof value === 'string' ? value : JSON.stringify(value));
}

function accepted(value: unknown) {
  const result = parse(value);
  if (!result.ok) throw new Error(result.error.map(formatFieldError).join('; '));
  return result.value;
}

function errors(value: unknown): readonly string[] {
  const result = parse(value);
  return result.ok ? [] : result.error.map(formatFieldError);
}

const NETWORK = '10.244.0.0/16';
const VXLAN = { Type: 'vxlan' };

describe('what flannel accepts', () => {
  test("the manifest's own file gets flannel's defaults", () => {
    const { netConf, warnings } = accepted({ Network: NETWORK, EnableNFTables: false, Backend: VXLAN });
    expect(netConf.network && formatCidr(netConf.network)).toBe(NETWORK);
    expect(netConf).toMatchObject({
      enableIpv4: true,
      enableIpv6: false,
      backend: { type: 'vxlan', vni: 1, port: 8472, gbp: false, learning: false, directRouting: false },
    });
    expect(netConf.backend).not.toHaveProperty('mtuBytes');
    expect(warnings).toEqual([]);
  });

  test('keys in any case, unknown keys, null as absent', () => {
    const { netConf, warnings } = accepted({
      NETWORK,
      note: 'mine',
      backend: { TYPE: 'VXLAN', vni: 7, directrouting: true, Mtu: 9000, Port: null },
    });
    expect(netConf.backend).toMatchObject({ vni: 7, directRouting: true, mtuBytes: 9000, port: 8472 });
    expect(warnings).toEqual(['"note" is not known and has no effect']);
  });

  test('of one key in two spellings the last wins, as in Go', () => {
    expect(accepted({ network: 'x', Network: NETWORK, Backend: VXLAN }).netConf.network?.prefixLen).toBe(16);
    expect(errors({ Network: NETWORK, network: 'x', Backend: VXLAN })).toHaveLength(1);
  });

  test('keys for Windows nodes may stand beside ours', () => {
    const backend = { Type: 'vxlan', MacPrefix: '0E-2A', Name: 'net' };
    expect(accepted({ Network: NETWORK, Backend: backend }).warnings).toEqual([]);
  });

  test.each([
    {
      name: 'dual stack',
      conf: { Network: NETWORK, EnableIPv6: true, IPv6Network: 'fd00:10:244::/56' },
      v4: true,
      v6: true,
    },
    {
      name: 'IPv6 alone',
      conf: { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48' },
      v4: false,
      v6: true,
    },
    {
      name: 'IPv4 off, its network still there',
      conf: { Network: NETWORK, EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48' },
      v4: false,
      v6: true,
    },
  ])('$name', ({ conf, v4, v6 }) => {
    const { netConf } = accepted({ ...conf, Backend: { Type: 'host-gw' } });
    expect({ v4: netConf.network !== undefined, v6: netConf.ipv6Network !== undefined }).toEqual({ v4, v6 });
    expect(netConf.backend).toEqual({ type: 'host-gw' });
  });
});

describe('accepted with a warning', () => {
  test.each([
    {
      name: 'a boolean in quotes',
      conf: { Network: NETWORK, EnableIPv6: 'false', Backend: { Type: 'vxlan', DirectRouting: 'true' } },
      warning: [
        'EnableIPv6 is a text: write false without quotes',
        'Backend.DirectRouting is a text: write true without quotes',
      ],
    },
    {
      name: 'host bits',
      conf: { Network: '10.244.3.0/16', Backend: VXLAN },
      warning: ['Network is taken as 10.244.0.0/16'],
    },
    {
      name: 'an IPv6 network while IPv6 is off',
      conf: { Network: NETWORK, IPv6Network: 'fd00::/48', Backend: VXLAN },
      warning: ['IPv6Network has no effect without "EnableIPv6": true'],
    },
  ])('$name', ({ conf, warning }) => {
    expect(accepted(conf).warnings).toEqual(warning);
  });
});

describe('refused, naming field, value and expectation', () => {
  const base = { Network: NETWORK, Backend: VXLAN };
  test.each([
    { name: 'no JSON', conf: '{"Network": ', says: /expected JSON \(/ },
    { name: 'another type of JSON', conf: [], says: /the input is \[\]: expected a JSON object/ },
    { name: 'no network', conf: { Backend: VXLAN }, says: /Network missing: expected an IPv4 network/ },
    {
      name: 'a network without length',
      conf: { ...base, Network: '10.244.0.0' },
      says: /Network is "10.244.0.0": expected/,
    },
    { name: 'leading zeros', conf: { ...base, Network: '010.244.0.0/16' }, says: /Network is "010/ },
    {
      name: 'IPv6 in Network',
      conf: { ...base, Network: 'fd00::/48' },
      says: /Network is "fd00::\/48": expected an IPv4/,
    },
    { name: 'a number as network', conf: { ...base, Network: 10 }, says: /Network is 10: expected an IPv4 network/ },
    { name: 'IPv6 without network', conf: { ...base, EnableIPv6: true }, says: /IPv6Network missing/ },
    { name: 'no family', conf: { ...base, EnableIPv4: false }, says: /no address family is left/ },
    {
      name: 'a boolean of another word',
      conf: { ...base, EnableIPv6: 'yes' },
      says: /EnableIPv6 is "yes": expected true or false/,
    },
    { name: 'no backend', conf: { Network: NETWORK }, says: /Backend missing: .*udp.*not supported yet/ },
    {
      name: 'a backend to come',
      conf: { Network: NETWORK, Backend: { Type: 'WireGuard' } },
      says: /Backend.Type is "WireGuard": expected vxlan or host-gw \(wireguard is not supported yet\)/,
    },
    { name: 'a backend flannel dropped', conf: { Network: NETWORK, Backend: { Type: 'gce' } }, says: /dropped gce/ },
    {
      name: 'an unknown backend',
      conf: { Network: NETWORK, Backend: { Type: 'constructor' } },
      says: /expected vxlan or host-gw$/,
    },
    { name: 'a backend without type', conf: { Network: NETWORK, Backend: {} }, says: /Backend.Type missing/ },
    {
      name: 'a backend as text',
      conf: { Network: NETWORK, Backend: 'vxlan' },
      says: /Backend is "vxlan": expected an object/,
    },
    {
      name: 'a VNI of 25 bits',
      conf: { ...base, Backend: { Type: 'vxlan', VNI: 16777216 } },
      says: /Backend.VNI is 16777216: expected a number within 0\.\.16777215/,
    },
    {
      name: 'a port as text',
      conf: { ...base, Backend: { Type: 'vxlan', Port: '8472' } },
      says: /Backend.Port is "8472"/,
    },
    { name: 'a fraction', conf: { ...base, Backend: { Type: 'vxlan', VNI: 1.5 } }, says: /Backend.VNI is 1.5/ },
    { name: 'an MTU too small', conf: { ...base, Backend: { Type: 'vxlan', MTU: 100 } }, says: /Backend.MTU is 100/ },
    {
      name: 'a network too small for nodes',
      conf: { ...base, Network: '10.0.0.0/29' },
      says: /Network is "10.0.0.0\/29": expected a network of \/28/,
    },
    { name: 'SubnetLen too short', conf: { ...base, SubnetLen: 17 }, says: /SubnetLen is 17: expected at least 18/ },
    { name: 'SubnetLen too long', conf: { ...base, SubnetLen: 31 }, says: /SubnetLen is 31/ },
    {
      name: 'SubnetMin off its boundary',
      conf: { ...base, SubnetMin: '10.244.1.128' },
      says: /SubnetMin is "10.244.1.128": expected the first address of a \/24/,
    },
    { name: 'SubnetMax outside', conf: { ...base, SubnetMax: '10.245.0.0' }, says: /SubnetMax/ },
    {
      name: 'SubnetMin above SubnetMax',
      conf: { ...base, SubnetMin: '10.244.9.0', SubnetMax: '10.244.1.0' },
      says: /SubnetMin is "10.244.9.0": expected an address not above/,
    },
    {
      name: 'an IPv6 network too small',
      conf: { ...base, EnableIPv6: true, IPv6Network: 'fd00::/125' },
      says: /IPv6Network is "fd00::\/125"/,
    },
  ])('$name', ({ conf, says }) => {
    expect(errors(conf)).toEqual([expect.stringMatching(says)]);
  });

  test('all errors at once', () => {
    expect(errors({ Network: 'x', EnableIPv6: 'no', Backend: { Type: 'vxlan', VNI: -1, Port: 70000 } })).toHaveLength(
      3,
    );
    expect(errors({ Network: 'x', EnableIPv6: true, Backend: { Type: 'nope' } })).toHaveLength(3);
  });

  test('a long value is cut', () => {
    expect(errors({ Network: 'x'.repeat(10_000), Backend: VXLAN })[0]?.length).toBeLessThan(300);
  });
});
