import type { PingResult } from '@canal/linux-ffi';
import type { Peer } from '@canal/model';
import { createPrometheusMetrics, ProblemLog } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { formatIp, parseCidr, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { PeerProbe } from './peer-probe.ts';

function peer(name: string, backendType: string, subnet: string, publicIp: string): Peer {
  return {
    name,
    backendType,
    endpoints: [{ family: 4, subnet: unwrap(parseCidr(subnet)), publicIp: unwrap(parseIp(publicIp)) }],
  };
}

function create(answer: (to: string) => PingResult | Promise<PingResult>) {
  const clock = createFakeClock();
  const log = createCapturedLogger();
  const metrics = createPrometheusMetrics();
  const asked: string[] = [];
  const stop = new AbortController();
  const probe = new PeerProbe(
    {
      peers: () => [peer('b', 'vxlan', '10.244.2.0/24', '10.0.0.2'), peer('c', 'host-gw', '10.244.3.0/24', '10.0.0.3')],
      ping: (to) => {
        asked.push(formatIp(to));
        return Promise.resolve(answer(formatIp(to)));
      },
      clock,
      log,
      metrics: createAgentMetrics(metrics, 'test'),
      problems: new ProblemLog(log, { emit: () => undefined }),
    },
    { everyMs: 1_000, spacingMs: 10, againMs: 100 },
  );
  return { probe, clock, log, metrics, asked, stop, done: probe.run(stop.signal) };
}

const OK: PingResult = { ok: true, rttMs: 1, from: undefined };

test('each peer is asked by the way of its pods: through the tunnel, or straight', async () => {
  const { probe, clock, asked, stop, done, metrics } = create(() => OK);
  expect(probe.describe()).toBe('peers: 2 programmed, not asked yet');
  await clock.advance(999);
  expect(asked).toEqual(['10.244.2.0', '10.0.0.3']);
  await clock.advance(1_000);
  expect(asked).toHaveLength(4);
  expect(await metrics.render()).toContain('canal_peers_reachable{state="answering"} 2');
  expect(probe.describe()).toBe('peers: 2 programmed, 2 answering, 0 silent');
  expect(probe.reachOf('b', 4)).toEqual({ reachable: true, roundTripSeconds: 0.001 });
  expect(probe.reachOf('b', 6)).toEqual({});
  stop.abort();
  await done;
});

test('a peer that is silent three times is told once with the usual cause, and its return too', async () => {
  let dead = true;
  const { probe, clock, log, stop, done, metrics } = create((to) =>
    dead && to === '10.244.2.0' ? { ok: false, reason: 'timeout' } : OK,
  );
  await clock.advance(2_500);
  expect(log.messages()).toEqual(['problem']);
  expect(String(log.records[0]?.fields['problem'])).toMatch(/node b \(10\.0\.0\.2\) does not answer .*UDP, 8472/);
  expect(await metrics.render()).toContain('canal_peers_reachable{state="silent"} 1');
  expect(probe.describe()).toBe('peers: 2 programmed, 1 answering, 1 silent');
  await clock.advance(3_000);
  dead = false;
  await clock.advance(1_000);
  expect(log.messages()).toEqual(['problem', 'problem ended']);
  stop.abort();
  await done;
});

test('who does not answer is asked again at once: a loss is told long before the next round, and a lost packet is none', async () => {
  const lost = new Set<string>();
  let packets = Infinity;
  const { probe, clock, log, asked, stop, done } = create((to) => {
    if (!lost.has(to) || packets-- <= 0) return OK;
    return { ok: false, reason: 'timeout' };
  });
  await clock.advance(500);
  expect(asked).toHaveLength(2);
  lost.add('10.244.2.0');
  packets = 2;
  await clock.advance(1_000);
  expect(asked.slice(2).sort()).toEqual(['10.0.0.3', '10.244.2.0', '10.244.2.0', '10.244.2.0']);
  expect(probe.reachOf('b', 4)).toMatchObject({ reachable: true });
  packets = Infinity;
  await clock.advance(1_000);
  expect(probe.reachOf('b', 4)).toEqual({ reachable: false });
  expect(probe.reachOf('c', 4)).toMatchObject({ reachable: true });
  expect(log.messages()).toEqual(['problem']);
  const before = asked.length;
  await clock.advance(1_000);
  // Both once: the loss is known.
  expect(asked.slice(before).sort()).toEqual(['10.0.0.3', '10.244.2.0']);
  stop.abort();
  await done;
});

test('without the right to ping nothing is asked any more, and nothing else stops', async () => {
  const { clock, asked, log, stop, done } = create(() => Promise.reject(new Error('EPERM')));
  await clock.advance(10_000);
  expect(asked.length).toBeLessThanOrEqual(2);
  expect(log.messages()).toEqual(['peers are not pinged']);
  stop.abort();
  await done;
});
