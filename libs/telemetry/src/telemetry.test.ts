import { describe, expect, test } from 'vitest';
import { createJsonLogger, createPrometheusMetrics, createSystemClock, type LogLevel } from './index.ts';

function capture(level: LogLevel, accepts: () => boolean = () => true) {
  const lines: Record<string, unknown>[] = [];
  const raw: string[] = [];
  const write = (line: string): boolean => {
    if (!accepts()) return false;
    raw.push(line);
    lines.push(JSON.parse(line) as Record<string, unknown>);
    return true;
  };
  return { lines, raw, log: createJsonLogger({ level, write, timeMs: () => 0 }) };
}

describe('JSON logger', () => {
  test('a line carries level, time, fields of the parent, own fields and the message', () => {
    const { log, lines } = capture('info');
    log.child({ node: 'a' }).warn({ peer: 'b' }, 'peer refused');
    expect(lines).toEqual([
      { level: 'warn', time: '1970-01-01T00:00:00.000Z', node: 'a', peer: 'b', msg: 'peer refused' },
    ]);
  });

  test('lines below the level are not written', () => {
    const { log, lines } = capture('warn');
    log.debug({}, 'a');
    log.info({}, 'b');
    log.error({}, 'c');
    expect(lines.map((line) => line['msg'])).toEqual(['c']);
  });

  test('an error keeps its name, code, message and cause; a bigint becomes text', () => {
    const { log, lines } = capture('info');
    const cause = Object.assign(new Error('inner'), { code: 'ENOENT' });
    log.error({ error: new TypeError('outer', { cause }), size: 2n ** 70n }, 'failed');
    expect(lines[0]).toMatchObject({
      error: { name: 'TypeError', message: 'outer', cause: { name: 'Error', code: 'ENOENT', message: 'inner' } },
      size: '1180591620717411303424',
    });
  });

  test('control characters of hostile text never reach the terminal', () => {
    const { log, raw } = capture('info');
    log.warn({ annotation: '\u001b[2J\nlevel=error' }, 'bad');
    expect(raw[0]).not.toContain('\u001b');
    expect(raw[0]?.trimEnd()).not.toContain('\n');
  });

  test('what cannot be printed loses its fields, not its message', () => {
    const { log, lines } = capture('info');
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    log.info({ cycle }, 'kept');
    expect(lines[0]).toMatchObject({ level: 'info', msg: 'kept' });
  });

  test('lines that the sink lost are counted in the next line', () => {
    let open = false;
    const { log, lines } = capture('info', () => open);
    log.info({}, 'lost');
    log.info({}, 'lost too');
    open = true;
    log.info({}, 'back');
    log.info({}, 'on');
    expect(lines).toMatchObject([{ lostLines: 2 }, { msg: 'on' }]);
    expect(lines[1]).not.toHaveProperty('lostLines');
  });
});

describe('Prometheus metrics', () => {
  test('counter, gauge and histogram appear with their labels; a removed label is gone', async () => {
    const metrics = createPrometheusMetrics();
    metrics.counter({ name: 'canal_a_total', help: 'a', labelNames: ['kind'] }).inc({ kind: 'route' }, 3);
    const gauge = metrics.gauge({ name: 'canal_b', help: 'b', labelNames: ['peer'] });
    gauge.set(1, { peer: 'x' });
    gauge.set(2, { peer: 'y' });
    gauge.remove({ peer: 'x' });
    metrics.histogram({ name: 'canal_c_seconds', help: 'c', buckets: [1, 2] }).observe(1.5);
    const text = await metrics.render();
    expect(text).toContain('canal_a_total{kind="route"} 3');
    expect(text).toContain('canal_b{peer="y"} 2');
    expect(text).not.toContain('peer="x"');
    expect(text).toContain('canal_c_seconds_bucket{le="2"} 1');
    expect(text).toMatch(/process_resident_memory_bytes \d{7,}/);
    expect(metrics.contentType).toContain('text/plain');
  });

  test('a scrape repeated does not add the CPU time up again', async () => {
    const metrics = createPrometheusMetrics();
    await metrics.render();
    const text = await metrics.render();
    const seconds = Number(/process_cpu_seconds_total ([0-9.e+-]+)/.exec(text)?.[1]);
    const { user, system } = process.cpuUsage();
    expect(seconds).toBeLessThanOrEqual((user + system) / 1e6);
  });
});

describe('system clock', () => {
  test('sleep ends after its delay', async () => {
    const clock = createSystemClock();
    const start = clock.nowMs();
    await clock.sleep(10);
    expect(clock.nowMs() - start).toBeGreaterThanOrEqual(9);
  });

  test('an abort ends a sleep at once with its reason, before and during it', async () => {
    const clock = createSystemClock();
    const reason = new Error('stop');
    await expect(clock.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const sleeping = clock.sleep(60_000, controller.signal);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });
});
