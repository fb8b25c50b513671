import { createCapturedLogger, waitFor } from '@canal/testing';
import { parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { serveHealth } from './health-server.ts';
import { createPrometheusMetrics } from './prometheus-metrics.ts';
import { createSystemClock } from './system-clock.ts';

test.each([
  { name: 'the default address takes probes of both families, as in flannel', ip: '0.0.0.0', answered: [true, true] },
  { name: 'any other address is meant as it is', ip: '127.0.0.1', answered: [true, false] },
  { name: 'of either family', ip: '::1', answered: [false, true] },
])('$name', async ({ ip, answered }) => {
  const stop = new AbortController();
  const log = createCapturedLogger();
  const deps = {
    metrics: createPrometheusMetrics(),
    clock: createSystemClock(),
    log,
    healthz: () => ({ ok: true, text: 'ok' }),
    readyz: () => ({ ok: false, text: 'not yet' }),
  };
  const serving = serveHealth(deps, { ip: unwrap(parseIp(ip)), port: 0 }, stop.signal);
  const address = await waitFor('the server', () => log.records[0]?.fields['address']);
  const port = /\d+$/.exec(String(address))?.[0] ?? '';
  const status = (host: string) => fetch(`http://${host}:${port}/readyz`).then(({ status: code }) => code === 503);
  const results = ['127.0.0.1', '[::1]'].map((host) => status(host).catch(() => false));
  expect(await Promise.all(results)).toEqual(answered);
  stop.abort();
  await serving;
});
