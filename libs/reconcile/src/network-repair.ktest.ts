/** What others break comes back within a second, by the kernel's events alone; what is theirs stays. Times are printed. */
import { createLinuxKernel } from '@canal/kernel-linux';
import type { Clock } from '@canal/runtime-port';
import { createCapturedLogger, createNodeWorld, type NodeWorld, waitFor, type WorldNode } from '@canal/testing';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BackendName, introduce, TestAgent } from './testing/test-agent.ts';

const LIMIT_MS = 1_000;

interface Tampering {
  readonly what: string;
  readonly break: readonly string[];
  /** A program that succeeds, with `words` in its output, once it is repaired. */
  readonly probe: readonly string[];
  readonly words: string;
}

/** On node 1 of a dual-stack vxlan cluster with DirectRouting: node 2 is routed to, node 3 is behind the tunnel. */
const TAMPERINGS: readonly Tampering[] = [
  ...(['4', '6'] as const).flatMap((family): Tampering[] => {
    const v6 = family === '6';
    const tunnel = v6 ? 'flannel-v6.1' : 'flannel.1';
    const near = v6 ? 'fd00:10:244:2::/64' : '10.244.2.0/24';
    const far = v6 ? 'fd00:10:244:3::/64' : '10.244.3.0/24';
    const base = v6 ? 'fd00:10:244:3::' : '10.244.3.0';
    const own = v6 ? 'fd00:10:244:1::/64' : '10.244.1.0/24';
    const ownBase = v6 ? 'fd00:10:244:1::/128' : '10.244.1.0/32';
    const pod = v6 ? 'fd00:10:244:1::5' : '10.244.1.5';
    const ip = ['ip', `-${family}`];
    return [
      {
        what: 'direct route',
        break: [...ip, 'route', 'del', near],
        probe: [...ip, 'route', 'show', near],
        words: 'proto 203',
      },
      {
        what: 'tunnel route',
        break: [...ip, 'route', 'del', far],
        probe: [...ip, 'route', 'show', far],
        words: 'proto 203',
      },
      {
        what: 'blackhole',
        break: [...ip, 'route', 'del', 'blackhole', own],
        probe: [...ip, 'route', 'show', own],
        words: 'blackhole',
      },
      {
        what: 'pod route',
        break: [...ip, 'route', 'del', pod],
        probe: [...ip, 'route', 'show', pod],
        words: 'proto 204',
      },
      {
        what: 'peer neighbour',
        break: [...ip, 'neigh', 'del', base, 'dev', tunnel],
        probe: [...ip, 'neigh', 'show', base],
        words: 'PERMANENT',
      },
      {
        what: 'pod device switched off',
        break: ['ip', 'link', 'set', 'cnl00000000001', 'down'],
        probe: [...ip, 'route', 'show', pod],
        words: 'proto 204',
      },
      {
        what: 'pod device switched off, neighbour',
        break: ['ip', 'link', 'set', 'cnl00000000001', 'down'],
        probe: [...ip, 'neigh', 'show', pod],
        words: 'PERMANENT',
      },
      {
        what: 'pod neighbour',
        break: [...ip, 'neigh', 'del', pod, 'dev', 'cnl00000000001'],
        probe: [...ip, 'neigh', 'show', pod],
        words: 'PERMANENT',
      },
      {
        what: 'forwarding entries',
        break: ['bridge', 'fdb', 'flush', 'dev', tunnel, 'self', 'permanent'],
        probe: ['bridge', 'fdb', 'show', 'dev', tunnel],
        words: 'permanent',
      },
      {
        what: 'address',
        break: ['ip', 'addr', 'del', ownBase, 'dev', tunnel],
        probe: ['ip', 'addr', 'show', 'dev', tunnel],
        words: ownBase,
      },
      { what: 'device', break: ['ip', 'link', 'del', tunnel], probe: [...ip, 'route', 'show', far], words: tunnel },
      {
        what: 'device renamed',
        break: ['sh', '-c', `ip link set ${tunnel} down && ip link set ${tunnel} name wrong`],
        probe: [...ip, 'route', 'show', far],
        words: tunnel,
      },
      {
        what: 'device switched off',
        break: ['ip', 'link', 'set', tunnel, 'down'],
        probe: [...ip, 'route', 'show', far],
        words: tunnel,
      },
      {
        what: 'device MTU',
        break: ['ip', 'link', 'set', tunnel, 'mtu', '1300'],
        probe: ['ip', 'link', 'show', tunnel],
        words: v6 ? 'mtu 1430' : 'mtu 1450',
      },
      {
        what: 'device MAC',
        break: ['ip', 'link', 'set', tunnel, 'address', '02:00:00:00:99:99'],
        probe: [...ip, 'neigh', 'show', base],
        words: 'PERMANENT',
      },
      {
        what: 'learning switched on',
        break: ['ip', 'link', 'set', tunnel, 'type', 'vxlan', 'id', '1', 'learning'],
        probe: ['ip', '-d', 'link', 'show', tunnel],
        words: 'nolearning',
      },
      {
        what: 'mark of the device',
        break: ['ip', 'link', 'set', tunnel, 'alias', ''],
        probe: ['ip', 'link', 'show', tunnel],
        words: 'alias canal',
      },
    ];
  }),
  {
    what: 'nexthop objects',
    break: ['ip', 'nexthop', 'flush', 'proto', '203'],
    probe: ['ip', 'route', 'show', '10.244.3.0/24'],
    words: 'nhid',
  },
  {
    what: 'IPv6 routes flushed',
    break: ['ip', '-6', 'route', 'flush', 'proto', '203'],
    probe: ['ip', '-6', 'route', 'show', 'fd00:10:244:3::/64'],
    words: 'flannel-v6.1',
  },
  {
    what: 'route replaced by another',
    break: ['ip', 'route', 'replace', '10.244.3.0/24', 'via', '10.244.3.0', 'dev', 'flannel.1', 'onlink'],
    probe: ['ip', 'route', 'show', '10.244.3.0/24'],
    words: 'nhid',
  },
  {
    what: 'IPv4 forwarding of a device',
    break: ['sysctl', '-qw', 'net.ipv4.conf.flannel/1.forwarding=0'],
    probe: ['sysctl', 'net.ipv4.conf.flannel/1.forwarding'],
    words: '= 1',
  },
  {
    what: 'IPv4 forwarding',
    break: ['sysctl', '-qw', 'net.ipv4.ip_forward=0'],
    probe: ['sysctl', 'net.ipv4.ip_forward'],
    words: '= 1',
  },
  {
    what: 'IPv6 of a device',
    break: ['sysctl', '-qw', 'net.ipv6.conf.flannel-v6/1.disable_ipv6=1'],
    probe: ['ip', '-6', 'route', 'show', 'fd00:10:244:3::/64'],
    words: 'flannel-v6.1',
  },
  {
    what: 'device, where new ones are born without IPv6',
    break: ['sh', '-c', 'sysctl -qw net.ipv6.conf.default.disable_ipv6=1 && ip link del flannel-v6.1'],
    probe: ['ip', '-6', 'route', 'show', 'fd00:10:244:3::/64'],
    words: 'flannel-v6.1',
  },
  {
    what: 'IPv6 forwarding',
    break: ['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0'],
    probe: ['sysctl', 'net.ipv6.conf.all.forwarding'],
    words: '= 1',
  },
];

