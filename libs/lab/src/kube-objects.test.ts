import { parseIp, unwrap } from 'net-types';
import { type KubeObject } from '@canal/store-port';
import { describe, expect, test } from 'vitest';
import { networkIsAvailable, nodeObject, nodeReadyPatch, nodeStatus, podRunningStatus } from './kube-objects.ts';
import { DEFAULT_SPEC } from './lab-spec.ts';
import { planNode } from './topology.ts';

const node = planNode({ ...DEFAULT_SPEC, ipFamily: 'dual' }, { name: 'node1', number: 1, segment: 1 });
const withConditions = (...conditions: unknown[]): KubeObject => ({
  metadata: { name: 'node1', resourceVersion: '7' },
  status: { conditions },
});

test('a Node has both pod subnets, the IPv4 one first, and its addresses in its status', () => {
  expect(nodeObject(node)).toMatchObject({
    metadata: { name: 'node1', labels: { 'kubernetes.io/hostname': 'node1' } },
    spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'] },
  });
  expect(nodeStatus(node)).toEqual({
    status: {
      addresses: [
        { type: 'InternalIP', address: '192.168.77.11' },
        { type: 'InternalIP', address: 'fd00:c0a8:4d::b' },
        { type: 'Hostname', address: 'node1' },
      ],
    },
  });
});

test('a running Pod has its addresses in the order of the plugin’s result', () => {
  const [v4, v6] = [unwrap(parseIp('10.244.1.2')), unwrap(parseIp('fd00:10:244:1::2'))];
  expect(podRunningStatus([v4, v6], [unwrap(parseIp('192.168.77.11'))])).toMatchObject({
    status: { phase: 'Running', podIP: '10.244.1.2', podIPs: [{ ip: '10.244.1.2' }, { ip: 'fd00:10:244:1::2' }] },
  });
});

describe('networkIsAvailable', () => {
  test.each([
    ['no status at all', { metadata: { name: 'n' } }, false],
    ['no conditions', { metadata: { name: 'n' }, status: {} }, false],
    ['the agent has not spoken', withConditions({ type: 'Ready', status: 'True' }), false],
    ['unavailable', withConditions({ type: 'NetworkUnavailable', status: 'True' }), false],
    ['available', withConditions({ type: 'NetworkUnavailable', status: 'False' }), true],
    [
      'something that is no condition',
      withConditions(null, 'x', { type: 'NetworkUnavailable', status: 'False' }),
      true,
    ],
  ])('%s', (_name, object, expected) => {
    expect(networkIsAvailable(object)).toBe(expected);
  });
});

describe('nodeReadyPatch', () => {
  const now = new Date('2026-01-02T03:04:05.678Z');
  const network = { type: 'NetworkUnavailable', status: 'False' };

  test('keeps the conditions of others and holds for this version alone', () => {
    expect(nodeReadyPatch(withConditions(network, { type: 'Ready', status: 'False' }), undefined, now)).toMatchObject({
      metadata: { resourceVersion: '7' },
      status: { conditions: [network, { type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-02T03:04:05Z' }] },
    });
  });

  test('says what the plugin says', () => {
    expect(nodeReadyPatch(withConditions(), 'code 50: no subnet.env', now)).toMatchObject({
      status: { conditions: [{ status: 'False', reason: 'NetworkPluginNotReady', message: 'code 50: no subnet.env' }] },
    });
  });
});
