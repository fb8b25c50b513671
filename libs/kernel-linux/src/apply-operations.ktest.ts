/** How long one batch holds the kernel, where operations are dearest: thousands of classic routes with a gateway each. */
import type { NetworkOperation } from '@canal/model';
import { createTestNetns } from '@canal/testing';
import { cidrOf, type Ipv4, parseInterfaceName, parseIpv4, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { applyOperations } from './apply-operations.ts';

/** What the node's other users of these locks, an ADD of a pod for one, may have to wait. */
const LIMIT_MS = 20;
const ETH0 = unwrap(parseInterfaceName('eth0'));
const SUBNETS = unwrap(parseIpv4('10.0.0.0'));
const GATEWAYS = unwrap(parseIpv4('172.16.0.0'));

test(`no batch of 8000 classic routes takes longer than ${LIMIT_MS} ms, where one in all would take a second`, async () => {
  using netns = createTestNetns('hold');
  netns.run(['ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'wire']);
  for (const link of ['eth0', 'wire']) netns.run(['ip', 'link', 'set', link, 'up']);
  const operations = Array.from({ length: 8_000 }, (_, number): NetworkOperation => ({
    type: 'route-add',
    route: {
      protocol: 203,
      destination: cidrOf((SUBNETS + number * 256) as Ipv4, 24),
      metric: 0,
      target: { type: 'gateway', gateway: (GATEWAYS + number) as Ipv4, link: ETH0, onlink: true },
    },
  }));
  /** Before and behind each batch. */
  const marksMs: number[] = [];
  const deps = {
    connection: netns.netlink,
    writeSysctl: () => undefined,
    nowMs: () => {
      // The processor time that the kernel took for this thread: what others do meanwhile does not count.
      marksMs.push(process.threadCpuUsage().system / 1000);
      return performance.now();
    },
    pause: () => Promise.resolve(),
  };
  const results = await applyOperations(deps, operations, undefined);
  expect(results.every(({ ok }) => ok)).toBe(true);
  const batchMs = marksMs.flatMap((ms, at) => (at % 2 === 0 ? [] : [ms - (marksMs[at - 1] ?? 0)]));
  const worst = Math.max(...batchMs);
  const total = batchMs.reduce((sum, ms) => sum + ms, 0);
  process.stderr.write(
    `${batchMs.length} batches, worst ${worst.toFixed(1)} ms, together ${total.toFixed(0)} ms in the kernel\n`,
  );
  expect(total).toBeGreaterThan(10 * LIMIT_MS);
  expect(worst).toBeLessThanOrEqual(LIMIT_MS);
});
