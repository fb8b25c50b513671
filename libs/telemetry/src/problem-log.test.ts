import type { Gauge } from '@canal/runtime-port';
import { createCapturedLogger } from '@canal/testing';
import { describe, expect, test } from 'vitest';
import { type Complaint, type ProblemEvents, ProblemLog } from './problem-log.ts';

describe('problem log', () => {
  const bad: Complaint = { key: 'k', severity: 'error', event: 'Broken', message: 'it is broken' };

  function create() {
    const events: Parameters<ProblemEvents['emit']>[0][] = [];
    const log = createCapturedLogger();
    return { events, log, problems: new ProblemLog(log, { emit: (event) => events.push(event) }) };
  }

  test('what lasts is told once, its end is told, and its return again', () => {
    const { events, log, problems } = create();
    problems.update('network', [bad]);
    problems.update('network', [{ ...bad, message: 'it is broken 2 times' }]);
    expect(log.messages()).toEqual(['problem']);
    expect(events).toEqual([{ type: 'Warning', reason: 'Broken', message: 'it is broken' }]);
    expect(problems.open()).toHaveLength(1);
    problems.update('network', []);
    problems.update('network', [bad]);
    expect(log.messages()).toEqual(['problem', 'problem ended', 'problem']);
    expect(events).toHaveLength(2);
  });

  test('those that are open are counted, from the beginning', () => {
    const counts: Record<string, number> = {};
    const gauge: Gauge = {
      set: (value, labels) => void (counts[labels?.['severity'] ?? ''] = value),
      remove: () => undefined,
    };
    const problems = new ProblemLog(createCapturedLogger(), { emit: () => undefined }, gauge);
    expect(counts).toEqual({ error: 0, warning: 0 });
    problems.update('network', [bad, { ...bad, key: 'l', severity: 'warning' }]);
    problems.update('rules', [bad]);
    expect(counts).toEqual({ error: 2, warning: 1 });
    problems.update('network', []);
    expect(counts).toEqual({ error: 1, warning: 0 });
  });

  test('one source does not end the complaints of another', () => {
    const { log, problems } = create();
    problems.update('network', [bad]);
    problems.update('rules', []);
    expect(log.messages()).toEqual(['problem']);
  });
});
