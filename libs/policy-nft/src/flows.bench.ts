/**
 * What it costs to judge all flows of a node again: tables of 1,000 to 100,000 entries (TCP, a tenth of them to Services),
 * judged by a lookup; nothing, a hundredth and all denied. Beside the time, how long other work had to wait at most.
 */
import { NETLINK_NETFILTER, openNetlinkConnection } from '@canal/linux-ffi';
import { createTestNetns } from '@canal/testing';
import type { Ip, Ipv4, Ipv6 } from 'net-types';
import { conntrackTuple, IPS, type NetlinkConnection, newConntrack, NFPROTO, TCP_CONNTRACK } from 'netlink-ts';
import { judgeFlows } from './flows.ts';

const PODS = 100;
const ROUNDS = 5;

const pod = (family: 4 | 6, index: number): Ip =>
  family === 4 ? ((0x0af4_0100 + index) as Ipv4) : (((0xfdn << 120n) + BigInt(index)) as Ipv6);
const peer = (family: 4 | 6, index: number): Ip =>
  family === 4 ? ((0x0af5_0000 + index) as Ipv4) : (((0xfd01n << 112n) + BigInt(index)) as Ipv6);

function fill(connection: NetlinkConnection, family: 4 | 6, from: number, to: number): void {
  const requests = Array.from({ length: to - from }, (_, index) => {
    const number = from + index;
    const [client, server] = [peer(family, number % 5000), pod(family, number % PODS)];
    const port = 1024 + Math.floor(number / 5000);
    const service = number % 10 === 0 ? peer(family, 60_000) : server;
    return newConntrack({
      family: family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6,
      original: conntrackTuple(client, service, { number: 6, sourcePort: port, destinationPort: 80 }),
      reply: conntrackTuple(server, client, { number: 6, sourcePort: 8080, destinationPort: port }),
      timeout: 3600,
      status: IPS.SEEN_REPLY | IPS.ASSURED | IPS.CONFIRMED,
      protocolInfo: { tcp: { state: TCP_CONNTRACK.ESTABLISHED } },
    });
  });
  const refused = connection.batch(requests).find((error) => error !== undefined);
  if (refused !== undefined) throw refused;
}

async function measure(what: string, netns: string, family: 4 | 6, denied: (index: number) => boolean): Promise<void> {
  const addresses = new Set(Array.from({ length: PODS }, (_, index) => pod(family, index)));
  const deniedPeers = new Set(
    Array.from({ length: 5000 }, (_, index) => index)
      .filter(denied)
      .map((index) => peer(family, index)),
  );
  const rounds: { wall: number; cpu: number; wait: number; result: string }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let wait = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      [wait, last] = [Math.max(wait, now - last), now];
    }, 1);
    const cpu = process.cpuUsage();
    const start = performance.now();
    const { seen, cut } = await judgeFlows({ netns }, addresses, ({ source }) => !deniedPeers.has(source));
    const wall = performance.now() - start;
    const used = process.cpuUsage(cpu);
    clearInterval(timer);
    rounds.push({ wall, cpu: (used.user + used.system) / 1000, wait, result: `${seen} seen ${cut} cut` });
    // So that each round has the same to do.
    if (cut > 0) await judgeFlows({ netns }, addresses, () => true);
  }
  const middle = rounds.sort((a, b) => a.cpu - b.cpu)[Math.floor(ROUNDS / 2)];
  if (middle === undefined) return;
  console.log(
    `${what.padEnd(34)} ${middle.cpu.toFixed(0).padStart(5)} ms CPU ${middle.wall.toFixed(0).padStart(5)} ms wall, others waited ${middle.wait.toFixed(0)} ms at most; ${middle.result}`,
  );
}

for (const family of [4, 6] as const) {
  using netns = createTestNetns('flows');
  using connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER, netns: netns.path });
  let filled = 0;
  for (const count of [1_000, 10_000, 100_000]) {
    fill(connection, family, filled, count);
    filled = count;
    const name = `IPv${family} ${count.toLocaleString('en')}`;
    await measure(`${name}, none denied`, netns.path, family, () => false);
    await measure(`${name}, 1 % denied`, netns.path, family, (index) => index % 100 === 0);
    await measure(`${name}, all denied`, netns.path, family, () => true);
  }
}
