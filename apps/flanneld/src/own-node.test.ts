import type { InterfaceFacts } from '@canal/kernel-port';
import { formatCidr, parseCidr, parseInterfaceAddress, parseInterfaceName, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { hostNetworksOf } from './own-node.ts';

const FLAGS = { linkScope: false, permanent: true, temporary: false, deprecated: false, tentative: false };

function device(name: string, addresses: readonly string[], networks: readonly string[]): InterfaceFacts {
  return {
    name: unwrap(parseInterfaceName(name)),
    up: true,
    carrier: true,
    loopback: name === 'lo',
    pointToPoint: false,
    mtuBytes: 1500,
    addresses: addresses.map((text) => ({ address: unwrap(parseInterfaceAddress(text)), ...FLAGS })),
    onLinkNetworks: networks.map((text) => unwrap(parseCidr(text))),
  };
}

test("a host's networks are those in which it has an address, not its pods', nor routes to a device alone", () => {
  const networks = hostNetworksOf([
    device('lo', ['127.0.0.1/8'], ['127.0.0.0/8']),
    device('eth0', ['192.0.2.1/24', '2001:db8::1/64'], ['192.0.2.0/24', '198.51.100.0/24', '2001:db8::/64']),
    device('eth1', ['10.9.0.1/32'], ['10.9.0.1/32']),
    device('wg0', ['10.8.0.1/24'], ['10.8.0.0/24', '10.244.2.0/24']),
    device('cni0', ['10.244.1.1/24'], ['10.244.1.0/24']),
    device('flannel.1', ['10.244.1.0/32'], []),
  ]);
  expect(networks.map(({ link, network }) => `${formatCidr(network)} ${link}`)).toEqual([
    '192.0.2.0/24 eth0',
    '2001:db8::/64 eth0',
    '10.8.0.0/24 wg0',
  ]);
});
