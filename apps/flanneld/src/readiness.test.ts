import { describe, expect, test } from 'vitest';
import type { NetworkResult } from './node-network.ts';
import { readiness, type ReadinessInput } from './readiness.ts';

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
