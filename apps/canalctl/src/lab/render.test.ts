import {
  type LabStatus,
  type LabTopology,
  type NodeStatus,
  parseLabSpec,
  type PingMatrix,
  planTopology,
  type PodRecord,
} from '@canal/lab';
import { parseCidr, parseInterfaceAddress, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { renderMatrix } from './render-matrix.ts';
import { renderStatus, renderTroubles } from './render-status.ts';

const ip = (text: string) => unwrap(parseIp(text));
const cidr = (text: string) => unwrap(parseCidr(text));

const spec = (() => {
  const parsed = parseLabSpec({ directRouting: true });
  if (!parsed.ok) throw new Error('spec');
  return parsed.value;
})();
const topology: LabTopology = planTopology(spec);
const running = { running: true, pid: 42, residentBytes: 50 * 2 ** 20 };
const adminApi = { running: true, pid: 41, residentBytes: 60 * 2 ** 20, address: 'https://127.0.0.1:40001' };
const dead = { running: false, pid: undefined, residentBytes: undefined };

const pod = (name: string, node: string, address: string): PodRecord => ({
  node,
  namespace: 'default',
  name,
  uid: 'u',
  containerId: 'c',
  netns: `canal-lab.${node}.${name}`,
  ips: [ip(address)],
});

function node(number: number, segment: number, tweak: Partial<NodeStatus> = {}): NodeStatus {
  return {
    name: `node${number}`,
    namespace: `canal-lab.node${number}`,
    segment,
    addresses: [unwrap(parseInterfaceAddress(`192.168.77.1${number}/24`))],
    podCidrs: [cidr(`10.244.${number}.0/24`)],
    agent: running,
    policyAgent: undefined,
    networkAvailable: true,
    peers: [],
    pods: [],
    ...tweak,
  };
}

function status(nodes: readonly NodeStatus[], tweak: Partial<LabStatus> = {}): LabStatus {
  return { spec, healthy: true, apiServer: running, apiError: undefined, adminApi, nodes, ...tweak };
}

test('the picture shows segments, nodes, pods and how each peer is reached', () => {
  const peers = [
    { node: 'node2', destination: cidr('10.244.2.0/24'), via: { link: 'eth0', gateway: ip('192.168.77.12') } },
    { node: 'node3', destination: cidr('10.244.3.0/24'), via: { link: 'flannel.1', gateway: ip('10.244.3.0') } },
  ];
  const pods = [pod('pod1', 'node1', '10.244.1.2'), pod('pod2', 'node1', '10.244.1.3')];
  const policed = { policyAgent: { ...running, pid: 43 } };
  expect(renderStatus(status([node(1, 1, { peers, pods }), node(2, 1, policed), node(3, 2)]), topology)).toBe(
    `lab lab: 3 nodes, vxlan with DirectRouting, ipv4, routed pods; API server pid 42, 50 MB
admin API https://127.0.0.1:40001  pid 41, 60 MB

  outside the cluster  198.51.100.1
  ╞══ br1  192.168.77.1/24   segment 1
  │   ├── node1  192.168.77.11   pods 10.244.1.0/24   flanneld pid 42, 50 MB
  │   │    ├─ pod1  10.244.1.2
  │   │    └─ pod2  10.244.1.3
  │   └── node2  192.168.77.12   pods 10.244.2.0/24   flanneld pid 42, 50 MB   policy-agent pid 43, 50 MB
  ╘══ br2  192.168.78.1/24   segment 2
      └── node3  192.168.77.13   pods 10.244.3.0/24   flanneld pid 42, 50 MB

how each kernel reaches the pods of the others
  node1  → node2  10.244.2.0/24  direct  via 192.168.77.12 dev eth0
  node1  → node3  10.244.3.0/24  vxlan   via 10.244.3.0 dev flannel.1
`,
  );
});

test('many nodes are summed up', () => {
  const via = { link: 'flannel.1', gateway: undefined };
  const peers = Array.from({ length: 25 }, (_, i) => ({ node: `n${i}`, destination: cidr('10.244.9.0/24'), via }));
  expect(renderStatus(status([node(1, 1, { peers })]), topology)).toContain(
    '  node1  25 by vxlan  0 direct  0 without a route\n',
  );
});

test('the name of a device is what the kernel says: it cannot steer the terminal', () => {
  const via = { link: 'eth\u001b[2J', gateway: undefined };
  const peers = [{ node: 'node2', destination: cidr('10.244.2.0/24'), via }];
  expect(renderStatus(status([node(1, 1, { peers })]), topology)).toContain('direct  dev eth\\u{1b}[2J\n');
});

describe('each fault is a line with the next step', () => {
  const missing = [{ node: 'node2', destination: cidr('10.244.2.0/24'), via: undefined }];
  test.each<[string, LabStatus, RegExp[]]>([
    ['nothing wrong', status([node(1, 1)]), []],
    [
      'API server dead',
      status([node(1, 1)], { apiServer: dead, apiError: 'refused' }),
      [/API server is not running; .*lab up/],
    ],
    [
      'API server silent',
      status([node(1, 1)], { apiError: 'time\u001b[2Jout' }),
      [/does not answer: time\\u\{1b\}\[2Jout$/],
    ],
    [
      'admin API dead',
      status([node(1, 1)], { adminApi: { ...dead, address: undefined } }),
      [/admin API is not running .*admin-api.log.*lab up/],
    ],
    [
      'admin API not there yet',
      status([node(1, 1)], { adminApi: { ...adminApi, address: undefined } }),
      [/admin API does not serve yet/],
    ],
    [
      'agent dead',
      status([node(1, 1, { agent: dead })]),
      [/node1: its flanneld is not running .*flanneld.log.*lab up/],
    ],
    [
      'network not ready',
      status([node(1, 1, { networkAvailable: false })]),
      [/node1: its network is not ready; see .*log/],
    ],
    [
      'policy agent dead',
      status([node(1, 1, { policyAgent: dead })]),
      [/node1: its policy-agent is not running .*policy-agent.log.*lab up/],
    ],
    [
      'both agents dead',
      status([node(1, 1, { agent: dead, policyAgent: dead })]),
      [/node1: its flanneld is not running/, /node1: its policy-agent is not running/],
    ],
    ['no route', status([node(1, 1, { peers: missing })]), [/node1: no route to the pods of node2; see/]],
  ])('%s', (_name, given, expected) => {
    const lines = renderTroubles(given);
    expect(lines).toHaveLength(expected.length);
    for (const [index, one] of expected.entries()) expect(lines[index]).toMatch(one);
  });
});

describe('the ping matrix', () => {
  const [a, b] = [pod('a', 'node1', '10.244.1.2'), pod('b', 'node2', '10.244.2.2')];
  const good = { from: a, to: b, family: 4, result: { ok: true, rttMs: 0.123 } } as const;
  const lost = { from: b, to: a, family: 4, result: { ok: false, reason: 'timeout' } } as const;
  const matrix = (cells: PingMatrix['cells']): PingMatrix => ({
    pods: [a, b],
    families: [4],
    cells,
    lost: cells.filter((cell) => !cell.result.ok).length,
  });

  test('shows times, and names what is lost', () => {
    expect(renderMatrix(matrix([good, lost])))
      .toBe(`every pod pings every pod over IPv4: 2 pairs, 1 lost, median 0.12 ms, worst 0.12 ms
  ms         a     b
  a (node1)  -     0.12
  b (node2)  LOST  -
lost: b (node2) → a (node1) over IPv4: timeout
`);
  });

  test('of one pod has nothing to show', () => {
    expect(renderMatrix({ pods: [a], families: [], cells: [], lost: 0 })).toBe('no two pods to ping each other\n');
  });

  test('of many pods is a sum and the first losses', () => {
    const pods = Array.from({ length: 13 }, (_, i) => pod(`p${i}`, 'node1', `10.244.1.${i + 2}`));
    const cells = pods.slice(1).map((to) => ({ ...lost, from: pods[0] ?? a, to }));
    const text = renderMatrix({ pods, families: [4], cells, lost: cells.length });
    expect(text.split('\n')).toHaveLength(1 + 10 + 1 + 1);
    expect(text).toContain('lost: and 2 more');
  });
});
