/**
 * Three nodes with the programs that ship, for each backend, address family and pod mode: every pod reaches every pod,
 * and the wire between the nodes carries what the backend promises.
 */
import { formatIp, type Ip, ipFamily } from 'net-types';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lab } from './lab.ts';
import { type LabFamily, type LabSpec } from './lab-spec.ts';
import { inNamespace } from './namespaces.ts';
import { probeFlow } from './flow-probe.ts';
import { describeLosses, pingMatrix } from './ping-matrix.ts';
import { type PodRecord } from './sandboxes.ts';
import { startCapture } from './testing/capture.ts';
import { createTestLab } from './testing/test-lab.ts';

const BACKENDS = [
  { name: 'vxlan', backend: 'vxlan', directRouting: false },
  { name: 'vxlan with DirectRouting', backend: 'vxlan', directRouting: true },
  { name: 'host-gw', backend: 'host-gw', directRouting: false },
] as const;
const FAMILIES: readonly LabFamily[] = ['ipv4', 'dual', 'ipv6'];
const MODES: readonly LabSpec['podMode'][] = ['routed', 'bridge'];

const CASES = BACKENDS.flatMap(({ name, ...backend }) =>
  FAMILIES.flatMap((ipFamily) =>
    MODES.map((podMode) => ({ name: `${name}, ${ipFamily}, ${podMode}`, ...backend, ipFamily, podMode })),
  ),
);

describe.each(CASES)('$name', ({ name: _name, ...spec }) => {
  let lab: Lab;
  let pods: readonly PodRecord[];

  beforeAll(async () => {
    lab = await createTestLab(spec);
    pods = lab.pods();
  });
  afterAll(async () => {
    await lab.down();
  });

  /** Pods of two nodes that share a segment, and of two that do not (or the same, where there is one segment). */
  const near = (): [PodRecord, PodRecord] => [podOf('node1'), podOf('node2')];
  const far = (): [PodRecord, PodRecord] => [podOf('node1'), podOf('node3')];
  const podOf = (node: string): PodRecord => pods.find((pod) => pod.node === node) ?? fail(`no pod on ${node}`);
  const ownAddress = (pod: PodRecord, to: Ip): Ip =>
    pod.ips.find((ip) => ipFamily(ip) === ipFamily(to)) ?? fail('no address of that family');

  test('every pod pings every pod', async () => {
    expect(pods).toHaveLength(6);
    const matrix = await pingMatrix(pods);
    expect(describeLosses(matrix)).toEqual([]);
    expect(matrix.cells).toHaveLength(6 * 5 * (spec.ipFamily === 'dual' ? 2 : 1));
  });

  test('packets of the largest size pass, also encapsulated', async () => {
    const mtu = deviceMtu(podOf('node1'));
    expect(mtu).toBe(expectedMtu(spec));
    const [ipHeader, icmpHeader] = [spec.ipFamily === 'ipv4' ? 20 : 40, 8];
    const family = spec.ipFamily === 'ipv4' ? 4 : 6;
    const only = [...near(), ...far()].map((pod) => ({ ...pod, ips: pod.ips.filter((ip) => ipFamily(ip) === family) }));
    const matrix = await pingMatrix([...new Map(only.map((pod) => [pod.netns, pod])).values()], {
      payloadBytes: mtu - ipHeader - icmpHeader,
    });
    expect(describeLosses(matrix)).toEqual([]);
  });

  test.each(['tcp', 'udp'] as const)(
    '%s flows between nodes and on one node, and no address is translated',
    async (protocol) => {
      const [a, b] = near();
      const c = far()[1];
      const neighbour = pods.find((pod) => pod.node === a.node && pod !== a) ?? fail('no second pod');
      for (const [from, to] of [
        [a, b],
        [b, a],
        [a, c],
        [a, neighbour],
      ] as const) {
        for (const ip of to.ips) {
          const result = await probeFlow({ protocol, client: from.netns, server: to.netns, to: ip });
          expect(result).toMatchObject({ ok: true, seenSource: ownAddress(from, ip) });
        }
      }
    },
  );

  test.each([
    // More than a sender's socket holds: what is still on the way at the end is not counted.
    ['tcp', ['-n', '16M']],
    ['udp', ['-n', '1M', '-u', '-b', '200M', '-l', '1200']],
  ])('iperf3 carries %s', async (_protocol, options) => {
    const [client, server] = far();
    for (const ip of server.ips) {
      const { received, sent } = await iperf(client, server, ip, options);
      expect(sent).toBeGreaterThanOrEqual(1_000_000);
      // The server stops counting when the client says that it is done, and two busy cores may drop datagrams.
      expect(received).toBeGreaterThan(100_000);
    }
  });

  test('the wire carries what the backend promises', async () => {
    await using capture = await startCapture(lab.topology.underlayNamespace, 'icmp or icmp6 or udp port 8472');
    const [a, b] = near();
    const c = far()[1];
    await pingMatrix([a, b, c]);
    const packets = await capture.packets();
    for (const [from, to] of [
      [a, b],
      [a, c],
    ] as const) {
      for (const ip of to.ips) {
        const inner = `${formatIp(ownAddress(from, ip))} > ${formatIp(ip)}: ICMP${ipFamily(ip) === 6 ? '6,' : ''} echo request`;
        const carrying = packets.filter((packet) => packet.includes(inner));
        const tunnelled = spec.backend === 'vxlan' && !(spec.directRouting && to === b);
        expect({ inner, seen: carrying.length > 0 }).toEqual({ inner, seen: true });
        const otherwise = carrying.filter(
          (packet) => /VXLAN, flags \[I\] \(0x08\), vni 1 \|/.test(packet) !== tunnelled,
        );
        expect(otherwise).toEqual([]);
      }
    }
    if (spec.backend === 'host-gw') expect(packets.filter((packet) => /\.8472:/.test(packet))).toEqual([]);
  });

  test('what leaves the cluster has the address of the node', async () => {
    const [pod] = near();
    const node = lab.nodes().find((one) => one.name === pod.node) ?? fail('no node');
    for (const outside of lab.topology.outside) {
      const nodeIp = node.addresses.find(({ ip }) => ipFamily(ip) === ipFamily(outside))?.ip;
      for (const protocol of ['tcp', 'udp'] as const) {
        const result = await probeFlow({
          protocol,
          client: pod.netns,
          server: lab.topology.underlayNamespace,
          to: outside,
        });
        expect(result).toMatchObject({ ok: true, seenSource: nodeIp });
      }
    }
  });
});

