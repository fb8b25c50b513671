import { createPrometheusMetrics, createSystemClock, ProblemLog } from '@canal/telemetry';
import { createCapturedLogger, createTestNetns, waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { createAgentMetrics } from './agent-metrics.ts';
import { watchLinks } from './link-watch.ts';
import { netlinkLinks } from './netlink-links.ts';

test('a device that took the name of one that went is not gone', async () => {
  using netns = createTestNetns('links');
  for (const name of ['cnlone', 'cnltwo', 'cni0']) netns.run(['ip', 'link', 'add', name, 'type', 'bridge']);
  const gone: string[] = [];
  const bridge = { told: 0 };
  const stop = new AbortController();
  const log = createCapturedLogger();
  const problems = new ProblemLog(log, { emit: () => undefined });
  const metrics = createAgentMetrics(createPrometheusMetrics(), 'test');
  // Sockets are opened before the first wait, so in the namespace.
  const started = netns.within(() => ({
    watching: watchLinks(
      {
        events: netlinkLinks,
        onGone: (name) => gone.push(name),
        onBridge: () => bridge.told++,
        clock: createSystemClock(),
        log,
        metrics,
        problems,
      },
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
  // There at the start, and then each change of its MAC.
  await waitFor('the bridge', () => bridge.told === 1);
  netns.run(['ip', 'link', 'set', 'cni0', 'address', '0a:58:0a:f4:01:02']);
  await waitFor('its other MAC', () => bridge.told === 2);
  netns.run(['ip', 'link', 'del', 'cni0']);
  await waitFor('its end', () => bridge.told === 3);
  netns.run(['ip', 'link', 'add', 'cni0', 'address', '0a:58:0a:f4:01:03', 'type', 'bridge']);
  await waitFor('the new one', () => bridge.told === 4);
  stop.abort();
  await started.watching;
});
