import { describe, expect, test } from 'vitest';
import type { ContractContext } from './contract-context.ts';
import { cidr, ETH0, ETH1, ip } from './objects.ts';

export function describeMachine(context: ContractContext): void {
  describe('the machine', () => {
    test('interfaces with addresses and connected networks', async () => {
      const interfaces = await context.kernel.listInterfaces();
      const eth0 = interfaces.find((candidate) => candidate.name === ETH0);
      expect(eth0).toMatchObject({ up: true, carrier: true, loopback: false, mtuBytes: 1500 });
      const addresses = eth0?.addresses.filter((address) => !address.linkScope) ?? [];
      const facts = { linkScope: false, permanent: true, temporary: false, deprecated: false, tentative: false };
      expect(addresses).toEqual([
        { address: { ip: ip('192.0.2.1'), prefixLen: 24 }, ...facts },
        { address: { ip: ip('2001:db8::1'), prefixLen: 64 }, ...facts },
      ]);
      expect(eth0?.onLinkNetworks).toEqual(expect.arrayContaining([cidr('192.0.2.0/24'), cidr('2001:db8::/64')]));
      expect(interfaces.some((candidate) => candidate.loopback)).toBe(true);
    });

    test('default routes', async () => {
      expect(await context.kernel.listDefaultRoutes()).toMatchObject([
        { family: 4, link: ETH0, gateway: ip('192.0.2.254') },
        { family: 6, link: ETH0, gateway: ip('2001:db8::fe') },
      ]);
    });

    test('paths: own addresses, neighbours, and what is behind a router', async () => {
      const asked = [
        '192.0.2.1',
        '192.0.2.2',
        '203.0.113.7',
        '198.51.100.9',
        '2001:db8::1',
        '2001:db8::2',
        '2001:db9::1',
      ];
      const paths = await context.kernel.pathsTo(asked.map(ip));
      expect(asked.map((text) => paths.get(ip(text)))).toMatchObject([
        { type: 'local' },
        { type: 'direct', link: ETH0 },
        { type: 'direct', link: ETH1 },
        { type: 'gateway', link: ETH0, gateway: ip('192.0.2.254') },
        { type: 'local' },
        { type: 'direct', link: ETH0 },
        { type: 'gateway', link: ETH0, gateway: ip('2001:db8::fe') },
      ]);
    });

    test('features', async () => {
      expect(await context.kernel.features()).toEqual({ nexthopObjects: true, ipv6: true, sysctlWritable: true });
    });
  });
}
