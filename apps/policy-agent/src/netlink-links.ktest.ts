import { createPrometheusMetrics, createSystemClock, ProblemLog } from '@canal/telemetry';
import { createCapturedLogger, createTestNetns, waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { watchLinks } from './link-watch.ts';
import { netlinkLinks } from './netlink-links.ts';

test('a device that took the name of one that went is not gone', async () => {
  using netns = createTestNetns('links');
  for (const name of ['cnlone', 'cnltwo']) netns.run(['ip', 'link', 'add', name, 'type', 'bridge']);
  const gone: string[] = [];
  const stop = new AbortController();
  const log = createCapturedLogger();
  const problems = new ProblemLog(log, { emit: () => undefined });
  const metrics = createAgentMetrics(createPrometheusMetrics(), 'test');
  // Sockets are opened before the first wait, so in the namespace.
  const started = netns.within(() => ({
    watching: watchLinks(
      { events: netlinkLinks, onGone: (name) => gone.push(name), clock: createSystemClock(), log, metrics, problems },
      stop.signal,
    ),
  }));
  // Nothing is heard of before all is done.
  netns.run(['ip', 'link', 'del', 'cnlone']);
  netns.run(['ip', 'link', 'add', 'cnlone', 'type', 'bridge']);
  netns.run(['ip', 'link', 'del', 'cnltwo']);
  await waitFor('the other', () => gone.includes('cnltwo'));
  expect(gone).toEqual(['cnltwo']);
  netns.run(['ip', 'link', 'del', 'cnlone']);
  await waitFor('the end', () => gone.includes('cnlone'));
  stop.abort();
  await started.watching;
});
