/**
 * The diff against the words of the API: for random pairs of states, whatever a flow does between them by the words, the
 * groups say. CANAL_SEED repeats a run, CANAL_CASES makes it longer.
 */
import type { PolicyPod } from '@canal/model';
import type { PolicyCluster } from '@canal/policy-oracle';
import {
  changeCluster,
  packetPlaces,
  peersBy,
  podsBy,
  portsBy,
  Random,
  randomCluster,
  randomPacket,
  rulesBy,
  type Spoil,
} from '@canal/policy-oracle/testing';
import fc from 'fast-check';
import { formatIp, type Ip, ipFamily } from 'net-types';
import { expect, test } from 'vitest';
import type { ClusterState } from './cluster-state.ts';
import { diff } from './diff.ts';
import { DiffReader, StateWords, type TestEnd, type TestFlow } from './testing/flow-judge.ts';

const SEED = Number(process.env['CANAL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const CASES = Number(process.env['CANAL_CASES'] ?? 100_000);
const FLOWS = 50;
const TIMEOUT = { timeout: 3_600_000 };

/** Workloads of several pods that differ, and pods that are workloads of their own. */
const workloadOf = ({ namespace, labels, name }: PolicyPod): string =>
  `${namespace}/${labels['tier'] === undefined ? name : (labels['app'] ?? name)}`;

interface Case {
  readonly before: ClusterState;
  readonly after: ClusterState;
  readonly flows: readonly TestFlow[];
}

function stateOf({ namespaces, pods, policies, ownNodeAddresses, otherNodeAddresses }: PolicyCluster): ClusterState {
  const nodes = [
    { name: 'n1', addresses: ownNodeAddresses },
    { name: 'n2', addresses: otherNodeAddresses },
  ];
  return { namespaces, pods, policies, nodes };
}

/** What changes: policies alone, pods alone, namespaces alone, or all. */
function caseOf(seed: number): Case {
  const random = new Random(seed);
  const cluster = randomCluster(random);
  const changed = changeCluster(random, cluster, 1);
  const kind = random.pick(['policies', 'policies', 'pods', 'namespaces', 'all'] as const);
  const next = kind === 'all' ? changed : { ...cluster, [kind]: changed[kind] };
  const [before, after] = [stateOf(cluster), stateOf(next)];
  const words = [new StateWords(before), new StateWords(after)] as const;
  // Every pod may be an end, on whichever node it is.
  const places = packetPlaces({ ...cluster, endpoints: [], policies: [...cluster.policies, ...next.policies] });
  const flows: TestFlow[] = [];
  while (flows.length < FLOWS) {
    const packet = randomPacket(random, { ...places, endpoints: places.pods.length > 0 ? places.pods : places.others });
    const [source, destination] = [endOf(packet.source, words, before), endOf(packet.destination, words, before)];
    const { protocol, destinationPort } = packet;
    const family = ipFamily(packet.source);
    flows.push({ source, destination, family, protocol, ...(destinationPort && { port: destinationPort }) });
  }
  return { before, after, flows };
}

/** Whose an address is before, or after. */
function endOf(ip: Ip, words: readonly [StateWords, StateWords], { nodes }: ClusterState): TestEnd {
  const owner = words[0].ownerOf(ip) ?? words[1].ownerOf(ip);
  if (owner !== undefined) return { type: 'pod', path: `${owner.namespace}/${owner.name}` };
  const node = nodes.find(({ addresses }) => addresses.includes(ip));
  return node === undefined ? { type: 'outside', ip } : { type: 'node', node: node.name, ip };
}

/** Of each flow whose pods are in both states. A pod that changed its node is compared with neither of the nodes. */
function* judged({ before, after, flows }: Case): Generator<{ flow: TestFlow; words: string }> {
  const [old, now] = [new StateWords(before), new StateWords(after)];
  const nodesOf = (path: string): string[] =>
    [before, after].flatMap(({ pods }) =>
      pods.filter(({ namespace, name }) => `${namespace}/${name}` === path).map(({ node }) => node),
    );
  for (const flow of flows) {
    const [was, is] = [old.allows(flow), now.allows(flow)];
    if (was === undefined || is === undefined) continue;
    const { source, destination } = flow;
    if (source.type === 'node' && destination.type === 'pod') {
      const nodes = nodesOf(destination.path);
      if (nodes.includes(source.node) && new Set(nodes).size > 1) continue;
    }
    yield { flow, words: was === is ? 'unchanged' : is ? 'opens' : 'closes' };
  }
}

test(`the groups say what the words of the API say (CANAL_SEED=${SEED})`, TIMEOUT, () => {
  const seen: Record<string, number> = { opens: 0, closes: 0, unchanged: 0 };
  let cases = 0;
  let groups = 0;
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const one = caseOf(seed);
      const told = diff(one.before, one.after, { workloadOf });
      groups += told.opens.length + told.closes.length;
      for (const { causes } of [...told.opens, ...told.closes]) expect(causes).not.toEqual([]);
      const reader = new DiffReader(told, one.after, workloadOf);
      for (const { flow, words } of judged(one)) {
        cases++;
        seen[words] = (seen[words] ?? 0) + 1;
        const says = reader.says(flow);
        if (says !== words) throw new Error(`words: ${words}, diff: ${says}: ${describe(flow)}\n${readable(told)}`);
      }
    }),
    { seed: SEED, numRuns: Math.ceil((CASES / FLOWS) * 1.2), endOnFailure: true },
  );
  process.stdout.write(`seed ${SEED}: ${cases} cases, 0 differences, ${JSON.stringify(seen)}, ${groups} groups\n`);
  expect(cases).toBeGreaterThan(CASES / 2);
  // Of each so many that a rule misread would show.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(cases / 100);
});

