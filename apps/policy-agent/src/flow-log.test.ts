import { KernelError, type VerdictRecord } from '@canal/kernel-port';
import type { Explanation } from '@canal/policy-compile';
import { createPrometheusMetrics, ProblemLog } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { ok, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { FlowLog } from './flow-log.ts';

const VERDICT: VerdictRecord = {
  reason: 'ingress-denied',
  timeMs: 0,
  family: 4,
  source: unwrap(parseIp('10.244.2.20')),
  destination: unwrap(parseIp('10.244.1.10')),
  protocol: 6,
  sourcePort: 1234,
  destinationPort: 80,
  lost: 0,
};

/** Verdicts, evenly over the seconds, of which each costs the engine so much. */
async function flood(perSecond: number, seconds: number, joinMs: number) {
  let nowMs = 0;
  let spentMs = 0;
  const count = perSecond * seconds;
  const stop = new AbortController();
  const prometheus = createPrometheusMetrics();
  const end = { address: '10.244.1.10', kind: 'pod', pod: { namespace: 'default', name: 'web' } } as const;
  const flows = new FlowLog({
    kernel: {
      async *verdicts() {
        for (let index = 0; index < count; index++) {
          nowMs = Math.max(nowMs, (index / perSecond) * 1000);
          yield await Promise.resolve(VERDICT);
        }
        stop.abort();
      },
    },
    engine: {
      explain: () => {
        nowMs += joinMs;
        spentMs += joinMs;
        return ok({ verdict: 'deny', source: end, destination: end, protocol: 'TCP', words: [] });
      },
    },
    clock: { nowMs: () => nowMs, sleep: () => Promise.resolve() },
    log: createCapturedLogger(),
    metrics: createAgentMetrics(prometheus, 'test'),
    problems: { update: () => undefined },
    capacity: count,
  });
  await flows.run(stop.signal);
  const records = flows.last(count, false);
  const joined = records.filter(({ destination }) => destination.pod !== undefined).length;
  const lost = /^canal_flow_records_lost_total (\d+)$/m.exec(await prometheus.render())?.[1];
  return { kept: records.length, joined, lost: Number(lost ?? 0), spentMs };
}

test('with a few policies all verdicts that the kernel tells are joined', async () => {
  expect(await flood(1000, 10, 0.02)).toMatchObject({ kept: 10_000, joined: 10_000, lost: 0 });
});

test('with a thousand policies joins take a twentieth of a core; the other records are kept without, and counted', async () => {
  const { kept, joined, lost, spentMs } = await flood(500, 10, 0.84);
  expect(kept).toBe(5_000);
  expect(joined + lost).toBe(5_000);
  // The first second has the budget of one before it.
  expect(spentMs).toBeLessThanOrEqual(11 * 50 + 1);
  expect(joined).toBeGreaterThan(500);
});

test('verdicts that cannot be heard are a problem by name, until they can', async () => {
  const clock = createFakeClock();
  const stop = new AbortController();
  const told: string[] = [];
  const problems = new ProblemLog(createCapturedLogger(), { emit: ({ reason }) => told.push(reason) });
  const prometheus = createPrometheusMetrics();
  const group = { isTaken: true };
  const flows = new FlowLog({
    kernel: {
      async *verdicts(signal) {
        if (group.isTaken) throw new KernelError('io', 'NFLOG group 20 has another listener');
        await clock.sleep(1e9, signal).catch(() => undefined);
      },
    },
    engine: { explain: () => ok({} as Explanation) },
    clock,
    log: createCapturedLogger(),
    metrics: createAgentMetrics(prometheus, 'test'),
    problems,
    capacity: 10,
  });
  const running = flows.run(stop.signal);
  await clock.advance(10_000);
  expect(told).toEqual(['VerdictsNotHeard']);
  expect(problems.open()).toMatchObject([{ message: expect.stringContaining('another listener') as string }]);
  expect(await prometheus.render()).toMatch(/canal_dataplane_errors_total\{operation="verdicts"\} 1\d/);
  group.isTaken = false;
  await clock.advance(5_000);
  expect(problems.open()).toHaveLength(1);
  await clock.advance(2_000);
  expect(problems.open()).toEqual([]);
  stop.abort();
  await running;
});
