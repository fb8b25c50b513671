import { createPrometheusMetrics, type ProblemEvents, ProblemLog } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { createAgentStatus } from './agent-status.ts';
import { Upkeep } from './upkeep.ts';

interface Failing {
  readonly sinceMs: number;
  readonly error: Error;
}

function create() {
  const clock = createFakeClock();
  const log = createCapturedLogger();
  const events: string[] = [];
  const sink: ProblemEvents = { emit: ({ reason }) => void events.push(reason) };
  const problems = new ProblemLog(log, sink);
  const runner: { failing: Failing | undefined; kernelChanged: () => void } & Record<string, unknown> = {
    failing: undefined,
    kernelChanged: () => undefined,
  };
  const upkeep = new Upkeep({
    kernel: {
      // eslint-disable-next-line @typescript-eslint/require-await
      async *monitor() {
        yield* [];
        throw new Error('no socket');
      },
    },
    runner,
    nodes: { setLocalAddresses: () => false, setNetConf: () => undefined },
    watch: {
      unreadable: () => [
        { kind: 'Pod', key: 'default/a', error: 'labels' },
        { kind: 'Pod', key: 'default/b', error: 'labels' },
      ],
    },
    problems,
    localAddresses: () => [],
    readNetConf: () => '',
    changed: () => undefined,
    clock,
    log,
    metrics: createAgentMetrics(createPrometheusMetrics(), 'test'),
  });
  const status = createAgentStatus({
    watch: { status: () => [], inSync: true },
    runner: {
      alive: true,
      everSynced: true,
      lastSyncMs: undefined,
      get failing() {
        return runner.failing;
      },
    },
    endpoints: { size: 0 },
    policies: { size: 0 },
    reports: { isolated: 0 },
    problems,
    view: { endpoints: () => [], chains: () => [], sets: () => [], members: () => [], memberCount: () => 0 },
    clock,
    options: { version: 'test', node: 'a', strict: true },
  });
  return { clock, log, events, runner, upkeep, status };
}

test('a kernel that refuses for long: not ready at once, unhealthy after a minute, the end after three', async () => {
  const { clock, events, runner, upkeep, status } = create();
  const stop = new AbortController();
  const running = upkeep.run(stop.signal);
  const ended = running.catch((error: unknown) => error);
  expect(status.readyz().ok).toBe(true);
  runner.failing = { sinceMs: 0, error: new Error('EPERM') };
  await clock.advance(50_000);
  expect([status.readyz().ok, status.healthz().ok]).toEqual([false, true]);
  expect(status.readyz().text).toContain('EPERM');
  expect(events).toContain('DataplaneNotReady');
  await clock.advance(20_000);
  expect(status.healthz().ok).toBe(false);
  await clock.advance(120_000);
  expect(await ended).toMatchObject({ message: 'the kernel refuses the rules for 180 s' });
});

test('one that recovers is let be', async () => {
  const { clock, log, runner, upkeep, status } = create();
  const stop = new AbortController();
  const running = upkeep.run(stop.signal);
  runner.failing = { sinceMs: 0, error: new Error('EPERM') };
  await clock.advance(170_000);
  runner.failing = undefined;
  await clock.advance(600_000);
  expect([status.readyz().ok, status.healthz().ok]).toEqual([true, true]);
  expect(log.messages()).toContain('problem ended');
  stop.abort();
  await running;
});

test('objects that cannot be read are told by the first of their kind', async () => {
  const { clock, events, upkeep, status } = create();
  const stop = new AbortController();
  const running = upkeep.run(stop.signal);
  await clock.advance(1);
  expect(events).toEqual(['UnreadableObject']);
  expect(status.readyz().text).toContain('2 objects of kind Pod cannot be read, first default/a: labels');
  stop.abort();
  await running;
});

test('events that break off for one reason are told once', async () => {
  const { clock, log, upkeep } = create();
  const stop = new AbortController();
  const running = upkeep.monitor(stop.signal);
  await clock.advance(10_000);
  expect(log.messages('error')).toEqual(['events of rules broke off, listening again']);
  stop.abort();
  await running;
});