test(`no order of the input matters, and equal states differ in nothing (CANAL_SEED=${SEED})`, TIMEOUT, () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const { before, after } = caseOf(seed);
      const random = new Random(seed);
      const shuffled = ({ namespaces, pods, policies, nodes }: ClusterState): ClusterState => ({
        namespaces: random.shuffled(namespaces),
        pods: random.shuffled(pods),
        policies: random.shuffled(policies),
        nodes: random.shuffled(nodes),
      });
      const told = JSON.stringify(diff(before, after, { workloadOf }));
      expect(JSON.stringify(diff(shuffled(before), shuffled(after), { workloadOf }))).toBe(told);
      expect(diff(before, shuffled(before))).toMatchObject({ opens: [], closes: [], came: [], went: [] });
    }),
    { seed: SEED, numRuns: 300 },
  );
});

/** What a diff would do that misreads one thing: it is asked about states that lack it. */
test.each<[string, Spoil]>([
  ['exceptions', peersBy((peer) => ('except' in peer ? { ...peer, except: [] } : peer))],
  ['namespace selectors', peersBy((peer) => ('pods' in peer ? { ...peer, namespaces: [] } : peer))],
  ['pod selectors of peers', peersBy((peer) => ('pods' in peer ? { ...peer, pods: [] } : peer))],
  ['lists of nobody', rulesBy((rule) => ({ ...rule, peers: rule.peers.length === 0 ? 'any' : rule.peers }))],
  ['SCTP', portsBy((port) => (port.protocol === 'SCTP' ? { ...port, protocol: 'TCP' } : port))],
  [
    'names of ports',
    portsBy((port) => (typeof port.port === 'object' && 'name' in port.port ? { ...port, port: 'all' } : port)),
  ],
  [
    'endPort',
    portsBy((port) =>
      typeof port.port === 'object' && 'first' in port.port
        ? { ...port, port: { first: port.port.first, last: port.port.first } }
        : port,
    ),
  ],
  ['which pod is being deleted', podsBy(({ deleting: _, ...pod }) => pod)],
  ['which pod is younger', podsBy((pod) => ({ ...pod, createdMs: -pod.createdMs }))],
  ['IPv6', podsBy((pod) => ({ ...pod, addresses: pod.addresses.filter((ip) => typeof ip === 'number') }))],
  ['egress', (state) => ({ ...state, policies: state.policies.map(({ egress: _, ...policy }) => policy) })],
  ['namespaces', (state) => ({ ...state, namespaces: [] })],
  ['nodes', (state) => ({ ...state, nodes: [] })],
])('a diff that misses %s is found out', (_, spoil) => {
  for (let seed = SEED; seed < SEED + 4000; seed++) {
    const one = caseOf(seed);
    const reader = new DiffReader(diff(spoil(one.before), spoil(one.after), { workloadOf }), one.after, workloadOf);
    for (const { flow, words } of judged(one)) if (reader.says(flow) !== words) return;
  }
  expect.fail('no flow of 4000 pairs tells');
});

function describe({ source, destination, family, protocol, port }: TestFlow): string {
  const text = (end: TestEnd): string => (end.type === 'pod' ? end.path : `${end.type} ${formatIp(end.ip)}`);
  return `${text(source)} -> ${text(destination)} IPv${family} protocol ${protocol} port ${port}`;
}

function readable(value: unknown): string {
  return JSON.stringify(value, undefined, 1);
}
