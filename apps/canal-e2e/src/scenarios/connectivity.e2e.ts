/** Pods on each pair of nodes and on the same one, pods in the hosts' network, and machines outside. */
import { expect } from 'vitest';
import { type Dialer, openDialers } from '../dialer.ts';
import { mtuOf, pingFrom } from '../in-pod.ts';
import { startOutsideServer } from '../outside-server.ts';
import { addressOf, familyOf, type Pod, type Pods } from '../pods.ts';
import { scenario, world } from '../scenario.ts';
import { endpointHost } from '../services.ts';
import type { IpFamily, World } from '../world.ts';

const LIMIT_MS = 180_000;
/** Ports of hostNetwork pods, away from what a node may already serve. */
const HOST_PORTS = { httpPort: 38080, udpPort: 38081 };
const TCP_BULK_BYTES = 256 * 1024;
/** What a pod on an Ethernet of 1500 or a vxlan on it can send in one packet, and what takes two; agnhost reads 2048. */
const UDP_PAYLOADS = [1, 1417, 1467, 2000];
/** ICMP payloads beside those that fill the pod's MTU: agnhost is not asked here, so they can be longer. */
const LONG_PING_BYTES = 8_000;
const IP_ICMP_BYTES: Readonly<Record<IpFamily, number>> = { ipv4: 28, ipv6: 48 };

const { families } = world.settings;

interface Pair {
  readonly from: Pod;
  readonly to: Pod;
  readonly family: IpFamily;
}

/** Two pods on the first node, one on each other. */
async function podsOnAllNodes(pods: Pods): Promise<readonly Pod[]> {
  const nodes = await world.nodes();
  const second = nodes.slice(0, 1).map(({ name }) => ({ name: 'pod-1b', node: name }));
  return await pods.create([...nodes.map(({ name }, index) => ({ name: `pod-${index + 1}`, node: name })), ...second]);
}

function pairsOf(from: readonly Pod[], to: readonly Pod[]): readonly Pair[] {
  return from.flatMap((a) =>
    to.filter((b) => b !== a).flatMap((b) => families.map((family) => ({ from: a, to: b, family }))),
  );
}

/** Who the other end saw, by TCP and by UDP. */
async function seenSources(dialer: Dialer, to: Pod, host: string): Promise<readonly string[]> {
  const tcp = await dialer.dial({ host, port: to.httpPort, request: 'clientip' });
  const udp = await dialer.dial({ host, port: to.udpPort, request: 'clientip', protocol: 'udp' });
  return [tcp, udp].map(endpointHost);
}

scenario('pod to pod: TCP and UDP, source address kept', { limitMs: LIMIT_MS }, async ({ pods, note }) => {
  const all = await podsOnAllNodes(pods);
  await using dialers = await openDialers(world, all);
  const pairs = pairsOf(all, all);
  for (const { from, to, family } of pairs) {
    const sources = await seenSources(dialers.of(from), to, to.ip(family));
    expect(sources, `${from.name} to ${to.name}`).toEqual([from.ip(family), from.ip(family)]);
  }
  note('pairs', `${pairs.length} (${families.join(', ')})`);
});

scenario('pod to pod: full and larger packets, TCP bulk', { limitMs: LIMIT_MS }, async ({ pods }) => {
  const all = await podsOnAllNodes(pods);
  await using dialers = await openDialers(world, all);
  for (const { from, to, family } of pairsOf(all, all)) {
    const dialer = dialers.of(from);
    const host = to.ip(family);
    for (const bytes of UDP_PAYLOADS) {
      const text = 'x'.repeat(bytes);
      const answer = await dialer.dial({ host, port: to.udpPort, request: `echo ${text}`, protocol: 'udp' });
      expect(answer.length, `UDP ${from.name} to ${to.name}`).toBe(bytes);
    }
    const bulk = await dialer.dial({ host, port: to.httpPort, request: `echo?msg=${'x'.repeat(TCP_BULK_BYTES)}` });
    expect(bulk.length, `TCP ${from.name} to ${to.name}`).toBe(TCP_BULK_BYTES);
  }
});

scenario('pod to pod: ICMP, up to the MTU unfragmented and beyond', { limitMs: LIMIT_MS }, async ({ pods, note }) => {
  const all = await podsOnAllNodes(pods);
  const mtus = new Set<number>();
  for (const { from, to, family } of pairsOf(all, all)) {
    const mtu = await mtuOf(world, from);
    mtus.add(mtu);
    const full = mtu - IP_ICMP_BYTES[family];
    await pingFrom(world, from, to.ip(family), { payloadBytes: 56 });
    await pingFrom(world, from, to.ip(family), { payloadBytes: full, dontFragment: true });
    await pingFrom(world, from, to.ip(family), { payloadBytes: LONG_PING_BYTES });
  }
  note('MTU of pods', [...mtus].join(', '));
});

scenario('pods and hostNetwork pods, both ways', { limitMs: LIMIT_MS }, async ({ pods }) => {
  const nodes = await world.nodes();
  const bridged = world.settings.podMode === 'bridge';
  const hosts = await pods.create(
    nodes.map(({ name, ips }, index) => ({
      ...{ name: `host-${index + 1}`, node: name, hostNetwork: true, ...HOST_PORTS },
      ...(bridged && { udpListen: ips }),
    })),
  );
  const inside = await podsOnAllNodes(pods);
  await using dialers = await openDialers(world, [...hosts, ...inside]);
  for (const { from, to, family } of pairsOf(inside, hosts)) {
    const [tcp, udp] = await seenSources(dialers.of(from), to, to.ip(family));
    // The node that it runs on sees the pod itself; traffic to other nodes leaves the pod network.
    const expected = from.node === to.node ? from.ip(family) : nodeIp(nodes, from.node, family);
    expect([tcp, udp], `${from.name} to ${to.name}`).toEqual([expected, expected]);
  }
  for (const { from, to, family } of pairsOf(hosts, inside)) {
    const [tcp, udp] = await seenSources(dialers.of(from), to, to.ip(family));
    expect(tcp, `${from.name} to ${to.name}: one sender for TCP and UDP`).toBe(udp);
    expect(familyOf(tcp ?? ''), `${from.name} to ${to.name}`).toBe(family);
  }
});

scenario(
  'pod to a machine outside: masqueraded as its node',
  { limitMs: LIMIT_MS, needs: ['outside'] },
  async ({ pods, cleanup }) => {
    const { outside } = world;
    if (outside === undefined) throw new Error('no machine outside');
    const server = await startOutsideServer(outside);
    cleanup(server.stop);
    const nodes = await world.nodes();
    const inside = await podsOnAllNodes(pods);
    await using dialers = await openDialers(world, inside);
    for (const from of inside) {
      for (const family of families) {
        const host = addressOf('the machine outside', outside.ips, family);
        const dialer = dialers.of(from);
        const tcp = await dialer.dial({ host, port: server.httpPort, request: 'clientip' });
        const udp = await dialer.dial({ host, port: server.udpPort, request: 'clientip', protocol: 'udp' });
        const node = nodeIp(nodes, from.node, family);
        expect([endpointHost(tcp), endpointHost(udp)], `${from.name} by ${family}`).toEqual([node, node]);
        await pingFrom(world, from, host, { payloadBytes: 56 });
      }
    }
  },
);

function nodeIp(nodes: Awaited<ReturnType<World['nodes']>>, name: string, family: IpFamily): string {
  return addressOf(name, nodes.find((node) => node.name === name)?.ips ?? [], family);
}
