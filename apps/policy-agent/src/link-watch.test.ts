import { createPrometheusMetrics, ProblemLog } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { type LinkEvent, watchLinks } from './link-watch.ts';

test('devices that go while nothing is heard are gone; that nothing is heard is a problem of its own', async () => {
  const clock = createFakeClock();
  const log = createCapturedLogger();
  const told: string[] = [];
  const problems = new ProblemLog(log, { emit: ({ reason }) => told.push(reason) });
  const gone: string[] = [];
  const stop = new AbortController();
  const host = { names: ['cnlone', 'cnltwo', 'kube-ipvs0'], isDeaf: false };
  const heard = (): LinkEvent => ({ type: 'resync', links: host.names.map((name, index) => ({ index, name })) });
  async function* events(signal: AbortSignal): AsyncGenerator<LinkEvent, void> {
    if (host.isDeaf) throw new Error('EMFILE');
    yield heard();
    await clock.sleep(10_000, signal).catch(() => undefined);
  }
  const metrics = createAgentMetrics(createPrometheusMetrics(), 'test');
  const watching = watchLinks(
    { events, onGone: (name) => gone.push(name), clock, log, metrics, problems },
    stop.signal,
  );
  await clock.advance(1);
  expect(told).toEqual(['KubeProxyIpvs']);
  host.isDeaf = true;
  host.names = ['cnltwo', 'kube-ipvs0'];
  await clock.advance(14_000);
  expect([told, gone]).toEqual([['KubeProxyIpvs', 'DevicesNotWatched'], []]);
  host.isDeaf = false;
  await clock.advance(1_000);
  expect(gone).toEqual(['cnlone']);
  await clock.advance(6_000);
  expect(problems.open().map(({ event }) => event)).toEqual(['KubeProxyIpvs']);
  stop.abort();
  await watching;
});
