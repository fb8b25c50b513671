/** Real flows through a node whose rules change: what a change denies is cut and stays cut, the rest goes on. */
import { NETLINK_NETFILTER, openNetlinkConnection } from '@canal/linux-ffi';
import type { RulePacket } from '@canal/rules-ast';
import {
  createFlowWorld,
  type FlowTalkers,
  type FlowWorld,
  type Side,
  startFlowTalkers,
  type TalkOptions,
} from '@canal/testing';
import { type Ip, parseIp, unwrap } from 'net-types';
import { delConntrack, listConntrack } from 'netlink-ts';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { judgeFlows } from './flows.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const PROTOCOL = { tcp: 6, udp: 17 } as const;

let world: FlowWorld;
let talkers: FlowTalkers;
const cutMs: number[] = [];

beforeEach(() => {
  world = createFlowWorld();
  talkers = startFlowTalkers();
});

afterEach(async () => {
  await talkers[Symbol.asyncDispose]();
  world[Symbol.dispose]();
});

afterAll(() => {
  // Any one of them may be held up by what else the machine does.
  if (cutMs.length > 0) expect(Math.min(...cutMs)).toBeLessThan(1_000);
});

const judge = (allowed: (packet: RulePacket) => boolean, addresses: readonly Ip[] = world.server.addresses) =>
  judgeFlows({ netns: world.node.path }, new Set(addresses), allowed);

/** New flows from the client to the server's port are dropped, in the kernel and in our words. */
function deny(family: 4 | 6, protocol: 'tcp' | 'udp' | 'icmp', port: number): (packet: RulePacket) => boolean {
  const { client, server } = world;
  const [source, destination] = family === 4 ? [client.ip4, server.ip4] : [client.ip6, server.ip6];
  const what = protocol === 'icmp' ? 'meta l4proto { icmp, icmpv6 }' : `${protocol} dport ${port}`;
  world.nft(`flush chain inet flows decide
    add rule inet flows decide ${family === 4 ? 'ip' : 'ip6'} saddr ${source} ${family === 4 ? 'ip' : 'ip6'} daddr ${destination} ${what} drop`);
  const number = protocol === 'icmp' ? (family === 4 ? 1 : 58) : PROTOCOL[protocol];
  return (packet) =>
    !(
      packet.source === ip(source) &&
      packet.destination === ip(destination) &&
      packet.protocol === number &&
      packet.destinationPort === (protocol === 'icmp' ? undefined : port)
    );
}

const allowAll = (): (() => boolean) => {
  world.nft('flush chain inet flows decide');
  return () => true;
};

function between(family: 4 | 6, protocol: TalkOptions['protocol'], port: number, sourcePort = 4000): TalkOptions {
  const { client, server } = world;
  const [source, listen] = family === 4 ? [client.ip4, server.ip4] : [client.ip6, server.ip6];
  return { protocol, client: client.netns, server: server.netns, source, listen, sourcePort, port };
}

const marks = (): number[] => {
  using connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER, netns: world.node.path });
  return listConntrack(connection).map(({ mark = 0 }) => mark);
};

