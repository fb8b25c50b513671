import { describe, expect, test } from 'vitest';
import type { InterfaceOptions } from '@canal/config';
import type { DefaultRoute, InterfaceAddressFacts, InterfaceFacts } from '@canal/kernel-port';
import {
  formatIp,
  type InterfaceName,
  type Ipv4,
  parseInterfaceAddress,
  parseInterfaceName,
  parseIp,
  parseIpv4,
  unwrap,
} from 'net-types';
import { type ChoiceInput, chooseInterface } from './interface-choice.ts';

const name = (text: string): InterfaceName => unwrap(parseInterfaceName(text));

function address(text: string, more: Partial<InterfaceAddressFacts> = {}): InterfaceAddressFacts {
  const flags = { linkScope: false, permanent: true, temporary: false, deprecated: false, tentative: false };
  return { address: unwrap(parseInterfaceAddress(text)), ...flags, ...more };
}

function link(text: string, addresses: InterfaceAddressFacts[], more: Partial<InterfaceFacts> = {}): InterfaceFacts {
  return {
    name: name(text),
    up: true,
    carrier: true,
    loopback: false,
    pointToPoint: false,
    mtuBytes: 1500,
    addresses,
    onLinkNetworks: [],
    ...more,
  };
}

function route(text: string, family: 4 | 6, metric = 0): DefaultRoute {
  return { link: name(text), family, metric };
}

const LO = link('lo', [address('127.0.0.1/8'), address('::1/128')], { loopback: true });
const ETH0 = link('eth0', [address('10.0.0.5/24'), address('fe80::5/64', { linkScope: true }), address('fd00::5/64')]);
const ETH1 = link('eth1', [address('192.168.7.5/24'), address('192.168.7.6/24'), address('fd01::5/64')]);
const CNI0 = link('cni0', [address('10.244.1.1/24')]);
const FLANNEL = link('flannel.1', [address('10.244.1.0/32')]);
const INTERFACES = [LO, CNI0, FLANNEL, ETH0, ETH1];
const NONE: InterfaceOptions = { interfaces: [], patterns: [] };

function choose(more: Partial<Omit<ChoiceInput, 'options'>> & { options?: Partial<InterfaceOptions> } = {}) {
  const { options, ...rest } = more;
  return chooseInterface({
    family: 4,
    interfaces: INTERFACES,
    defaultRoutes: [route('eth0', 4), route('eth1', 6)],
    ...rest,
    options: { ...NONE, ...options },
  });
}

/** `link source public`. */
function chosen(...args: Parameters<typeof choose>): string {
  const result = choose(...args);
  if (!result.ok) return `${result.error.reason}: ${result.error.message}`;
  const { link: on, source, publicIp } = result.value;
  return `${on} ${formatIp(source)} ${formatIp(publicIp)}`;
}

const ip4 = (text: string): Ipv4 => unwrap(parseIpv4(text));

