import type { PolicyLimit } from '@canal/kernel-port';
import { type Complaint, createPrometheusMetrics, type ProblemEvents, ProblemLog } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import type { Ip } from 'net-types';
import { expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { createAgentStatus } from './agent-status.ts';
import { Upkeep } from './upkeep.ts';

interface Failing {
  readonly sinceMs: number;
  readonly error: Error;
}

const FOREVER_MS = 1e9;

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
  /** When the monitor breaks off; undefined: never. */
  const kernel: { breaksAfterMs: number | undefined } = { breaksAfterMs: 0 };
  const host = { addresses: (): readonly Ip[] => [], netConf: (): string => '' };
  /** What was taken in. */
  const netConfs: (string | undefined)[] = [];
  const prometheus = createPrometheusMetrics();
  const limits: PolicyLimit[] = [];
  const upkeep = new Upkeep({
    kernel: {
      limits: () => limits,
      async *monitor(signal) {
        if (kernel.breaksAfterMs === 0) throw new Error('no socket');
        yield { type: 'resync' };
        await clock.sleep(kernel.breaksAfterMs ?? FOREVER_MS, signal).catch(() => undefined);
        if (!signal.aborted) throw new Error('broken behind its first event');
      },
    },
    runner,
    nodes: { setLocalAddresses: () => false, setNetConf: (text) => void netConfs.push(text) },
    watch: {
      unreadable: () => [
        { kind: 'Pod', key: 'default/a', error: 'labels' },
        { kind: 'Pod', key: 'default/b', error: 'labels' },
      ],
    },
    problems,
    kernelRelease: '6.18.0',
    localAddresses: () => host.addresses(),
    readNetConf: () => host.netConf(),
    changed: () => undefined,
    clock,
    log,
    metrics: createAgentMetrics(prometheus, 'test'),
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
    view: {
      endpoints: () => [],
      chains: () => [],
      sets: () => [],
      members: () => [],
      memberCount: () => 0,
      keptCounters: () => new Set<string>(),
    },
    clock,
    options: { version: 'test', node: 'a', strict: true },
  });
  return { clock, log, events, runner, upkeep, status, kernel, host, netConfs, problems, prometheus, limits };
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

test('events that break off time and again are a problem by name, until they go on', async () => {
  const { clock, log, events, kernel, upkeep, status, prometheus } = create();
  const stop = new AbortController();
  const running = upkeep.monitor(stop.signal);
  await clock.advance(1_500);
  // One or two are gone with the next try.
  expect(events).toEqual([]);
  await clock.advance(10_000);
  expect(events).toEqual(['RulesNotMonitored']);
  expect(log.messages('warn')).toEqual(['what the kernel tells broke off, listening again']);
  expect(status.readyz().text).toContain('no socket');
  expect(status.status().notes).toEqual([expect.stringContaining('--resync')]);
  expect(await prometheus.render()).toMatch(/canal_dataplane_errors_total\{operation="monitor"\} 1\d/);
  // It works, and breaks off behind its first event: not mended.
  kernel.breaksAfterMs = 500;
  await clock.advance(8_000);
  expect(events).toEqual(['RulesNotMonitored']);
  expect(status.readyz().text).toContain('broken behind its first event');
  kernel.breaksAfterMs = undefined;
  await clock.advance(8_000);
  expect(status.readyz().text).toBe('ok');
  expect(log.messages()).toContain('problem ended');
  stop.abort();
  await running;
});

test('what the kernel cannot do is a problem by name, until it can', async () => {
  const { clock, events, limits, upkeep, status } = create();
  const stop = new AbortController();
  const running = upkeep.run(stop.signal);
  await clock.advance(1);
  expect(status.readyz().text).not.toContain('family');
  limits.push(
    { code: 'arp-unguarded', message: 'no family arp' },
    { code: 'bridge-isolated', message: 'no family bridge' },
  );
  await clock.advance(5_000);
  expect(events).toEqual(expect.arrayContaining(['ArpNotGuarded', 'BridgePodsIsolated']));
  expect(status.readyz().text).toContain('no family arp');
  expect(status.readyz().text).toContain('no family bridge');
  limits.length = 0;
  await clock.advance(5_000);
  expect(status.readyz().text).not.toContain('family');
  stop.abort();
  await running;
});

test('addresses of this host that cannot be read are a problem, and those known before stay', async () => {
  const { clock, events, host, upkeep, status } = create();
  const stop = new AbortController();
  host.addresses = () => {
    throw new Error('EMFILE');
  };
  const running = upkeep.run(stop.signal);
  await clock.advance(1);
  expect(events).toContain('AddressesUnreadable');
  expect(status.readyz().text).toContain('EMFILE');
  host.addresses = () => [];
  await clock.advance(5_000);
  expect(status.readyz().text).not.toContain('EMFILE');
  stop.abort();
  await running;
});

test('a net-conf.json that cannot be read is another thing than none: the port that it named stays guarded', () => {
  const { events, host, netConfs, upkeep, status } = create();
  const failing = (code: string) => (): string => {
    throw Object.assign(new Error(`${code}: planned`), { code });
  };
  upkeep.readNetConf();
  host.netConf = failing('EACCES');
  upkeep.readNetConf();
  expect([events, netConfs]).toEqual([['InvalidNetConf'], ['']]);
  expect(status.readyz().text).toContain('net-conf.json: cannot be read: EACCES');
  host.netConf = failing('ENOENT');
  upkeep.readNetConf();
  expect([status.readyz().text, netConfs]).toEqual(['ok', ['', undefined]]);
});

test('without its socket no pod can be added: not ready, and it is said once', () => {
  const { problems, status } = create();
  const unserved: Complaint = { key: 'unserved', severity: 'error', event: 'SocketNotServed', message: 'no socket' };
  problems.update('socket', [unserved]);
  problems.update('flows', [{ ...unserved, event: 'FlowsNotJudged', message: 'no flows' }]);
  expect(status.readyz()).toEqual({ ok: false, text: 'no socket\nno flows' });
  expect(status.status()).toMatchObject({ ready: false, notes: ['no socket', 'no flows'] });
  problems.update('socket', []);
  expect(status.readyz()).toEqual({ ok: true, text: 'ok\nno flows' });
});