let stack = new DisposableStack();
let world: NodeWorld;
let agents: TestAgent[];

beforeEach(async () => {
  stack = new DisposableStack();
  world = stack.use(createNodeWorld());
  agents = world.nodes.map((node) => stack.use(testAgent(node, 'direct', [4, 6])));
  await introduce(agents);
});
afterEach(() => {
  stack.dispose();
});

describe('tampering', () => {
  test(`each kind of object is back within ${LIMIT_MS} ms`, async () => {
    const [agent] = agents;
    const [node] = world.nodes;
    if (agent === undefined) throw new Error('no agent');
    const loop = await agent.start();
    await waitFor('the first turn', () => loop.health().inSync);
    const times: string[] = [];
    for (const { what, break: command, probe, words } of TAMPERINGS) {
      const isWhole = (): boolean => {
        const { stdout, exitCode } = node.netns.exec(probe);
        return exitCode === 0 && stdout.includes(words);
      };
      await waitFor(`${what} before`, isWhole);
      await quiet(agent);
      node.netns.run(command);
      const beganMs = performance.now();
      await waitFor(`${what} repaired`, isWhole);
      const tookMs = performance.now() - beganMs;
      times.push(`${String(Math.round(tookMs)).padStart(5)} ms  ${what} (${command.slice(0, 2).join(' ')})`);
      expect([what, tookMs < LIMIT_MS]).toEqual([what, true]);
    }
    process.stderr.write(`time to repair:\n${times.join('\n')}\n`);
    await agent.stop();
    // All is as one pass over an untouched node would leave it.
    expect((await agent.turn()).performed).toEqual([]);
  });

  test('a cable that is pulled and plugged in: the routes that the kernel takes away with the carrier return', async () => {
    const [agent] = agents;
    const [node] = world.nodes;
    if (agent === undefined) throw new Error('no agent');
    const loop = await agent.start();
    await waitFor('the first turn', () => loop.health().inSync);
    world.underlay.run(['ip', 'link', 'set', 'node1', 'down']);
    await waitFor('the route is gone', () => !node.netns.run(['ip', 'route']).includes('10.244.2.0/24'));
    world.underlay.run(['ip', 'link', 'set', 'node1', 'up']);
    const beganMs = performance.now();
    await waitFor('the route is back', () => node.netns.run(['ip', 'route']).includes('10.244.2.0/24'));
    process.stderr.write(`direct route after the carrier came back: ${Math.round(performance.now() - beganMs)} ms\n`);
    await agent.stop();
  });
});

