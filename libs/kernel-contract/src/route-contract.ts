import { NODE_ROUTE_PROTOCOL, POD_ROUTE_PROTOCOL } from '@canal/model';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ContractContext } from './contract-context.ts';
import {
  ABSENT,
  BLACKHOLE,
  ETH0,
  ETH1,
  FLANNEL,
  FLANNEL6,
  ip,
  NEXTHOP,
  over,
  OVER_OBJECT,
  route,
  SCOPE,
  VXLAN,
  VXLAN6,
  WORST_METRIC,
} from './objects.ts';

export function describeRoutes(context: ContractContext): void {
  describe('routes', () => {
    beforeEach(async () => {
      await context.apply({ type: 'link-add', link: VXLAN }, { type: 'link-add', link: VXLAN6 });
    });

    test('nexthop objects: added once, replaced in place, gone with their routes', async () => {
      const replaced = { ...NEXTHOP, link: ETH0, gateway: ip('192.0.2.2'), onlink: false };
      const destination = route('10.244.2.0/24', OVER_OBJECT);
      expect(
        await context.apply(
          { type: 'nexthop-add', nexthop: NEXTHOP },
          { type: 'nexthop-add', nexthop: NEXTHOP },
          { type: 'route-add', route: destination },
          { type: 'nexthop-replace', nexthop: replaced },
        ),
      ).toEqual(['ok', 'EEXIST', 'ok', 'ok']);
      const { id, ...target } = replaced;
      expect(await context.snapshot()).toMatchObject({
        nexthops: [{ id, protocol: NODE_ROUTE_PROTOCOL, target }],
        routes: [destination],
      });
      expect(await context.apply({ type: 'nexthop-delete', id }, { type: 'nexthop-delete', id })).toEqual([
        'ok',
        'ENOENT',
      ]);
      expect(await context.snapshot()).toMatchObject({ nexthops: [], routes: [] });
    });

    test('refused: a route over an absent object or device, a nexthop on an absent device', async () => {
      expect(
        await context.apply(
          { type: 'route-add', route: route('10.244.2.0/24', OVER_OBJECT) },
          { type: 'route-add', route: route('10.244.2.0/24', over('10.244.2.0', ABSENT, true)) },
          { type: 'nexthop-add', nexthop: { ...NEXTHOP, link: ABSENT } },
        ),
      ).toEqual(['EINVAL', 'ENODEV', 'ENODEV']);
    });

    test('refused: a gateway that is on no network of the device, unless onlink', async () => {
      expect(
        await context.apply(
          { type: 'route-add', route: route('10.244.2.0/24', over('198.51.100.1', ETH0, false)) },
          { type: 'route-add', route: route('10.244.2.0/24', over('192.0.2.2', ETH0, false)) },
          { type: 'route-add', route: route('10.244.3.0/24', over('198.51.100.1', ETH0, true)) },
        ),
      ).toEqual(['ENETUNREACH', 'ok', 'ok']);
    });

    const everyForm = [
      route('10.244.2.0/24', over('10.244.2.0', FLANNEL, true)),
      route('10.244.3.0/24', over('192.0.2.3', ETH0, false)),
      route('10.244.1.5/32', { type: 'link', link: ETH1 }, { protocol: POD_ROUTE_PROTOCOL }),
      route('10.244.1.0/24', BLACKHOLE, { metric: WORST_METRIC }),
      route('fd00:10:244:2::/64', over('fd00:10:244:2::', FLANNEL6, true)),
      route('fd00:10:244:3::/64', over('2001:db8::3', ETH0, false)),
      route('fd00:10:244:1::5/128', { type: 'link', link: ETH1 }, { protocol: POD_ROUTE_PROTOCOL }),
      route('fd00:10:244:1::/64', BLACKHOLE, { metric: WORST_METRIC }),
      route(
        'fd00:10:244:1::6/128',
        { type: 'link', link: ETH1 },
        { protocol: POD_ROUTE_PROTOCOL, source: ip('2001:db8::1') },
      ),
    ];

    test.each(everyForm.map((form) => ({ title: JSON.stringify(form.target, bigintText), form })))(
      'added, read back, not added twice, deleted: $title',
      async ({ form }) => {
        expect(await context.apply({ type: 'route-add', route: form }, { type: 'route-add', route: form })).toEqual([
          'ok',
          'EEXIST',
        ]);
        expect((await context.snapshot()).routes).toEqual([form]);
        expect(
          await context.apply({ type: 'route-delete', route: form }, { type: 'route-delete', route: form }),
        ).toEqual(['ok', 'ESRCH']);
        expect((await context.snapshot()).routes).toEqual([]);
      },
    );

    test('replacing takes the place of the route with that destination and metric, whatever its form', async () => {
      const direct = route('10.244.2.0/24', over('192.0.2.2', ETH0, false));
      const direct6 = route('fd00:10:244:2::/64', over('2001:db8::2', ETH0, false));
      const tunnel6 = route('fd00:10:244:2::/64', over('fd00:10:244:2::', FLANNEL6, true));
      expect(
        await context.apply(
          { type: 'nexthop-add', nexthop: NEXTHOP },
          { type: 'route-add', route: direct },
          { type: 'route-replace', route: route('10.244.2.0/24', OVER_OBJECT) },
          { type: 'route-add', route: direct6 },
          { type: 'route-replace', route: tunnel6 },
        ),
      ).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
      expect((await context.snapshot()).routes).toEqual([route('10.244.2.0/24', OVER_OBJECT), tunnel6]);
    });

    test('replacing gives a route its source', async () => {
      const plain = route('fd00:10:244:1::5/128', { type: 'link', link: ETH1 }, { protocol: POD_ROUTE_PROTOCOL });
      const sourced = { ...plain, source: ip('2001:db8::1') };
      expect(
        await context.apply({ type: 'route-add', route: plain }, { type: 'route-replace', route: sourced }),
      ).toEqual(['ok', 'ok']);
      expect((await context.snapshot()).routes).toEqual([sourced]);
    });

    test('the blackhole stands beside a better route to the same destination', async () => {
      const blackhole = route('10.244.1.0/24', BLACKHOLE, { metric: WORST_METRIC });
      const connected = route('10.244.1.0/24', { type: 'link', link: ETH1 });
      expect(
        await context.apply({ type: 'route-add', route: blackhole }, { type: 'route-add', route: connected }),
      ).toEqual(['ok', 'ok']);
      expect((await context.snapshot()).routes).toHaveLength(2);
    });

    test('deleting matches the protocol: the route of somebody else stays', async () => {
      const foreign = route('10.244.2.0/24', over('192.0.2.2', ETH0, false), { protocol: 4 });
      await context.bySomebodyElse({ type: 'route-add', route: foreign });
      expect(
        await context.apply({ type: 'route-delete', route: { ...foreign, protocol: NODE_ROUTE_PROTOCOL } }),
      ).toEqual(['ESRCH']);
      const scope = { ...SCOPE, foreignDestinations: [foreign.destination] };
      expect((await context.kernel.readSnapshot(scope)).routes).toEqual([foreign]);
    });

    test('foreign routes are read where asked for; unmarked ones over our devices always', async () => {
      const elsewhere = route('10.99.0.0/16', over('192.0.2.2', ETH0, false), { protocol: 3 });
      const leftover = route('10.244.9.0/24', over('10.244.9.0', FLANNEL, true), { protocol: 3 });
      await context.bySomebodyElse({ type: 'route-add', route: elsewhere }, { type: 'route-add', route: leftover });
      expect((await context.snapshot()).routes).toEqual([leftover]);
      const scope = { ...SCOPE, foreignDestinations: [elsewhere.destination, leftover.destination] };
      expect(new Set((await context.kernel.readSnapshot(scope)).routes)).toEqual(new Set([elsewhere, leftover]));
    });
  });
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString(16) : value;
}
