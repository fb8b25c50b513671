import { POD_ROUTE_PROTOCOL } from '@canal/model';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ContractContext } from './contract-context.ts';
import {
  ABSENT,
  BASE,
  BASE6,
  FDB,
  FDB6,
  FLANNEL,
  FLANNEL6,
  ip,
  NEIGHBOUR,
  NEIGHBOUR6,
  OTHER_MAC,
  VXLAN,
  VXLAN6,
} from './objects.ts';

export function describeLinkEntries(context: ContractContext): void {
  describe('entries on a device', () => {
    beforeEach(async () => {
      await context.apply({ type: 'link-add', link: VXLAN }, { type: 'link-add', link: VXLAN6 });
    });

    test('addresses of both families', async () => {
      expect(
        await context.apply(
          { type: 'address-add', address: BASE },
          { type: 'address-add', address: BASE6 },
          { type: 'address-add', address: BASE },
          { type: 'address-add', address: { ...BASE, link: ABSENT } },
        ),
      ).toEqual(['ok', 'ok', 'EEXIST', 'ENODEV']);
      const { addresses } = await context.snapshot();
      expect(addresses.filter((address) => !address.linkScope)).toEqual(
        [BASE, BASE6].map((address) => ({ ...address, linkScope: false })),
      );
      expect(
        await context.apply(
          { type: 'address-delete', address: BASE },
          { type: 'address-delete', address: BASE },
          { type: 'address-delete', address: BASE6 },
        ),
      ).toEqual(['ok', 'EADDRNOTAVAIL', 'ok']);
    });

    test('neighbours of both families are set, overwritten, deleted', async () => {
      const changed = { ...NEIGHBOUR, mac: OTHER_MAC };
      expect(
        await context.apply(
          { type: 'neighbour-set', neighbour: NEIGHBOUR },
          { type: 'neighbour-set', neighbour: NEIGHBOUR6 },
          { type: 'neighbour-set', neighbour: changed },
          { type: 'neighbour-set', neighbour: { ...NEIGHBOUR, link: ABSENT } },
        ),
      ).toEqual(['ok', 'ok', 'ok', 'ENODEV']);
      const { neighbours } = await context.snapshot();
      expect(new Set(neighbours)).toEqual(new Set([changed, NEIGHBOUR6]));
      expect(
        await context.apply(
          { type: 'neighbour-delete', neighbour: changed },
          { type: 'neighbour-delete', neighbour: changed },
          { type: 'neighbour-delete', neighbour: NEIGHBOUR6 },
        ),
      ).toEqual(['ok', 'ENOENT', 'ok']);
      expect((await context.snapshot()).neighbours).toEqual([]);
    });

    test('what the node answers for on a device is set, read with its mark, deleted', async () => {
      const proxy = { link: FLANNEL6, ip: NEIGHBOUR6.ip };
      expect(
        await context.apply(
          { type: 'proxy-set', proxy },
          { type: 'proxy-set', proxy },
          { type: 'proxy-set', proxy: { ...proxy, link: ABSENT } },
        ),
      ).toEqual(['ok', 'ok', 'ENODEV']);
      const { proxies, neighbours } = await context.snapshot();
      expect(proxies).toEqual([{ ...proxy, protocol: POD_ROUTE_PROTOCOL }]);
      expect(neighbours).toEqual([]);
      expect(await context.apply({ type: 'proxy-delete', proxy }, { type: 'proxy-delete', proxy })).toEqual([
        'ok',
        'ENOENT',
      ]);
      expect((await context.snapshot()).proxies).toEqual([]);
    });

    test('refused: a flag of a port on what is no port', async () => {
      const [result] = await context.apply({ type: 'port-set', port: { name: FLANNEL, isolated: true } });
      expect(['EINVAL', 'EOPNOTSUPP', 'ENODEV']).toContain(result);
    });

    test('setting a forwarding entry swaps the remote of its MAC', async () => {
      const moved = { ...FDB, remote: ip('192.0.2.77') };
      expect(
        await context.apply(
          { type: 'fdb-set', entry: FDB },
          { type: 'fdb-set', entry: FDB },
          { type: 'fdb-set', entry: FDB6 },
          { type: 'fdb-set', entry: moved },
        ),
      ).toEqual(['ok', 'ok', 'ok', 'ok']);
      expect(new Set((await context.snapshot()).fdb)).toEqual(new Set([moved, FDB6]));
      expect(await context.apply({ type: 'fdb-delete', entry: moved }, { type: 'fdb-delete', entry: moved })).toEqual([
        'ok',
        'ENOENT',
      ]);
    });

    test('refused: a forwarding entry on an absent device', async () => {
      expect(await context.apply({ type: 'fdb-set', entry: { ...FDB, link: ABSENT } })).toEqual(['ENODEV']);
    });

    test('switches of a device', async () => {
      const forwarding = { link: FLANNEL, family: 4, name: 'forwarding', value: 1, enforce: true } as const;
      const accept = { link: FLANNEL, family: 6, name: 'accept_ra', value: 0, enforce: true } as const;
      expect(
        await context.apply(
          { type: 'sysctl-set', sysctl: forwarding },
          { type: 'sysctl-set', sysctl: accept },
          { type: 'sysctl-set', sysctl: { ...forwarding, link: ABSENT } },
        ),
      ).toEqual(['ok', 'ok', 'ENODEV']);
      const { sysctls } = await context.snapshot();
      expect(sysctls).toContainEqual({ link: FLANNEL, family: 4, name: 'forwarding', value: 1 });
      expect(sysctls).toContainEqual({ link: FLANNEL, family: 6, name: 'accept_ra', value: 0 });
    });
  });
}