/** Until the agent has had nothing to do for three minimum intervals. */
async function quiet(agent: TestAgent): Promise<void> {
  let turns = -1;
  while (turns !== agent.reports.length) {
    turns = agent.reports.length;
    await setTimeout(150);
  }
}

describe('a restarted agent', () => {
  test('removes what peers left that went away meanwhile, of both families, and nothing else', async () => {
    const [agent] = agents;
    const [node] = world.nodes;
    if (agent === undefined) throw new Error('no agent');
    await agent.turn();
    node.netns.run(['ip', 'route', 'add', '172.31.0.0/16', 'via', '192.0.2.254']);
    node.netns.run(['ip', 'route', 'add', '10.99.0.0/16', 'via', '192.0.2.254', 'proto', 'static']);
    const foreign = node.netns.run(['ip', 'route', 'show', 'proto', 'static']);
    agent.peers = agent.peers.filter(({ name }) => name !== 'node-3');
    agent.inSync = false;
    expect((await agent.turn()).performed).toEqual([]);
    agent.inSync = true;
    expect((await agent.turn()).performed.map(({ type }) => type)).toEqual([
      'route-delete',
      'route-delete',
      'nexthop-delete',
      'neighbour-delete',
      'neighbour-delete',
      'fdb-delete',
      'fdb-delete',
    ]);
    expect(node.netns.run(['ip', 'route', 'show', '172.31.0.0/16'])).toContain('via 192.0.2.254');
    expect(node.netns.run(['ip', 'route', 'show', 'proto', 'static'])).toBe(foreign);
    for (const family of ['-4', '-6']) {
      expect(node.netns.run(['ip', family, 'route', 'show', 'proto', '203'])).not.toContain(':3::/64');
      expect(node.netns.run(['ip', family, 'route', 'show', 'proto', '203'])).not.toContain('10.244.3.0');
    }
  });

  test("a foreign route in a peer's place stays and is reported; when it goes, ours comes", async () => {
    const [agent] = agents;
    const [node] = world.nodes;
    if (agent === undefined) throw new Error('no agent');
    node.netns.run(['ip', 'route', 'add', '10.244.3.0/24', 'via', '192.0.2.254', 'proto', 'static']);
    const report = await agent.turn();
    expect(report.failures).toEqual([]);
    expect(report.conflicts.map(({ code, message }) => [code, message.includes('proto 4')])).toEqual([
      ['RouteTaken', true],
    ]);
    expect(node.netns.run(['ip', 'route', 'show', '10.244.3.0/24'])).toContain('proto static');
    node.netns.run(['sh', '-c', report.conflicts[0]?.cure.split(': ')[1] ?? 'false']);
    expect((await agent.turn()).conflicts).toEqual([]);
    expect(node.netns.run(['ip', 'route', 'show', '10.244.3.0/24'])).toContain('proto 203');
  });

  test('a foreign route put in front of ours is reported, with the command that takes it away', async () => {
    const [agent] = agents;
    const [node] = world.nodes;
    if (agent === undefined) throw new Error('no agent');
    node.netns.run(['ip', 'route', 'prepend', '10.244.3.0/24', 'via', '192.0.2.254', 'proto', 'static']);
    const report = await agent.turn();
    expect(report).toMatchObject({ failures: [], conflicts: [{ code: 'RouteTaken' }] });
    node.netns.run(['sh', '-c', report.conflicts[0]?.cure.split(': ')[1] ?? 'false']);
    expect(await agent.turn()).toMatchObject({ failures: [], conflicts: [] });
    expect(node.netns.run(['ip', 'route', 'show', '10.244.3.0/24'])).toContain('proto 203');
  });

  test('a device of another kind under our name stays and is reported', async () => {
    const [agent] = agents;
    const [node] = world.nodes;
    if (agent === undefined) throw new Error('no agent');
    node.netns.run(['ip', 'link', 'add', 'flannel.1', 'type', 'bridge']);
    const report = await agent.turn();
    expect(report.failures).toEqual([]);
    expect(report.conflicts).toMatchObject([{ code: 'LinkTaken' }]);
    expect(node.netns.run(['ip', '-d', 'link', 'show', 'flannel.1'])).toContain('bridge');
  });

  test('takes over what flannel left: the device as it is, its routes, not those of gone peers', async () => {
    const [agent] = agents;
    const [node] = world.nodes;
    if (agent === undefined) throw new Error('no agent');
    const flannel = [
      'ip link add flannel.1 address 02:aa:bb:cc:dd:ee mtu 1450 type vxlan id 1 dev eth0 local 192.0.2.1 dstport 8472 nolearning',
      'ip addr add 10.244.1.0/32 dev flannel.1',
      'ip link set flannel.1 up',
      'ip route add 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink',
      'ip route add 10.244.9.0/24 via 10.244.9.0 dev flannel.1 onlink',
      'ip neigh add 10.244.9.0 lladdr 02:00:00:00:00:09 nud permanent dev flannel.1',
      'bridge fdb add 02:00:00:00:00:09 dst 192.0.2.9 dev flannel.1 self permanent',
    ];
    for (const command of flannel) node.netns.run(command.split(' '));
    const [before] = node.netns.json(['ip', '-j', 'link', 'show', 'flannel.1']) as { ifindex: number }[];
    const report = await agent.turn();
    expect(report).toMatchObject({ failures: [], conflicts: [] });
    const [after] = node.netns.json(['ip', '-j', 'link', 'show', 'flannel.1']) as {
      ifindex: number;
      ifalias: string;
    }[];
    expect(after).toMatchObject({ ifindex: before?.ifindex, ifalias: 'canal' });
    expect(node.netns.run(['ip', 'route', 'show', '10.244.3.0/24'])).toContain('proto 203');
    expect(node.netns.run(['ip', 'route', 'show', '10.244.9.0/24'])).toBe('');
    expect(node.netns.run(['ip', 'neigh', 'show', '10.244.9.0'])).toBe('');
    expect(node.netns.run(['bridge', 'fdb', 'show', 'dev', 'flannel.1'])).not.toContain('192.0.2.9');
    expect((await agent.turn()).performed).toEqual([]);
  });

  test('a node that becomes an IPv6 router keeps the default route that it has from router advertisements', async () => {
    const [agent] = agents;
    const [node] = world.nodes;
    if (agent === undefined) throw new Error('no agent');
    const acceptRa = (): string => node.netns.run(['sysctl', '-n', 'net.ipv6.conf.eth0.accept_ra']).trim();
    node.netns.run(['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0']);
    expect(acceptRa()).toBe('1');
    node.netns.run(['ip', '-6', 'route', 'add', 'default', 'via', '2001:db8::fe', 'proto', 'ra', 'metric', '2048']);
    await agent.turn();
    expect(node.netns.run(['sysctl', '-n', 'net.ipv6.conf.all.forwarding']).trim()).toBe('1');
    expect(acceptRa()).toBe('2');
  });
});

const CLOCK: Clock = {
  nowMs: () => performance.now(),
  sleep: (delayMs, signal) => setTimeout(delayMs, undefined, signal === undefined ? {} : { signal }),
};

function testAgent(node: WorldNode, backend: BackendName, families: readonly (4 | 6)[]): TestAgent {
  const kernel = createLinuxKernel({ netns: node.netns.path });
  return new TestAgent({ kernel, clock: CLOCK, log: createCapturedLogger() }, node, backend, families);
}
