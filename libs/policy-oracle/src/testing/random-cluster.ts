/**
 * Small clusters in which everything meets everything: few labels, few addresses, blocks whose edges cut through pods
 * and nodes, names of ports with other numbers on other pods, and the remains of pods that are over.
 */
import type { Labels, PolicyEndpoint, PolicyNamespace, PolicyPod, NamedPort } from '@canal/model';
import { type InterfaceName, type Ip, type Mac, parseIp, unwrap } from 'net-types';
import type { PolicyCluster } from '../cluster.ts';
import { PORT_NAMES, PORT_NUMBERS, PROTOCOLS, randomPolicy } from './random-policy.ts';
import type { Random } from './random.ts';

const NAMESPACES = ['a', 'b', 'c'];
const OWN_NODE = ips('192.168.0.1', '10.1.0.1', 'fd00:f::1');
const OTHER_NODES = ips('192.168.0.2', 'fd00:f::2');
const POD_ADDRESSES_4 = Array.from({ length: 12 }, (_, index) => unwrap(parseIp(`10.1.0.${2 + index}`)));
const POD_ADDRESSES_6 = Array.from({ length: 6 }, (_, index) => unwrap(parseIp(`fd00:1::${2 + index}`)));

export function randomCluster(random: Random): PolicyCluster {
  const pods = random.list(2, 9, (index) => randomPod(random, index));
  return {
    namespaces: random.some(NAMESPACES, 90).map((name) => randomNamespace(random, name)),
    pods,
    policies: random.list(0, 5, (index) => randomPolicy(random, random.pick(NAMESPACES), `p${index}`)),
    endpoints: randomEndpoints(random, pods),
    ownNodeAddresses: OWN_NODE,
    otherNodeAddresses: OTHER_NODES,
  };
}

function randomNamespace(random: Random, name: string): PolicyNamespace {
  const labels: Labels = {
    'kubernetes.io/metadata.name': name,
    ...(random.chance(70) && { team: random.pick(['x', 'y']) }),
  };
  return { name, labels };
}

function randomPod(random: Random, index: number): PolicyPod {
  const hostNetwork = random.chance(12);
  const own = random.chance(60);
  return {
    namespace: random.pick(NAMESPACES),
    name: `pod${index}`,
    uid: `uid${index}`,
    labels: {
      ...(random.chance(85) && { app: random.pick(['web', 'db']) }),
      ...(random.chance(40) && { tier: random.pick(['f', 'b']) }),
    },
    addresses: hostNetwork ? (own ? OWN_NODE : OTHER_NODES) : randomAddresses(random),
    node: own ? 'n1' : 'n2',
    hostNetwork,
    completed: random.chance(10),
    ports: random.list(0, 3, () => randomNamedPort(random)),
    createdMs: random.below(4),
  };
}

/** Of both families mostly; a pod that has none yet, or one of two. */
function randomAddresses(random: Random): readonly Ip[] {
  return [
    ...(random.chance(90) ? [random.pick(POD_ADDRESSES_4)] : []),
    ...(random.chance(60) ? [random.pick(POD_ADDRESSES_6)] : []),
  ];
}

function randomNamedPort(random: Random): NamedPort {
  return { name: random.pick(PORT_NAMES), protocol: random.pick(PROTOCOLS), port: random.pick(PORT_NUMBERS) };
}

function randomEndpoints(random: Random, pods: readonly PolicyPod[]): PolicyEndpoint[] {
  const known = random
    .some(
      pods.filter(({ hostNetwork, node }) => !hostNetwork && node === 'n1'),
      85,
    )
    .map(({ namespace, name, uid, addresses }, index) =>
      randomEndpoint(index, addresses.length > 0 ? addresses : [random.pick(POD_ADDRESSES_4)], {
        namespace,
        name,
        // A pod of the same name that was deleted and made again.
        uid: random.chance(95) ? uid : `${uid}-before`,
      }),
    );
  const unknown = random
    .list(0, 1, () => randomAddresses(random))
    .map((addresses, index) => randomEndpoint(known.length + index, addresses));
  return [...known, ...unknown].filter(({ addresses }) => addresses.length > 0);
}

function randomEndpoint(index: number, addresses: readonly Ip[], pod?: PolicyEndpoint['pod']): PolicyEndpoint {
  return {
    key: `c${index}/eth0`,
    ...(pod && { pod }),
    hostInterface: `cnl${index}` as InterfaceName,
    mode: 'routed',
    addresses,
    mac: `02:00:00:00:00:0${index.toString(16)}` as Mac,
  };
}

function ips(...texts: string[]): readonly Ip[] {
  return texts.map((text) => unwrap(parseIp(text)));
}
