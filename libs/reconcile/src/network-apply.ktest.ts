/** What each backend leaves in a real kernel, judged by iproute2 and by packets. */
import { formatCidr } from 'net-types';
import { createLinuxKernel } from '@canal/kernel-linux';
import type { Clock } from '@canal/runtime-port';
import { createCapturedLogger, createNodeWorld, type NodeWorld, waitFor, type WorldNode } from '@canal/testing';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type BackendName, introduce, TestAgent } from './testing/test-agent.ts';

let stack = new DisposableStack();
afterEach(() => {
  stack.dispose();
  stack = new DisposableStack();
});

async function cluster(
  backend: BackendName,
  families: readonly (4 | 6)[],
): Promise<{ world: NodeWorld; agents: [TestAgent, TestAgent, TestAgent] }> {
  const world = stack.use(createNodeWorld());
  const agentOf = (node: WorldNode): TestAgent => stack.use(testAgent(node, backend, families));
  const agents: [TestAgent, TestAgent, TestAgent] = [
    agentOf(world.nodes[0]),
    agentOf(world.nodes[1]),
    agentOf(world.nodes[2]),
  ];
  await introduce(agents);
  for (const agent of agents) expect(await agent.turn()).toMatchObject({ failures: [], readOnlySysctls: [] });
  return { world, agents };
}

/** A route or nexthop object as `ip -j` prints it. */
interface IpWay {
  readonly gateway?: string;
  readonly dev?: string;
  readonly flags?: readonly string[];
}

interface IpRoute extends IpWay {
  readonly dst: string;
  readonly type?: string;
  readonly nhid?: number;
  readonly metric?: number;
  readonly protocol: string;
}

/** Routes of canal's protocols as `ip` tells them, without what the kernel adds. */
function routes(node: WorldNode, family: 4 | 6): string[] {
  const list = node.netns.json(['ip', '-j', `-${family}`, 'route', 'show', 'table', 'main']) as IpRoute[];
  const nexthops = node.netns.json(['ip', '-j', 'nexthop']) as (IpWay & { readonly id: number })[];
  return list
    .filter(({ protocol }) => protocol === '203' || protocol === '204')
    .map((route) => {
      const { dev = '', gateway, flags = [] } = nexthops.find(({ id }) => id === route.nhid) ?? route;
      const words = [
        route.dst,
        ...(route.nhid === undefined ? [] : ['nhid']),
        ...(gateway === undefined ? [] : ['via', gateway]),
        ...(route.type === undefined ? ['dev', dev] : [route.type]),
        ...(flags.includes('onlink') ? ['onlink'] : []),
        ...(route.metric === 4294967295 ? ['worst'] : []),
        `proto ${route.protocol}`,
      ];
      return words.join(' ');
    })
    .sort();
}

function device(node: WorldNode, name: string): Record<string, unknown> | undefined {
  const [link] = node.netns.json(['ip', '-j', '-d', 'link', 'show', 'type', 'vxlan']) as Record<string, unknown>[];
  return link?.['ifname'] === name ? link : undefined;
}

function canPing(from: WorldNode, to: WorldNode, family: 4 | 6): boolean {
  const target = family === 4 ? `10.244.${to.number}.5` : `fd00:10:244:${to.number}::5`;
  // One answer within the deadline: a router's fresh IPv6 link is silent until duplicate detection is over.
  return from.pod.exec(['ping', '-c1', '-i0.2', '-w8', target]).exitCode === 0;
}

const FAMILIES = [
  { title: 'IPv4', families: [4] },
  { title: 'IPv6', families: [6] },
  { title: 'dual stack', families: [4, 6] },
] as const;

describe.each(FAMILIES)('$title', ({ families }) => {
  test.each(['vxlan', 'direct'] as const)('%s: every pod reaches every pod', async (backend) => {
    const { world } = await cluster(backend, families);
    for (const from of world.nodes) {
      for (const to of world.nodes) {
        for (const family of families) expect([from.number, to.number, canPing(from, to, family)]).toContain(true);
      }
    }
  });

  test('host-gw: neighbours reach each other; the one behind the router is told by name', async () => {
    const { world, agents } = await cluster('host-gw', families);
    const [one, two] = world.nodes;
    for (const family of families) expect(canPing(one, two, family) && canPing(two, one, family)).toBe(true);
    const { problems } = await agents[0].compile();
    expect(problems.map(({ code, peer }) => `${code} ${String(peer)}`)).toEqual(
      families.map(() => 'PeerNotAdjacent node-3'),
    );
  });

  test.each(['vxlan', 'direct', 'host-gw'] as const)(
    '%s: a second pass writes nothing, and the kernel sees nothing',
    async (backend) => {
      const { world, agents } = await cluster(backend, families);
      for (const [index, agent] of agents.entries()) {
        const node = world.nodes[index];
        if (node === undefined) continue;
        const events = await recordEvents(node);
        const report = await agent.turn();
        expect(report).toMatchObject({ performed: [], failures: [], conflicts: [] });
        // The recorder is known to have told all by what it tells of this.
        node.netns.run(['ip', 'link', 'set', 'lo', 'alias', 'end']);
        expect(await events()).toEqual(['lo']);
      }
    },
  );
});

