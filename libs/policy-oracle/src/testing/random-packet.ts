/** Packets that rules are about: between addresses of a cluster and the edges of its blocks, at the ports it names. */
import { PROTOCOL_NUMBER, type RulePacket } from '@canal/rules-ast';
import { type Cidr, cidrLast, type Ip, ipAdd, ipFamily, type IpFamily, parseIp, unwrap } from 'net-types';
import type { PolicyCluster } from '../cluster.ts';
import type { Random } from './random.ts';

/** What packets of one cluster are made of, worked out once. */
export interface PacketPlaces {
  readonly endpoints: readonly Ip[];
  readonly pods: readonly Ip[];
  readonly others: readonly Ip[];
  readonly ports: readonly number[];
  /** Packets to a port that a pod has a name for, but for their source. */
  readonly named: readonly Omit<RulePacket, 'source'>[];
}

const OUTSIDE: readonly Ip[] = [
  '10.1.0.14',
  '10.2.0.5',
  '203.0.113.7',
  '8.8.8.8',
  'fd00:1::9',
  '2001:db8::1',
  'fe80::9',
].map((text) => unwrap(parseIp(text)));

export function packetPlaces(cluster: PolicyCluster): PacketPlaces {
  const rules = cluster.policies.flatMap(({ ingress = [], egress = [] }) => [...ingress, ...egress]);
  const blocks = rules.flatMap(({ peers }) => (peers === 'any' ? [] : peers)).filter((peer) => peer.type === 'block');
  const edges = blocks.flatMap(({ cidr, except }) => [cidr, ...except].flatMap(edgesOf));
  const numbers = rules
    .flatMap(({ ports }) => (ports === 'any' ? [] : ports))
    .flatMap(({ port }) => (typeof port === 'object' && 'first' in port ? [port.first, port.last] : []));
  const named = cluster.pods.flatMap(({ addresses, ports }) =>
    addresses.flatMap((destination) =>
      ports.map(({ protocol, port }) => ({ destination, protocol: PROTOCOL_NUMBER[protocol], destinationPort: port })),
    ),
  );
  const declared = cluster.pods.flatMap(({ ports }) => ports.map(({ port }) => port));
  const ports = [...numbers, ...declared, 443].flatMap((port) => [port - 1, port, port, port + 1]);
  return {
    endpoints: cluster.endpoints.flatMap(({ addresses }) => addresses),
    pods: cluster.pods.flatMap(({ addresses }) => addresses),
    others: [...edges, ...OUTSIDE, ...cluster.ownNodeAddresses, ...cluster.otherNodeAddresses],
    ports: ports.filter((port) => port >= 1 && port <= 65535),
    named,
  };
}

/** Mostly with an endpoint of the node at one end at least, and both ends of one family. */
export function randomPacket(random: Random, places: PacketPlaces): RulePacket {
  if (places.named.length > 0 && random.chance(15)) {
    const packet = random.pick(places.named);
    return { source: randomEnd(random, places, ipFamily(packet.destination)), ...packet };
  }
  const one = randomEnd(random, places, random.chance(65) ? 4 : 6);
  const other = randomAddress(random, places, ipFamily(one));
  const [source, destination] = random.chance(50) ? [one, other] : [other, one];
  const protocol = random.pick([6, 6, 6, 17, 17, 132, ipFamily(one) === 4 ? 1 : 58, 47]);
  const hasPorts = protocol === 6 || protocol === 17 || protocol === 132;
  return { source, destination, protocol, ...(hasPorts && { destinationPort: random.pick(places.ports) }) };
}

/** Of an endpoint mostly. */
function randomEnd(random: Random, places: PacketPlaces, family: IpFamily): Ip {
  const endpoints = places.endpoints.filter((ip) => ipFamily(ip) === family);
  return random.chance(90) && endpoints.length > 0 ? random.pick(endpoints) : randomAddress(random, places, family);
}

function randomAddress(random: Random, { endpoints, pods, others }: PacketPlaces, family: IpFamily): Ip {
  const fitting = random.pick([endpoints, pods, pods, others]).filter((ip) => ipFamily(ip) === family);
  return random.pick(fitting.length > 0 ? fitting : OUTSIDE.filter((ip) => ipFamily(ip) === family));
}

function edgesOf(block: Cidr): Ip[] {
  const last = cidrLast(block);
  return [block.ip, last, ipAdd(block.ip, -1), ipAdd(last, 1)].filter((ip) => ip !== undefined);
}