describe.each([4, 6] as const)('IPv%i', (family) => {
  describe.each(['tcp', 'udp'] as const)('%s', (protocol) => {
    test.each<{ speaking: readonly Side[] }>([
      { speaking: ['client', 'server'] },
      { speaking: ['server'] },
      { speaking: ['client'] },
    ])('a denied flow is cut within a second and stays cut while $speaking speak', async ({ speaking }) => {
      await talkers.open('denied', between(family, protocol, 80));
      await talkers.open('spared', between(family, protocol, 81, 4001));
      await talkers.speak('denied', ['client', 'server']);
      await talkers.speak('spared', ['client', 'server']);
      const before = await talkers.hearFor('denied', 300);
      expect(Math.min(before.client, before.server)).toBeGreaterThan(3);

      await talkers.speak('denied', speaking);
      const allowed = deny(family, protocol, 80);
      const start = performance.now();
      expect(await judge(allowed)).toEqual({ seen: 2, cut: 1, mended: 0 });
      // What was in the air arrives.
      await Bun.sleep(100);
      cutMs.push(performance.now() - start);
      expect(cutMs.at(-1)).toBeLessThan(1_000);
      expect(await talkers.hearFor('denied', 1500)).toEqual({ client: 0, server: 0 });
      const spared = await talkers.hearFor('spared', 200);
      expect(Math.min(spared.client, spared.server)).toBeGreaterThan(3);

      expect(await judge(allowed)).toEqual({ seen: 2, cut: 0, mended: 0 });
    });

    test('a flow that is allowed again goes on', async () => {
      await talkers.open('flow', between(family, protocol, 80));
      await talkers.speak('flow', ['client', 'server']);
      expect(await judge(deny(family, protocol, 80))).toMatchObject({ cut: 1 });
      await Bun.sleep(50);
      expect(await talkers.hearFor('flow', 500)).toEqual({ client: 0, server: 0 });
      expect(await judge(allowAll())).toEqual({ seen: 1, cut: 0, mended: 1 });
      // TCP waits before it sends again: as long as it had waited before, doubled.
      const after = await talkers.hearFor('flow', 2000);
      expect(Math.min(after.client, after.server)).toBeGreaterThan(10);
      expect(await talkers.canOpen(between(family, protocol, 82, 4005))).toBe(true);
      expect(marks().every((mark) => mark === 0)).toBe(true);
    });

    test('the counter-proof: were the entry deleted, what the server sends would open the flow anew', async () => {
      await talkers.open('flow', between(family, protocol, 80));
      await talkers.speak('flow', ['server']);
      deny(family, protocol, 80);
      using connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER, netns: world.node.path });
      for (const { original } of listConntrack(connection)) connection.execute(delConntrack({ tuple: original ?? {} }));
      expect((await talkers.hearFor('flow', 1000)).client).toBeGreaterThan(10);
    });
  });

  test('echo: cut and mended', async () => {
    await talkers.open('ping', between(family, 'icmp', 0));
    await talkers.speak('ping', ['client']);
    expect((await talkers.hearFor('ping', 400)).client).toBeGreaterThan(3);
    expect(await judge(deny(family, 'icmp', 0))).toEqual({ seen: 1, cut: 1, mended: 0 });
    await Bun.sleep(50);
    expect((await talkers.hearFor('ping', 800)).client).toBe(0);
    expect(await judge(allowAll())).toEqual({ seen: 1, cut: 0, mended: 1 });
    expect((await talkers.hearFor('ping', 400)).client).toBeGreaterThan(3);
  });

  test('a flow to a Service is judged by the pod and port that DNAT gave it, and by its client before masquerade', async () => {
    const service = family === 4 ? '10.96.0.1' : 'fd96::1';
    const keyword = family === 4 ? 'ip' : 'ip6';
    const backend = family === 4 ? `${world.server.ip4}:8080` : `[${world.server.ip6}]:8080`;
    world.nft(`table ${keyword} service {
      chain pre { type nat hook prerouting priority -100; ${keyword} daddr ${service} tcp dport 80 dnat to ${backend}; }
      chain post { type nat hook postrouting priority 100; masquerade; }
    }`);
    await talkers.open('service', { ...between(family, 'tcp', 8080), target: service, targetPort: 80 });
    await talkers.speak('service', ['client', 'server']);
    const asked: RulePacket[] = [];
    const allowed = deny(family, 'tcp', 8080);
    const judgement = await judge((packet) => {
      asked.push(packet);
      return allowed(packet);
    }, world.client.addresses);
    expect(judgement).toEqual({ seen: 1, cut: 1, mended: 0 });
    const [source, destination] =
      family === 4 ? [world.client.ip4, world.server.ip4] : [world.client.ip6, world.server.ip6];
    expect(new Set(asked.map((packet) => JSON.stringify(packet, (_, value: unknown) => String(value))))).toHaveLength(
      1,
    );
    expect(asked[0]).toEqual({ source: ip(source), destination: ip(destination), protocol: 6, destinationPort: 8080 });
    await Bun.sleep(50);
    expect(await talkers.hearFor('service', 1000)).toEqual({ client: 0, server: 0 });
  });

  test('what the node itself sends to its pods is never cut, and a pod may talk to itself', async () => {
    const [source, listen] = family === 4 ? ['10.9.2.1', world.server.ip4] : ['fd09:2::1', world.server.ip6];
    const fromNode = { ...between(family, 'tcp', 80), client: world.node, source, listen };
    await talkers.open('kubelet', fromNode);
    const asked: RulePacket[] = [];
    expect(
      await judge((packet) => {
        asked.push(packet);
        return false;
      }),
    ).toEqual({ seen: 1, cut: 0, mended: 0 });
    expect(asked).toEqual([]);
  });
});
