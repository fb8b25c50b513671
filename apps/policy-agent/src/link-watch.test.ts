import { createPrometheusMetrics, ProblemLog } from '@canal/telemetry';
import { createCapturedLogger, createFakeClock } from '@canal/testing';
import { parseMac, unwrap } from 'net-types';
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
    { events, onGone: (name) => gone.push(name), onBridge: () => undefined, clock, log, metrics, problems },
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

test('that the bridge of pods comes, gets another MAC and goes is told, each once', async () => {
  const clock = createFakeClock();
  const log = createCapturedLogger();
  const problems = new ProblemLog(log, { emit: () => undefined });
  const metrics = createAgentMetrics(createPrometheusMetrics(), 'test');
  const stop = new AbortController();
  const [first, second] = ['0a:58:0a:f4:01:01', '0a:58:0a:f4:01:02'].map((text) => unwrap(parseMac(text)));
  if (first === undefined || second === undefined) throw new Error('2');
  const bridge = { index: 2, name: 'cni0', address: first };
  const steps: readonly (readonly [LinkEvent, number])[] = [
    [{ type: 'resync', links: [{ index: 1, name: 'eth0', address: first }] }, 0],
    [{ type: 'present', ...bridge }, 1],
    [{ type: 'present', ...bridge }, 1],
    [{ type: 'present', index: 1, name: 'eth0', address: second }, 1],
    [{ type: 'present', ...bridge, address: second }, 2],
    [{ type: 'gone', index: 1 }, 2],
    [{ type: 'gone', index: 2 }, 3],
    [{ type: 'present', ...bridge, index: 3 }, 4],
    [{ type: 'resync', links: [{ ...bridge, index: 3 }] }, 4],
    // Made anew while nothing was heard.
    [{ type: 'resync', links: [{ ...bridge, index: 4, address: second }] }, 5],
    [{ type: 'resync', links: [] }, 6],
  ];
  let told = 0;
  const seen: number[] = [];
  async function* events(signal: AbortSignal): AsyncGenerator<LinkEvent, void> {
    for (const [event] of steps) {
      yield event;
      seen.push(told);
    }
    await clock.sleep(10_000, signal).catch(() => undefined);
  }
  const watching = watchLinks(
    { events, onGone: () => undefined, onBridge: () => told++, clock, log, metrics, problems },
    stop.signal,
  );
  await clock.advance(1);
  expect(seen).toEqual(steps.map(([, times]) => times));
  stop.abort();
  await watching;
});
