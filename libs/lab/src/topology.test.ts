import { cidrsOverlap, formatCidr, formatInterfaceAddress, formatIp, cidrContains } from 'net-types';
import { describe, expect, test } from 'vitest';
import { DEFAULT_SPEC, type LabSpec, MAX_NODES } from './lab-spec.ts';
import { initialNodes, planNode, planTopology, podNetworkNamespace } from './topology.ts';

const spec = (tweak: Partial<LabSpec> = {}): LabSpec => ({ ...DEFAULT_SPEC, ...tweak });

describe('planNode', () => {
  test('a dual-stack node has an address, a gateway and a pod subnet of each family', () => {
    const node = planNode(spec({ ipFamily: 'dual' }), { name: 'node2', number: 2, segment: 1 });
    expect(node.namespace).toBe('canal-lab.node2');
    expect(node.addresses.map(formatInterfaceAddress)).toEqual(['192.168.77.12/24', 'fd00:c0a8:4d::c/64']);
    expect(node.gateways.map(formatIp)).toEqual(['192.168.77.1', 'fd00:c0a8:4d::1']);
    expect(node.podCidrs.map(formatCidr)).toEqual(['10.244.2.0/24', 'fd00:10:244:2::/64']);
  });

  test('a node of the second segment has another network', () => {
    const node = planNode(spec({ ipFamily: 'dual' }), { name: 'node3', number: 3, segment: 2 });
    expect(node.addresses.map(formatInterfaceAddress)).toEqual(['192.168.78.13/24', 'fd00:c0a8:4d:1::d/64']);
  });

  test.each([
    ['ipv4', ['10.244.1.0/24']],
    ['ipv6', ['fd00:10:244:1::/64']],
  ] as const)('%s alone', (ipFamily, expected) => {
    expect(planNode(spec({ ipFamily }), { name: 'n', number: 1, segment: 1 }).podCidrs.map(formatCidr)).toEqual(
      expected,
    );
  });

  test('pod subnets of all possible nodes are apart and inside the network', () => {
    const wide = spec({ ipFamily: 'dual', nodes: MAX_NODES });
    const networks = planTopology(wide).podNetworks;
    const subnets = initialNodes(wide).flatMap((node) => node.podCidrs);
    expect(subnets).toHaveLength(2 * MAX_NODES);
    expect(subnets.every((subnet) => networks.some((network) => cidrContains(network, subnet.ip)))).toBe(true);
    expect(new Set(subnets.map(formatCidr)).size).toBe(subnets.length);
    expect(subnets.slice(0, 8).some((a, i) => subnets.slice(i + 1).some((b) => cidrsOverlap(a, b)))).toBe(false);
  });
});

describe('planTopology', () => {
  test('each segment has a bridge with the gateway on it', () => {
    const { segments, underlayNamespace, outside } = planTopology(spec({ segments: 2 }));
    expect(underlayNamespace).toBe('canal-lab.underlay');
    expect(segments.map((one) => [one.bridge, ...one.gateways.map(formatInterfaceAddress)])).toEqual([
      ['br1', '192.168.77.1/24'],
      ['br2', '192.168.78.1/24'],
    ]);
    expect(outside.map(formatIp)).toEqual(['198.51.100.1']);
  });
});

test.each([
  [3, 1, [1, 1, 1]],
  [3, 2, [1, 1, 2]],
  [4, 2, [1, 1, 2, 2]],
  [2, 2, [1, 2]],
])('%i nodes on %i segments', (nodes, segments, expected) => {
  expect(initialNodes(spec({ nodes, segments })).map((node) => node.segment)).toEqual(expected);
});

test('the name of a pod namespace holds lab, node and pod, and never meets that of another lab', () => {
  expect(podNetworkNamespace('lab', 'node1', { namespace: 'default', name: 'web' })).toBe('canal-lab.node1.web');
  expect(podNetworkNamespace('lab', 'node1', { namespace: 'blue', name: 'web' })).toBe('canal-lab.node1.blue.web');
  expect('canal-lab-2.node1'.startsWith('canal-lab.')).toBe(false);
});
