import type { KernelEvent } from '@canal/kernel-port';
import { type NetworkOperation } from '@canal/model';
import { describe, expect, test } from 'vitest';
import type { ContractContext } from './contract-context.ts';
import {
  BASE,
  BLACKHOLE,
  ETH0,
  FDB,
  FLANNEL,
  MONITOR_SCOPE,
  NEIGHBOUR,
  NEXTHOP,
  over,
  route,
  VXLAN,
  WORST_METRIC,
} from './objects.ts';

export function describeMonitor(context: ContractContext): void {
  describe('monitor', () => {
    /** Reads until an event of that kind came; what came before is of no interest. */
    async function heard(events: AsyncIterator<KernelEvent>, change: string): Promise<void> {
      for (let next = await events.next(); next.done !== true; next = await events.next()) {
        const event = next.value;
        if (event.type === 'changed' && [...event.changes].some((kind) => kind === change)) return;
      }
      throw new Error(`the monitor ended without ${change}`);
    }

    async function listening(stop: AbortController): Promise<AsyncIterator<KernelEvent>> {
      const events = context.kernel.monitor(MONITOR_SCOPE, stop.signal)[Symbol.asyncIterator]();
      expect((await events.next()).value).toEqual({ type: 'resync' });
      return events;
    }

    const sysctl = { link: 'all', family: 4, name: 'forwarding', value: 1, enforce: true } as const;
    const foreign = route('10.244.9.0/24', over('192.0.2.2', ETH0, false), { protocol: 4 });
    const changes: readonly { kind: string; made: readonly NetworkOperation[]; broken: NetworkOperation }[] = [
      { kind: 'link', made: [], broken: { type: 'link-delete', name: FLANNEL } },
      {
        kind: 'address',
        made: [{ type: 'address-add', address: BASE }],
        broken: { type: 'address-delete', address: BASE },
      },
      {
        kind: 'neighbour',
        made: [{ type: 'neighbour-set', neighbour: NEIGHBOUR }],
        broken: { type: 'neighbour-delete', neighbour: NEIGHBOUR },
      },
      { kind: 'fdb', made: [{ type: 'fdb-set', entry: FDB }], broken: { type: 'fdb-delete', entry: FDB } },
      {
        kind: 'nexthop',
        made: [{ type: 'nexthop-add', nexthop: NEXTHOP }],
        broken: { type: 'nexthop-delete', id: NEXTHOP.id },
      },
      {
        kind: 'route',
        made: [{ type: 'route-add', route: route('10.244.1.0/24', BLACKHOLE, { metric: WORST_METRIC }) }],
        broken: { type: 'route-delete', route: route('10.244.1.0/24', BLACKHOLE, { metric: WORST_METRIC }) },
      },
      { kind: 'foreign-route', made: [], broken: { type: 'route-add', route: foreign } },
      { kind: 'sysctl', made: [], broken: { type: 'sysctl-set', sysctl } },
    ];

    test.each(changes)('tells of a $kind that somebody else changed', async ({ kind, made, broken }) => {
      await context.apply({ type: 'link-add', link: VXLAN }, ...made);
      const stop = new AbortController();
      const events = await listening(stop);
      await context.bySomebodyElse(broken);
      await heard(events, kind);
      stop.abort();
    });

    test('knows the devices that appear while it listens', async () => {
      const stop = new AbortController();
      const events = await listening(stop);
      await context.bySomebodyElse({ type: 'link-add', link: VXLAN }, { type: 'fdb-set', entry: FDB });
      await heard(events, 'fdb');
      stop.abort();
    });

    test('ends when the signal aborts', async () => {
      const stop = new AbortController();
      const events = await listening(stop);
      const next = events.next();
      stop.abort();
      for (let result = await next; result.done !== true; result = await events.next());
    });
  });
}
