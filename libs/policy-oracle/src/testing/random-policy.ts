/** Policies over the few names, labels, blocks and ports that random clusters are made of. */
import type { LabelRequirement, LabelSelector, NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule } from '@canal/model';
import { type Cidr, parseCidr, unwrap } from 'net-types';
import type { Random } from './random.ts';

export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
export const PORT_NAMES = ['http', 'dns'];
export const PORT_NUMBERS = [53, 80, 81, 8080];

/** Nested, touching, of one address and of all; over pods, nodes and what is outside; both families. */
const BLOCKS: readonly Cidr[] = [
  '0.0.0.0/0', '128.0.0.0/1', '10.0.0.0/8', '10.1.0.0/28', '10.1.0.0/29', '10.1.0.8/29', '10.1.0.4/30', '10.1.0.5/32',
  '10.1.0.10/32', '10.2.0.0/16', '192.168.0.0/30', '192.168.0.1/32', '203.0.113.0/24', '::/0', 'fd00::/8',
  'fd00:1::/125', 'fd00:1::4/126', 'fd00:1::5/128', 'fd00:f::/64', '2001:db8::/32',
].map((text) => unwrap(parseCidr(text))); // prettier-ignore

export function randomPolicy(random: Random, namespace: string, name: string): NetworkPolicy {
  const types = random.pick(['ingress', 'egress', 'both'] as const);
  return {
    namespace,
    name,
    uid: `uid-${namespace}-${name}`,
    podSelector: random.chance(30) ? [] : randomSelector(random, 'pods'),
    ...(types !== 'egress' && { ingress: randomRules(random) }),
    ...(types !== 'ingress' && { egress: randomRules(random) }),
    problems: [],
  };
}

function randomRules(random: Random): PolicyRule[] {
  return random.list(0, 3, (index) => ({
    index,
    peers: random.chance(15) ? 'any' : random.list(random.chance(10) ? 0 : 1, 3, () => randomPeer(random)),
    ports: random.chance(40) ? 'any' : random.list(random.chance(10) ? 0 : 1, 3, () => randomPort(random)),
  }));
}

function randomPeer(random: Random): PolicyPeer {
  if (random.chance(45)) return randomBlock(random);
  return {
    type: 'pods',
    namespaces: random.chance(45) ? 'own' : randomSelector(random, 'namespaces'),
    pods: randomSelector(random, 'pods'),
  };
}

function randomBlock(random: Random): PolicyPeer {
  const cidr = random.pick(BLOCKS);
  // Not only parts of the block: what an exception means must not depend on who checked it.
  return { type: 'block', cidr, except: random.chance(50) ? [] : random.list(1, 3, () => random.pick(BLOCKS)) };
}

function randomSelector(random: Random, of: 'pods' | 'namespaces'): LabelSelector {
  return random.list(0, 2, () => randomRequirement(random, of));
}

function randomRequirement(random: Random, of: 'pods' | 'namespaces'): LabelRequirement {
  const label = random.pick(of === 'pods' ? POD_LABELS : NAMESPACE_LABELS);
  const operator = random.pick(['In', 'In', 'NotIn', 'Exists', 'DoesNotExist'] as const);
  if (operator === 'Exists' || operator === 'DoesNotExist') return { key: label.key, operator };
  const some = random.some(label.values, 50);
  return { key: label.key, operator, values: some.length > 0 ? some : [random.pick(label.values)] };
}

const POD_LABELS = [
  { key: 'app', values: ['db', 'none', 'web'] },
  { key: 'tier', values: ['b', 'f'] },
];
const NAMESPACE_LABELS = [
  { key: 'kubernetes.io/metadata.name', values: ['a', 'b', 'c'] },
  { key: 'team', values: ['x', 'y'] },
];

function randomPort(random: Random): PolicyPort {
  const protocol = random.pick(PROTOCOLS);
  if (random.chance(15)) return { protocol, port: 'all' };
  if (random.chance(35)) return { protocol, port: { name: random.pick(PORT_NAMES) } };
  const first = random.pick([...PORT_NUMBERS, 1, 1024]);
  const last = random.pick([first, first, first + 1, first + 30, first + 2000, 65535]);
  return { protocol, port: { first, last } };
}
