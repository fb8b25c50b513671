/** What reaches people: the problem log, Events within their budget, readiness. */
import { createCapturedLogger } from '@canal/testing';
import { describe, expect, test } from 'vitest';
import { EventBudget } from './event-budget.ts';
import type { NodeEvent } from './node-events.ts';
import type { NetworkResult } from './node-network.ts';
import { type Complaint, ProblemLog } from './problem-log.ts';
import { readiness, type ReadinessInput } from './readiness.ts';

describe('problem log', () => {
  const bad: Complaint = { key: 'k', severity: 'error', event: 'Broken', message: 'it is broken' };

  function create() {
    const events: NodeEvent[] = [];
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

  test('one source does not end the complaints of another', () => {
    const { log, problems } = create();
    problems.update('network', [bad]);
    problems.update('rules', []);
    expect(log.messages()).toEqual(['problem']);
  });
});

describe('event budget', () => {
  const options = { burst: 3, perMinute: 6, repeatAfterMs: 60_000 };

  test('a repetition waits, another event does not', () => {
    const budget = new EventBudget(0, options);
    expect([budget.admit('a', 0), budget.admit('a', 59_999), budget.admit('b', 59_999)]).toEqual([true, false, true]);
    expect(budget.admit('a', 120_000)).toBe(true);
  });

  test('a flood of different events is held to the rate', () => {
    const budget = new EventBudget(0, options);
    const admitted = Array.from({ length: 1_000 }, (_, index) => budget.admit(String(index), index * 60));
    expect(admitted.filter(Boolean)).toHaveLength(3 + 5);
  });
});

describe('readiness', () => {
  const result: NetworkResult = {
    underlay: [],
    nodeProblems: [],
    warnings: [],
    problems: [],
    conflicts: [],
    failures: [],
    localFaults: [],
    repairs: [],
    operations: 0,
  };
  const own = { node: { name: 'a', families: [], ownAddresses: [] }, leases: [] };
  const problem = { reason: 'PodCIDRMissing', message: 'no subnet', cure: 'Assign one' };
  const table: { name: string; input: ReadinessInput; text: string | undefined }[] = [
    {
      name: 'before the list of nodes it names the connection error',
      input: { nodesInSync: false, firstSyncDone: false, apiError: 'connection refused', network: result },
      text: 'waiting for the list of nodes: connection refused',
    },
    {
      name: 'a node that cannot be set up says why and what cures it',
      input: { nodesInSync: true, firstSyncDone: false, network: { ...result, nodeProblems: [problem] } },
      text: 'no subnet. Assign one',
    },
    {
      name: 'not before the first sync',
      input: { nodesInSync: true, firstSyncDone: false, network: { ...result, own } },
      text: 'the first sync is not done yet',
    },
    {
      name: 'then ready',
      input: { nodesInSync: true, firstSyncDone: true, network: { ...result, own } },
      text: undefined,
    },
    {
      name: 'a fault of its own takes it back',
      input: { nodesInSync: true, firstSyncDone: true, network: { ...result, own, localFaults: ['link add: EPERM'] } },
      text: 'link add: EPERM',
    },
    {
      name: 'a problem of the node with an earlier decision in force does not',
      input: { nodesInSync: true, firstSyncDone: true, network: { ...result, own, nodeProblems: [problem] } },
      text: undefined,
    },
    {
      name: 'rules that cannot be written do',
      input: { nodesInSync: true, firstSyncDone: true, network: { ...result, own }, rulesFault: 'nft: EPERM' },
      text: 'nft: EPERM',
    },
    {
      name: 'so does a runtime without configuration',
      input: { nodesInSync: true, firstSyncDone: true, network: { ...result, own }, cniConfFault: 'not written' },
      text: 'not written',
    },
  ];
  test.each(table)('$name', ({ input, text }) => {
    expect(readiness(input)).toEqual({ ok: text === undefined, text: text ?? 'ok' });
  });

  test('what people should know stands behind the answer and does not decide it', () => {
    const notes = ['05-other.conf comes before'];
    const ready = { nodesInSync: true, firstSyncDone: true, network: { ...result, own }, notes };
    expect(readiness(ready)).toEqual({ ok: true, text: 'ok\n05-other.conf comes before' });
    expect(readiness({ ...ready, rulesFault: 'nft: EPERM' })).toEqual({
      ok: false,
      text: 'nft: EPERM\n05-other.conf comes before',
    });
  });
});
