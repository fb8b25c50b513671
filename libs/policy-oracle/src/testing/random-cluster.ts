/**
 * Small clusters in which everything meets everything: few labels, few addresses, blocks whose edges cut through pods
 * and nodes, names of ports with other numbers on other pods, and the remains of pods that are over.
 */
import type { Labels, PolicyEndpoint, PolicyNamespace, PolicyPod, NamedPort } from '@canal/model';
import { type InterfaceName, type Ip, type Mac, parseIp, unwrap } from 'net-types';
import type { PolicyCluster } from '../cluster.ts';
import { PORT_NAMES, PORT_NUMBERS, PROTOCOLS, randomPolicy } from './random-policy.ts';
import type { Random } from './random.ts';

export const NAMESPACES = ['a', 'b', 'c'];
const OWN_NODE = ips('192.168.0.1', '10.1.0.1', 'fd00:f::1');
const OTHER_NODES = ips('192.168.0.2', 'fd00:f::2');
const POD_ADDRESSES_4 = Array.from({ length: 12 }, (_, index) => unwrap(parseIp(`10.1.0.${2 + index}`)));
const POD_ADDRESSES_6 = Array.from({ length: 6 }, (_, index) => unwrap(parseIp(`fd00:1::${2 + index}`)));

export function randomCluster(random: Random): PolicyCluster {
  const pods = random.list(2, 9, (index) => randomPod(random, index));
  return {
    // A namespace that the API did not tell of yet is there too.
    namespaces: random.some(NAMESPACES, 90).map((name) => randomNamespace(random, name)),
    pods,
    policies: random.list(0, 6, (index) => randomPolicy(random, random.pick(NAMESPACES), `p${index}`)),
    endpoints: [
      ...random.some(pods.filter(mayHaveEndpoint), 85).map((pod, index) => randomEndpoint(random, `c${index}`, pod)),
      ...random.list(0, 1, () => randomEndpoint(random, 'unknown')),
    ],
    ownNodeAddresses: OWN_NODE,
    otherNodeAddresses: OTHER_NODES,
  };
}

export function randomNamespace(random: Random, name: string): PolicyNamespace {
  const labels: Labels = {
    'kubernetes.io/metadata.name': name,
    ...(random.chance(70) && { team: random.pick(['x', 'y']) }),
  };
  return { name, labels };
}

export function randomPod(random: Random, index: number): PolicyPod {
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
    ports: random.list(0, 2, () => randomNamedPorts(random)).flat(),
    createdMs: random.below(4),
    ...(random.chance(15) && { deleting: true }),
  };
}

/** Of both families mostly; a pod that has none yet, or one of two. */
function randomAddresses(random: Random): readonly Ip[] {
  return [
    ...(random.chance(90) ? [random.pick(POD_ADDRESSES_4)] : []),
    ...(random.chance(60) ? [random.pick(POD_ADDRESSES_6)] : []),
  ];
}

/** Several containers of a pod may declare one name with several numbers. */
function randomNamedPorts(random: Random): NamedPort[] {
  const name = random.pick(PORT_NAMES);
  const protocol = random.pick(PROTOCOLS);
  return random.list(1, random.chance(30) ? 2 : 1, () => ({ name, protocol, port: random.pick(PORT_NUMBERS) }));
}

/** No runtime asks a network plugin for a pod on the host's network; if one did, policy would still not select it. */
export function mayHaveEndpoint({ node }: PolicyPod): boolean {
  return node === 'n1';
}

/** With the pod's addresses, as the runtime knew them before the API did. */
export function randomEndpoint(random: Random, key: string, pod?: PolicyPod): PolicyEndpoint {
  const addresses = pod === undefined || pod.hostNetwork ? [] : pod.addresses;
  return {
    key: `${key}/eth0`,
    // A pod of the same name that was deleted and made again has another uid.
    ...(pod && {
      pod: { namespace: pod.namespace, name: pod.name, uid: random.chance(96) ? pod.uid : `${pod.uid}-before` },
    }),
    hostInterface: `cnl${key}` as InterfaceName,
    mode: 'routed',
    addresses: addresses.length > 0 ? addresses : [random.pick(POD_ADDRESSES_4)],
    mac: '02:00:00:00:00:01' as Mac,
  };
}

function ips(...texts: string[]): readonly Ip[] {
  return texts.map((text) => unwrap(parseIp(text)));
}
