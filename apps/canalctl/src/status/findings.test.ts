import { describe, expect, test } from 'vitest';
import { agent, node, peer, pool, WELL } from './cluster.fixture.ts';
import { findFaults } from './findings.ts';
import { ageCell, peersCell, poolsCell } from './node-columns.ts';
import type { NodeReport } from './read-status.ts';

const report = (...nodes: readonly Partial<NodeReport>[]): NodeReport[] =>
  WELL.map((one, index) => ({ ...one, pools: [pool(index + 1)], ...nodes[index] }));
const whatOf = (nodes: readonly NodeReport[]): readonly string[] =>
  findFaults({ nodes, missing: [] }).map(({ severity, node: name, what }) => `${severity} ${name ?? ''}: ${what}`);

test('nothing is wrong', () => {
  expect(whatOf(report())).toEqual([]);
});

test('everything that is wrong has a next step, or says it itself', () => {
  const faults = [{ severity: 'warning', message: 'an old file is in the way: remove /x' } as const];
  const nodes = report(
    {
      peers: [peer(2, { reachable: false }), peer(3, { reachable: false, via: 'host-gw' })],
      pools: [pool(1, { inUse: 253 })],
    },
    { agents: [agent('flanneld', { state: 'not-ready' }), agent('policy-agent', { faults })] },
    { state: 'unreachable', agents: [agent('flanneld', { state: 'unreachable' })], pools: [pool(3, { leaked: 1 })] },
  );
  const findings = findFaults({ nodes, missing: [{ node: 'n1', reason: 'cut' }] });
  expect(findings.map(({ severity, node: name, what }) => `${severity} ${name ?? ''}: ${what}`)).toEqual([
    'error n1: pods of n2 (10.0.0.2, vxlan) cannot be reached',
    'error n1: pods of n3 (10.0.0.3, host-gw) cannot be reached',
    'error n1: 253 of 253 addresses of 10.244.1.0/24 are in use',
    'error n2: flanneld is not ready',
    'error n3: flanneld does not answer',
    'warning n2: policy-agent: an old file is in the way: remove /x',
    'warning n3: 1 address of 10.244.3.0/24 is held by pods that are gone',
    'warning n1: its addresses are not known',
  ]);
  for (const { what, next } of findings) if (!what.startsWith('policy-agent: ')) expect(next).toBeTruthy();
  // Of a peer whose node is down the firewall is not to blame.
  expect(findings[1]?.cause).toBe('no agent of n3 answers: the node may be down');
  expect(findings[0]?.next).toContain('UDP port 8472');
});

describe('peers', () => {
  test('that are not tried are no fault', () => {
    const untried = [2, 3].map((number) => {
      const { reachable: _reachable, ...rest } = peer(number);
      return rest;
    });
    expect(whatOf(report({ peers: untried }))).toEqual([]);
    expect(peersCell(untried)).toBe('?/2');
  });

  test('that a node does not know are one, when they have a subnet', () => {
    expect(whatOf(report({ peers: [peer(2)] }))).toEqual(['error n1: has no way to the pods of n3']);
    const without = report({ peers: [peer(2)] }, { peers: [peer(1)] }, { subnets: [], peers: [peer(1), peer(2)] });
    expect(whatOf(without)).toEqual([]);
  });

  test('of a node that says nothing are not judged', () => {
    const silent = { agents: [agent('flanneld', { state: 'unreachable' } as const)], peers: [] };
    expect(whatOf(report(silent))).toEqual(['error n1: flanneld does not answer']);
  });

  test('with an address of each family are one', () => {
    expect(peersCell([peer(2), peer(2, { address: 'fd00::2', reachable: false }), peer(3)])).toBe('1/2');
    expect(peersCell([])).toBe('-');
  });
});

test.each([
  [pool(1, { inUse: 227 }), []],
  [pool(1, { inUse: 228 }), ['warning n1: 228 of 253 addresses of 10.244.1.0/24 are in use']],
  [pool(1, { capacity: '18446744073709551614', inUse: 1_000_000 }), []],
])('%j', (one, findings) => {
  expect(whatOf(report({ pools: [one] }))).toEqual(findings);
});

test('cells', () => {
  expect(poolsCell([])).toBe('-');
  expect(poolsCell([pool(1, { leaked: 2 }), pool(1, { capacity: '18446744073709551614' })])).toBe('7/253 (2 leaked) 5');
  const nowMs = Date.parse('2026-11-21T10:00:00.000Z');
  const ages = [0, 119, 120, 7_199, 7_200, 172_799, 172_800, -5].map((seconds) =>
    ageCell(new Date(nowMs - seconds * 1_000).toISOString(), nowMs),
  );
  expect(ages).toEqual(['0s', '119s', '2m', '119m', '2h', '47h', '2d', '0s']);
  expect([ageCell(undefined, nowMs), ageCell('yesterday', nowMs)]).toEqual(['-', '-']);
});

test('a node of the fixture is as a node must be', () => {
  expect(node(1).peers.map((one) => one.node)).toEqual(['n2', 'n3']);
});