/** A neighbour that the kernel heard of by itself, as a pod's end that asks for routers. What we write is permanent. */
const HEARD_OF = /^fe80::\S+ dev \S+ lladdr \S+ (?:router )?(?:REACHABLE|STALE|DELAY|PROBE) *$/;

/**
 * Everything that `ip monitor` tells until the alias of lo becomes `end`: the lines, `lo` for that one. It listens when
 * this resolves, and the node's link-local addresses have come out of duplicate detection, which the kernel tells as new
 * addresses and routes.
 */
async function recordEvents(node: WorldNode): Promise<() => Promise<string[]>> {
  const { process } = node.netns.within(() => ({
    process: Bun.spawn(['ip', '-d', '-o', 'monitor', 'link', 'address', 'route', 'neigh', 'nexthop'], {
      stdout: 'pipe',
    }),
  }));
  stack.defer(() => process.kill());
  let text = '';
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of process.stdout) text += decoder.decode(chunk, { stream: true });
  })();
  const setAlias = (alias: string): string => node.netns.run(['ip', 'link', 'set', 'lo', 'alias', alias]);
  let tries = 0;
  await waitFor('the monitor', () => {
    setAlias(`try${++tries}`);
    return text.includes('alias try');
  });
  await waitFor('addresses', () => node.netns.run(['ip', '-6', 'address', 'show', 'tentative']) === '');
  setAlias('begin');
  await waitFor('the beginning', () => /alias begin[^]*\n/.test(text));
  return async () => {
    await waitFor('the end', () => /alias end[^]*\n/.test(text));
    process.kill();
    await reading;
    const [, ...lines] = text.slice(text.indexOf('alias begin')).split('\n');
    return lines
      .filter((line) => line !== '' && !HEARD_OF.test(line))
      .map((line) => (line.includes('alias end') ? 'lo' : line));
  };
}