describe('choice', () => {
  const table: { name: string; input: Parameters<typeof choose>[0]; is: string }[] = [
    { name: 'the default route', input: {}, is: 'eth0 10.0.0.5 10.0.0.5' },
    { name: 'the other family by its own default route', input: { family: 6 }, is: 'eth1 fd01::5 fd01::5' },
    { name: 'an interface by name', input: { options: { interfaces: ['eth1'] } }, is: 'eth1 192.168.7.5 192.168.7.5' },
    {
      name: 'by name for IPv6, global before link-local',
      input: { family: 6, options: { interfaces: ['eth0'] } },
      is: 'eth0 fd00::5 fd00::5',
    },
    {
      name: 'by address: that very address',
      input: { options: { interfaces: ['192.168.7.6'] } },
      is: 'eth1 192.168.7.6 192.168.7.6',
    },
    {
      name: 'by an address of the other family',
      input: { family: 6, options: { interfaces: ['192.168.7.6'] } },
      is: 'eth1 fd01::5 fd01::5',
    },
    {
      name: 'the first of several that exists',
      input: { options: { interfaces: ['eth9', '10.9.9.9', 'eth1', 'eth0'] } },
      is: 'eth1 192.168.7.5 192.168.7.5',
    },
    {
      name: 'a pattern on addresses before names',
      input: { options: { patterns: [/^(eth0|192\.168\..*)$/] } },
      is: 'eth1 192.168.7.5 192.168.7.5',
    },
    { name: 'a pattern on a name', input: { options: { patterns: [/eth1/] } }, is: 'eth1 192.168.7.5 192.168.7.5' },
    { name: 'a pattern never means pods', input: { options: { patterns: [/^10\./] } }, is: 'eth0 10.0.0.5 10.0.0.5' },
    {
      name: 'names before patterns',
      input: { options: { interfaces: ['eth0'], patterns: [/eth1/] } },
      is: 'eth0 10.0.0.5 10.0.0.5',
    },
    {
      name: 'patterns when no name matches',
      input: { options: { interfaces: ['eth7'], patterns: [/eth1/] } },
      is: 'eth1 192.168.7.5 192.168.7.5',
    },
    {
      name: 'the way to an address',
      input: { options: { canReach: ip4('192.168.9.9') }, canReachLink: name('eth1') },
      is: 'eth1 192.168.7.5 192.168.7.5',
    },
    {
      name: 'the way to an IPv4 address says nothing of IPv6',
      input: { family: 6, options: { canReach: ip4('10.1.1.1') } },
      is: 'eth1 fd01::5 fd01::5',
    },
    {
      name: 'the holder of --public-ip',
      input: { options: { publicIp: ip4('192.168.7.6') } },
      is: 'eth1 192.168.7.6 192.168.7.6',
    },
    {
      name: 'a NAT address as --public-ip',
      input: { options: { publicIp: ip4('203.0.113.1') } },
      is: 'eth0 10.0.0.5 203.0.113.1',
    },
    {
      name: '--iface with --public-ip',
      input: { options: { interfaces: ['eth1'], publicIp: ip4('203.0.113.1') } },
      is: 'eth1 192.168.7.5 203.0.113.1',
    },
    {
      name: 'node-public-ip is stronger than --public-ip',
      input: { nodePublicIp: ip4('192.168.7.6'), options: { publicIp: ip4('10.0.0.5') } },
      is: 'eth1 192.168.7.6 192.168.7.6',
    },
    {
      name: 'an overwrite is only announced',
      input: { publicIpOverwrite: ip4('203.0.113.9') },
      is: 'eth0 10.0.0.5 203.0.113.9',
    },
    {
      name: 'an overwrite is stronger than all',
      input: { nodePublicIp: ip4('192.168.7.6'), publicIpOverwrite: ip4('203.0.113.9') },
      is: 'eth1 192.168.7.6 203.0.113.9',
    },
  ];
  test.each(table)('$name', ({ input, is }) => {
    expect(chosen(input)).toBe(is);
  });
});

describe('address order', () => {
  const order: { name: string; addresses: InterfaceAddressFacts[]; is: string }[] = [
    {
      name: 'global before link-local',
      addresses: [address('169.254.1.1/16', { linkScope: true }), address('10.0.0.1/24')],
      is: '10.0.0.1',
    },
    {
      name: 'permanent before dynamic',
      addresses: [address('10.0.0.1/24', { permanent: false }), address('10.0.0.2/24')],
      is: '10.0.0.2',
    },
    {
      name: 'stable before temporary',
      addresses: [
        address('10.0.0.1/24', { temporary: true, permanent: false }),
        address('10.0.0.2/24', { permanent: false }),
      ],
      is: '10.0.0.2',
    },
    {
      name: 'deprecated not at all',
      addresses: [address('10.0.0.1/24', { deprecated: true }), address('169.254.1.1/16', { linkScope: true })],
      is: '169.254.1.1',
    },
    {
      name: 'tentative not at all',
      addresses: [address('10.0.0.1/24', { tentative: true }), address('10.0.0.2/24', { permanent: false })],
      is: '10.0.0.2',
    },
    {
      name: "the kernel's order among equals",
      addresses: [address('10.0.0.9/24'), address('10.0.0.1/24')],
      is: '10.0.0.9',
    },
  ];
  test.each(order)('$name', ({ addresses, is }) => {
    expect(chosen({ interfaces: [link('eth0', addresses)] })).toBe(`eth0 ${is} ${is}`);
  });
});