test('the table holds each combination once', () => {
  expect(new Set(CASES.map((one) => one.name)).size).toBe(18);
});

function fail(message: string): never {
  throw new Error(message);
}

/** Underlay 1500 less what the widest encapsulation of the cluster takes: 50 over IPv4, 70 over IPv6. */
function expectedMtu({ backend, ipFamily }: Pick<LabSpec, 'backend' | 'ipFamily'>): number {
  if (backend === 'host-gw') return 1500;
  return ipFamily === 'ipv4' ? 1450 : 1430;
}

/** As the second tool reads it. */
function deviceMtu(pod: PodRecord): number {
  const text = inNamespace(pod.netns, () => Bun.spawnSync(['ip', '-j', 'link', 'show', 'eth0']).stdout.toString());
  const [link] = JSON.parse(text) as { mtu: number }[];
  return link?.mtu ?? 0;
}

interface Transfer {
  readonly sent: number;
  readonly received: number;
}

/** A megabyte or more from client to server, as iperf3 counts it. */
async function iperf(client: PodRecord, server: PodRecord, to: Ip, options: readonly string[]): Promise<Transfer> {
  const listening = inNamespace(server.netns, () =>
    Bun.spawn(['iperf3', '-s', '-1', '-p', '5201', '--forceflush'], { stdout: 'pipe', stderr: 'ignore' }),
  );
  try {
    const reader = listening.stdout.getReader();
    for (let seen = ''; !seen.includes('listening');) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the iperf3 server has ended: ${seen}`);
      seen += new TextDecoder().decode(value);
    }
    const child = inNamespace(client.netns, () =>
      Bun.spawn(['iperf3', '-c', formatIp(to), '-p', '5201', '-J', ...options], { stdout: 'pipe' }),
    );
    const report = JSON.parse(await new Response(child.stdout).text()) as IperfReport;
    const { sum_sent, sum_received, sum } = report.end ?? {};
    if (report.error !== undefined) throw new Error(`iperf3: ${report.error}`);
    const lost = ((sum?.lost_percent ?? 0) / 100) * (sum?.bytes ?? 0);
    return {
      sent: sum_sent?.bytes ?? sum?.bytes ?? 0,
      received: sum === undefined ? (sum_received?.bytes ?? 0) : sum.bytes - lost,
    };
  } finally {
    listening.kill('SIGKILL');
    await listening.exited;
  }
}

interface IperfReport {
  readonly error?: string;
  readonly end?: {
    readonly sum_sent?: { readonly bytes: number };
    readonly sum_received?: { readonly bytes: number };
    /** UDP. */
    readonly sum?: { readonly bytes: number; readonly lost_percent: number };
  };
}