describe('what iproute2 shows', () => {
  test('vxlan, IPv4 and IPv6: devices', async () => {
    const { world } = await cluster('vxlan', [4, 6]);
    const [one] = world.nodes;
    const links = one.netns.json(['ip', '-j', '-d', 'link', 'show', 'type', 'vxlan']) as Record<string, unknown>[];
    expect(links.map(({ ifname, mtu, ifalias }) => `${String(ifname)} ${String(mtu)} ${String(ifalias)}`)).toEqual([
      'flannel.1 1450 canal',
      'flannel-v6.1 1430 canal',
    ]);
    expect(device(one, 'flannel.1')).toMatchObject({
      flags: expect.arrayContaining(['UP', 'LOWER_UP']) as unknown,
      linkinfo: {
        info_kind: 'vxlan',
        info_data: {
          id: 1,
          link: 'eth0',
          local: '192.0.2.1',
          port: 8472,
          learning: false,
          udp_csum: true,
          ageing: 300,
        },
      },
    });
    const addresses = one.netns.json(['ip', '-j', 'addr', 'show', 'dev', 'flannel-v6.1']) as {
      addr_info: { local: string; prefixlen: number; scope: string }[];
    }[];
    expect(addresses[0]?.addr_info.filter(({ scope }) => scope === 'global')).toMatchObject([
      { local: 'fd00:10:244:1::', prefixlen: 128 },
    ]);
  });

  test('vxlan: routes, neighbours, forwarding entries', async () => {
    const { world, agents } = await cluster('vxlan', [4, 6]);
    const [one] = world.nodes;
    expect(routes(one, 4)).toEqual([
      '10.244.1.0/24 blackhole worst proto 203',
      '10.244.1.5 dev cnl00000000001 proto 204',
      '10.244.2.0/24 nhid via 10.244.2.0 dev flannel.1 onlink proto 203',
      '10.244.3.0/24 nhid via 10.244.3.0 dev flannel.1 onlink proto 203',
    ]);
    expect(routes(one, 6)).toEqual([
      'fd00:10:244:1::/64 blackhole worst proto 203',
      'fd00:10:244:1::5 dev cnl00000000001 proto 204',
      'fd00:10:244:2::/64 via fd00:10:244:2:: dev flannel-v6.1 onlink proto 203',
      'fd00:10:244:3::/64 via fd00:10:244:3:: dev flannel-v6.1 onlink proto 203',
    ]);
    const { state } = await agents[0].compile();
    for (const name of ['flannel.1', 'flannel-v6.1']) {
      const fdb = one.netns.json(['bridge', '-j', 'fdb', 'show', 'dev', name]) as Record<string, unknown>[];
      expect(fdb.map(({ mac, state: kind }) => `${String(mac)} ${String(kind)}`).sort()).toEqual(
        state.fdb
          .filter(({ link }) => link === name)
          .map(({ mac }) => `${mac} permanent`)
          .sort(),
      );
      const neighbours = one.netns.json(['ip', '-j', 'neigh', 'show', 'nud', 'permanent', 'dev', name]) as unknown[];
      expect(neighbours).toHaveLength(2);
    }
  });

  test('DirectRouting: the neighbour past the tunnel, the far one through it', async () => {
    const { world } = await cluster('direct', [4, 6]);
    expect(routes(world.nodes[0], 4).slice(2)).toEqual([
      '10.244.2.0/24 nhid via 192.0.2.2 dev eth0 proto 203',
      '10.244.3.0/24 nhid via 10.244.3.0 dev flannel.1 onlink proto 203',
    ]);
    expect(routes(world.nodes[0], 6).slice(2)).toEqual([
      'fd00:10:244:2::/64 via 2001:db8::2 dev eth0 proto 203',
      'fd00:10:244:3::/64 via fd00:10:244:3:: dev flannel-v6.1 onlink proto 203',
    ]);
  });

  test('host-gw: no device, routes by the peer itself', async () => {
    const { world } = await cluster('host-gw', [4, 6]);
    expect(device(world.nodes[0], 'flannel.1')).toBeUndefined();
    expect(routes(world.nodes[0], 4)).toEqual([
      '10.244.1.0/24 blackhole worst proto 203',
      '10.244.1.5 dev cnl00000000001 proto 204',
      '10.244.2.0/24 nhid via 192.0.2.2 dev eth0 proto 203',
    ]);
  });

  test('without nexthop objects the routes name their gateway, and changing over writes each route once', async () => {
    const { world, agents } = await cluster('vxlan', [4]);
    const [agent] = agents;
    agent.nexthopObjects = false;
    const { performed } = await agent.turn();
    expect(performed.map(({ type }) => type)).toEqual([
      'route-replace',
      'route-replace',
      'nexthop-delete',
      'nexthop-delete',
    ]);
    expect(routes(world.nodes[0], 4).slice(2)).toEqual([
      '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink proto 203',
      '10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink proto 203',
    ]);
    expect(canPing(world.nodes[0], world.nodes[1], 4)).toBe(true);
  });

  test('the blackhole: a packet for a pod that is not there ends here, one for a pod that is arrives', async () => {
    const { world, agents } = await cluster('vxlan', [4, 6]);
    const [one] = world.nodes;
    const lookUp = (address: string): string => one.netns.exec(['ip', 'route', 'get', address]).stderr.trim();
    expect(lookUp('10.244.1.99')).toBe('RTNETLINK answers: Invalid argument');
    expect(one.netns.run(['ip', 'route', 'get', '10.244.1.5'])).toContain('dev cnl00000000001');
    // Bridge mode: the connected route of cni0 has the same destination and a better metric, whichever came first.
    one.netns.run(['ip', 'link', 'add', 'cni0', 'type', 'bridge']);
    one.netns.run(['ip', 'addr', 'add', '10.244.1.1/24', 'dev', 'cni0']);
    one.netns.run(['ip', 'link', 'set', 'cni0', 'up']);
    expect(one.netns.run(['ip', 'route', 'get', '10.244.1.99'])).toContain('dev cni0');
    expect((await agents[0].turn()).conflicts).toEqual([]);
    expect(formatCidr((await agents[0].compile()).announcement.endpoints[0]?.subnet ?? neverSubnet())).toBe(
      '10.244.1.0/24',
    );
  });
});

function neverSubnet(): never {
  throw new Error('the announcement has no subnet');
}

const CLOCK: Clock = {
  nowMs: () => performance.now(),
  sleep: (delayMs, signal) => setTimeout(delayMs, undefined, signal === undefined ? {} : { signal }),
};

function testAgent(node: WorldNode, backend: BackendName, families: readonly (4 | 6)[]): TestAgent {
  const kernel = createLinuxKernel({ netns: node.netns.path });
  return new TestAgent({ kernel, clock: CLOCK, log: createCapturedLogger() }, node, backend, families);
}