describe('an address that no peer would take', () => {
  const linkLocal = link('eth0', [address('fe80::5/64', { linkScope: true })]);
  test.each([
    {
      name: 'is not chosen: IPv6 link-local, while the global one is being checked',
      input: { family: 6 as const, interfaces: [linkLocal], defaultRoutes: [route('eth0', 6)] },
      says: /^NoInterface/,
    },
    {
      name: 'is not chosen: loopback, where the address of the node is on lo',
      input: {
        interfaces: [link('lo', [address('127.0.0.1/8'), address('10.9.0.1/32')])],
        options: { interfaces: ['lo'] },
      },
      says: /^lo 10\.9\.0\.1 10\.9\.0\.1$/,
    },
    {
      name: 'is refused as --public-ip',
      input: { options: { publicIp: ip4('127.0.0.1') } },
      says: /^InvalidPublicIP: .*127\.0\.0\.1.*loopback/,
    },
    {
      name: 'is refused as public-ip-overwrite',
      input: { publicIpOverwrite: ip4('0.0.0.0') },
      says: /^InvalidPublicIP: .*0\.0\.0\.0/,
    },
  ])('$name', ({ input, says }) => {
    expect(chosen(input)).toMatch(says);
  });
});

describe('default routes of equal cost', () => {
  const multipath = [route('eth0', 4), route('eth1', 4)];
  test('the first that works', () => {
    const dead = { ...ETH0, carrier: false };
    expect(chosen({ defaultRoutes: multipath })).toContain('eth0');
    expect(chosen({ defaultRoutes: multipath, interfaces: [dead, ETH1] })).toContain('eth1');
    expect(chosen({ defaultRoutes: multipath, interfaces: [dead, { ...ETH1, up: false }] })).toContain('eth0');
  });

  test('one without an address is passed over', () => {
    expect(chosen({ defaultRoutes: multipath, interfaces: [link('eth0', []), ETH1] })).toContain('eth1');
  });
});

describe('refusals name what is there and what cures', () => {
  test.each([
    {
      name: 'nothing matches',
      input: { options: { interfaces: ['eth7'] } },
      says: ['--iface=eth7', 'eth0 (10.0.0.5), eth1 (192.168.7.5, 192.168.7.6)'],
    },
    {
      name: 'the interface lacks the family',
      input: {
        family: 6 as const,
        interfaces: [link('eth0', [address('10.0.0.1/24')])],
        options: { interfaces: ['eth0'] },
      },
      says: ['eth0 (no IPv6 address)'],
    },
    { name: 'no default route', input: { defaultRoutes: [] }, says: ['no IPv4 default route'] },
    {
      name: 'node-public-ip that is not local',
      input: { nodePublicIp: ip4('203.0.113.1') },
      says: ['PublicIPNotLocal', 'node-public-ip is 203.0.113.1'],
    },
    {
      name: 'no way to the address',
      input: { options: { canReach: unwrap(parseIp('10.9.9.9')) } },
      says: ['--iface-can-reach=10.9.9.9'],
    },
    { name: 'no MTU', input: { interfaces: [{ ...ETH0, mtuBytes: 0 }] }, says: ['NoMTU'] },
  ])('$name', ({ input, says }) => {
    for (const text of says) expect(chosen(input)).toContain(text);
  });
});
