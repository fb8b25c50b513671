import { LINK_ALIAS } from '@canal/model';
import { describe, expect, test } from 'vitest';
import type { ContractContext } from './contract-context.ts';
import {
  ABSENT,
  BASE,
  ETH1,
  FDB,
  FLANNEL,
  FLANNEL6,
  ip,
  mac,
  NEIGHBOUR,
  NEXTHOP,
  over,
  OVER_OBJECT,
  route,
  VXLAN,
  VXLAN6,
} from './objects.ts';

export function describeDevices(context: ContractContext): void {
  describe('devices', () => {
    test('a vxlan device has every attribute it was asked for, and our mark', async () => {
      expect(await context.apply({ type: 'link-add', link: VXLAN }, { type: 'link-add', link: VXLAN6 })).toEqual([
        'ok',
        'ok',
      ]);
      const { links } = await context.snapshot();
      const { vni, underlay, local, port } = VXLAN;
      const common = { kind: 'vxlan', up: true, carrier: true, loopback: false, alias: LINK_ALIAS };
      const flags = { learning: false, gbp: false, external: false };
      expect(links.find((link) => link.name === FLANNEL)).toEqual({
        ...common,
        name: FLANNEL,
        mtuBytes: 1450,
        mac: VXLAN.mac,
        vxlan: { vni, underlay, local, port, ...flags },
      });
      expect(links.find((link) => link.name === FLANNEL6)).toEqual({
        ...common,
        name: FLANNEL6,
        mtuBytes: 1430,
        mac: VXLAN6.mac,
        vxlan: { vni, underlay, local: VXLAN6.local, port, ...flags },
      });
    });

    test('learning and group policy are had when asked for', async () => {
      await context.apply({ type: 'link-add', link: { ...VXLAN, learning: true, gbp: true } });
      const { links } = await context.snapshot();
      expect(links.find((link) => link.name === FLANNEL)?.vxlan).toMatchObject({ learning: true, gbp: true });
    });

    test('refused: a taken name, a taken VNI, an absent underlay', async () => {
      const twin = { ...VXLAN, name: FLANNEL6 };
      expect(
        await context.apply(
          { type: 'link-add', link: VXLAN },
          { type: 'link-add', link: VXLAN },
          { type: 'link-add', link: twin },
          { type: 'link-add', link: { ...VXLAN6, underlay: ABSENT } },
        ),
      ).toEqual(['ok', 'EEXIST', 'EEXIST', 'ENODEV']);
    });

    test('the attributes that can change, change on the living device; what is on it stays', async () => {
      await context.apply(
        { type: 'link-add', link: VXLAN },
        { type: 'address-add', address: BASE },
        { type: 'neighbour-set', neighbour: NEIGHBOUR },
        { type: 'fdb-set', entry: FDB },
        { type: 'nexthop-add', nexthop: NEXTHOP },
      );
      const link = { ...VXLAN, mtuBytes: 1400, local: ip('192.0.2.9'), underlay: ETH1, learning: true };
      const changes = ['underlay', 'local', 'learning', 'mtu', 'alias', 'up'] as const;
      expect(await context.apply({ type: 'link-change', link, changes })).toEqual(['ok']);
      const after = await context.snapshot();
      expect(after.links.find((candidate) => candidate.name === FLANNEL)).toMatchObject({
        mtuBytes: 1400,
        mac: VXLAN.mac,
        vxlan: { local: ip('192.0.2.9'), underlay: ETH1, learning: true },
      });
      expect(after).toMatchObject({ neighbours: [NEIGHBOUR], fdb: [FDB] });
      expect(after.nexthops).toHaveLength(1);
    });

    test('a change names what it changes, all else is left', async () => {
      await context.apply({ type: 'link-add', link: VXLAN });
      const link = { ...VXLAN, mtuBytes: 1300, learning: true };
      await context.apply({ type: 'link-change', link, changes: ['mtu'] });
      const { links } = await context.snapshot();
      expect(links.find((candidate) => candidate.name === FLANNEL)).toMatchObject({
        mtuBytes: 1300,
        vxlan: { learning: false },
      });
    });

    test('another MAC empties the neighbour table, permanent entries and all; forwarding entries stay', async () => {
      await context.apply(
        { type: 'link-add', link: VXLAN },
        { type: 'neighbour-set', neighbour: NEIGHBOUR },
        { type: 'fdb-set', entry: FDB },
      );
      const link = { ...VXLAN, mac: mac('02:00:00:00:00:77') };
      expect(await context.apply({ type: 'link-change', link, changes: ['mac'] })).toEqual(['ok']);
      expect(await context.snapshot()).toMatchObject({ neighbours: [], fdb: [FDB] });
    });

    test('refused: an MTU that the underlay leaves no room for, a change of an absent device', async () => {
      await context.apply({ type: 'link-add', link: VXLAN });
      expect(
        await context.apply(
          { type: 'link-change', link: { ...VXLAN, mtuBytes: 1451 }, changes: ['mtu'] },
          { type: 'link-change', link: { ...VXLAN, name: ABSENT }, changes: ['mtu'] },
        ),
      ).toEqual(['EINVAL', 'ENODEV']);
    });

    test('a device goes with its addresses, neighbours, forwarding entries, nexthop objects and their routes', async () => {
      await context.apply(
        { type: 'link-add', link: VXLAN },
        { type: 'address-add', address: BASE },
        { type: 'nexthop-add', nexthop: NEXTHOP },
        { type: 'neighbour-set', neighbour: NEIGHBOUR },
        { type: 'fdb-set', entry: FDB },
        { type: 'route-add', route: route('10.244.2.0/24', OVER_OBJECT) },
        { type: 'route-add', route: route('10.244.3.0/24', over('10.244.3.0', FLANNEL, true)) },
      );
      expect(
        await context.apply({ type: 'link-delete', name: FLANNEL }, { type: 'link-delete', name: FLANNEL }),
      ).toEqual(['ok', 'ENODEV']);
      const after = await context.snapshot();
      expect(after).toMatchObject({ addresses: [], neighbours: [], fdb: [], nexthops: [], routes: [] });
      expect(after.links.map((link) => link.name)).not.toContain(FLANNEL);
    });

    test('a device and all that is on it can be made in one call', async () => {
      expect(
        await context.apply(
          { type: 'link-add', link: VXLAN },
          { type: 'sysctl-set', sysctl: { link: FLANNEL, family: 4, name: 'rp_filter', value: 2, enforce: true } },
          { type: 'address-add', address: BASE },
          { type: 'nexthop-add', nexthop: NEXTHOP },
          { type: 'neighbour-set', neighbour: NEIGHBOUR },
          { type: 'fdb-set', entry: FDB },
          { type: 'route-add', route: route('10.244.2.0/24', OVER_OBJECT) },
          { type: 'link-delete', name: FLANNEL },
          { type: 'link-add', link: VXLAN },
          { type: 'address-add', address: BASE },
        ),
      ).toEqual(new Array<string>(10).fill('ok'));
    });
  });
}
