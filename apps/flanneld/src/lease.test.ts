import { describe, expect, test } from 'vitest';
import {
  type Cidr,
  type Cidr4,
  type Cidr6,
  formatCidr,
  parseCidr,
  parseInterfaceName,
  parsePort,
  parseVni,
  unwrap,
} from 'net-types';
import type { InterfaceFacts } from '@canal/kernel-port';
import type { NetConf } from '@canal/model';
import { leaseOf } from './lease.ts';
import { contradicts, subnetEnvOf } from './subnet-env-content.ts';
import { formatSubnetEnv, parseSubnetEnv } from '@canal/node-state';

const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const BACKEND = {
  type: 'vxlan',
  vni: unwrap(parseVni('1')),
  port: unwrap(parsePort('8472')),
  gbp: false,
  learning: false,
  directRouting: false,
} as const;
const V4: NetConf = { network: cidr('10.244.0.0/16') as Cidr4, enableIpv4: true, enableIpv6: false, backend: BACKEND };
const DUAL: NetConf = { ...V4, enableIpv6: true, ipv6Network: cidr('fd00:10:244::/56') as Cidr6 };
const { network: _network, ...withoutIpv4 } = DUAL;
const V6: NetConf = { ...withoutIpv4, enableIpv4: false };

function link(name: string, networks: string[], more: Partial<InterfaceFacts> = {}): InterfaceFacts {
  return {
    name: unwrap(parseInterfaceName(name)),
    up: true,
    carrier: true,
    loopback: false,
    pointToPoint: false,
    mtuBytes: 1500,
    addresses: [],
    onLinkNetworks: networks.map(cidr),
    ...more,
  };
}

const ETH0 = link('eth0', ['192.168.1.0/24', 'fe80::/64']);

describe('lease', () => {
  test.each([
    { name: 'IPv4', conf: V4, cidrs: ['10.244.1.0/24'], subnets: ['10.244.1.0/24'] },
    {
      name: 'dual stack, in either order',
      conf: DUAL,
      cidrs: ['fd00:10:244:1::/64', '10.244.1.0/24'],
      subnets: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
    },
    { name: 'IPv6 alone', conf: V6, cidrs: ['fd00:10:244:1::/64'], subnets: ['fd00:10:244:1::/64'] },
    {
      name: 'a family that is off is left alone',
      conf: V4,
      cidrs: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
      subnets: ['10.244.1.0/24'],
    },
  ])('$name', ({ conf, cidrs, subnets }) => {
    const leases = leaseOf('a', cidrs.map(cidr), conf, [ETH0]);
    expect(leases.ok && leases.value.map(({ subnet }) => formatCidr(subnet))).toEqual(subnets);
  });

  test.each([
    {
      name: 'no subnet at all names the controller flags',
      conf: V4,
      cidrs: [],
      links: [ETH0],
      reason: 'PodCIDRMissing',
      cure: /--allocate-node-cidrs=true/,
    },
    {
      name: 'a family without subnet',
      conf: DUAL,
      cidrs: ['10.244.1.0/24'],
      links: [ETH0],
      reason: 'PodCIDRMissing',
      cure: /fd00:10:244::\/56/,
    },
    {
      name: 'outside the network names the key',
      conf: V4,
      cidrs: ['10.245.1.0/24'],
      links: [ETH0],
      reason: 'PodCIDROutsideNetwork',
      cure: /Set Network in net-conf.json/,
    },
    {
      name: 'outside the IPv6 network names its key',
      conf: V6,
      cidrs: ['fd01::/64'],
      links: [ETH0],
      reason: 'PodCIDROutsideNetwork',
      cure: /Set IPv6Network/,
    },
    {
      name: 'the subnet larger than the network',
      conf: V4,
      cidrs: ['10.0.0.0/8'],
      links: [ETH0],
      reason: 'PodCIDROutsideNetwork',
      cure: /./,
    },
    {
      name: 'inside a network of the host',
      conf: V4,
      cidrs: ['10.244.1.0/24'],
      links: [link('eth0', ['10.0.0.0/8'])],
      reason: 'PodCIDROverlapsHost',
      cure: /take 10\.0\.0\.0\/8 from eth0/,
    },
    {
      name: "over a network of the host's",
      conf: V4,
      cidrs: ['10.244.0.0/20'],
      links: [link('docker0', ['10.244.3.0/24'], { kind: 'bridge' })],
      reason: 'PodCIDROverlapsHost',
      cure: /docker0/,
    },
    {
      name: 'the same network on a host link that is no bridge',
      conf: V4,
      cidrs: ['10.244.1.0/24'],
      links: [link('eth1', ['10.244.1.0/24'])],
      reason: 'PodCIDROverlapsHost',
      cure: /./,
    },
  ])('$name', ({ conf, cidrs, links, reason, cure }) => {
    const leases = leaseOf('a', cidrs.map(cidr), conf, links);
    expect(leases).toMatchObject({ ok: false, error: { reason } });
    expect(leases.ok ? '' : leases.error.cure).toMatch(cure);
  });

  test.each([
    { name: 'our bridge', links: [link('cni0', ['10.244.1.0/24'], { kind: 'bridge' })] },
    {
      name: "a bridge of another name that holds the node's subnet",
      links: [link('mybr0', ['10.244.1.0/24'], { kind: 'bridge' })],
    },
    { name: 'tunnel devices', links: [link('flannel.1', ['10.244.1.0/32'])] },
    { name: "routes to single pods of an earlier plugin's veths", links: [link('cali0123', ['10.244.1.7/32'])] },
    { name: 'loopback', links: [link('lo', ['10.244.1.0/24'], { loopback: true })] },
  ])('$name is no network of the host', ({ links }) => {
    expect(leaseOf('a', [cidr('10.244.1.0/24')], V4, links).ok).toBe(true);
  });
});

describe('subnet.env', () => {
  const lease = unwrapLease(leaseOf('a', [cidr('10.244.1.0/24'), cidr('fd00:10:244:1::/64')], DUAL, []));
  const options = { mtuBytes: 1430, ipMasq: true, bootId: 'b' };

  function unwrapLease(result: ReturnType<typeof leaseOf>) {
    if (!result.ok) throw new Error(result.error.message);
    return result.value;
  }

  test("has flannel's keys and first addresses", () => {
    expect(formatSubnetEnv(subnetEnvOf(lease, options))).toBe(
      [
        'FLANNEL_NETWORK=10.244.0.0/16',
        'FLANNEL_SUBNET=10.244.1.1/24',
        'FLANNEL_IPV6_NETWORK=fd00:10:244::/56',
        'FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64',
        'FLANNEL_MTU=1430',
        'FLANNEL_IPMASQ=true',
        'CANAL_BOOT_ID=b',
        '',
      ].join('\n'),
    );
  });

  test.each([
    { name: 'the same subnets', subnet: '10.244.1.1/24', says: false },
    { name: 'another subnet of the cluster', subnet: '10.244.2.1/24', says: true },
    { name: 'a longer prefix', subnet: '10.244.1.1/25', says: true },
  ])('a file with $name contradicts: $says', ({ subnet, says }) => {
    const text = `FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=${subnet}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`;
    const file = parseSubnetEnv(text);
    expect(file.ok && contradicts(file.value, lease)).toBe(says);
  });
});
