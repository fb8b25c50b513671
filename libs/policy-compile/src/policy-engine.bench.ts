/**
 * What a change costs the engine, put and flushed, at three sizes of cluster; a cold load; what many and wide policies on
 * the same pods cost; and what the objects weigh.
 * 110 endpoints of this node stand in 50 namespaces, and 1,000 policies select them: half have peers of their own
 * namespace, half of namespaces that a selector selects, every fourth has a port by name.
 */
import { loadavg } from 'node:os';
import type { Labels, LabelSelector, NetworkPolicy, PolicyPeer, PolicyPod, PolicyRule } from '@canal/model';
import { cidrOf, type Ip, type Ipv4 } from 'net-types';
import { createPolicyEngine } from './create-policy-engine.ts';
import type { PolicyEngine } from './policy-engine.ts';
import { endpointOf, labelled, podOf, podsWith, policyOf } from './testing/objects.ts';

const ROUNDS = 7;
const PODS_PER_NAMESPACE = 100;
const LOCAL_NAMESPACES = 50;
const LOCAL_ENDPOINTS = 110;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function elapsed(work: () => void): number {
  const start = Bun.nanoseconds();
  work();
  return Bun.nanoseconds() - start;
}

function show(what: string, value: number, unit: string): void {
  console.log(`${what.padEnd(66)} ${value.toFixed(value < 100 ? 2 : 0).padStart(9)} ${unit}`);
}

/** As one Deployment of a namespace gives its pods; every tenth pod is of a StatefulSet, with a label of its own. */
function podAt(index: number, more: Partial<PolicyPod> = {}): PolicyPod {
  const namespace = Math.floor(index / PODS_PER_NAMESPACE);
  const app = `app-${index % 20}`;
  const hash = (namespace * 7919 + (index % 20)).toString(36).padStart(8, '0');
  const name = index % 10 === 9 ? `${app}-set-${index % PODS_PER_NAMESPACE}` : `${app}-${hash}-${index.toString(36)}`;
  const labels: Labels = {
    app,
    'app.kubernetes.io/managed-by': 'Helm',
    'app.kubernetes.io/name': app,
    tier: `tier-${index % 4}`,
    ...(index % 10 === 9 ? { 'statefulset.kubernetes.io/pod-name': name } : { 'pod-template-hash': hash }),
  };
  return podOf(`ns-${namespace}/${name}`, [], {
    uid: `${index.toString(16).padStart(8, '0')}-1111-4222-8333-${(index * 7).toString(16).padStart(12, '0')}`,
    labels,
    addresses: [(0x0a00_0000 + index) as Ip],
    node: `node-${index % 5000}`,
    ports: index % 3 === 0 ? [{ name: 'http', protocol: 'TCP', port: 8080 + (index % 2) }] : [],
    createdMs: 1_700_000_000_000 + index,
    ...more,
  });
}

function policyAt(namespace: string, index: number): NetworkPolicy {
  const own = index % 2 === 0;
  const peer = podsWith({ app: `app-${index % 20}` }, own ? 'own' : { team: `team-${index % 10}` });
  const port = index % 4 === 0 ? { name: 'http' } : { first: 1000 + index, last: 1000 + index };
  const rule: PolicyRule = { index: 0, peers: [peer], ports: [{ protocol: 'TCP', port }] };
  return policyOf(`${namespace}/policy-${index}`, {
    podSelector: index % 3 === 0 ? [] : labelled({ tier: `tier-${index % 4}` }),
    ingress: [rule],
    ...(index % 2 === 0 && { egress: [rule] }),
  });
}

/** `policies` spread over as many namespaces as there are; those of local namespaces come first, 20 a namespace. */
function fill(engine: PolicyEngine, pods: number, policies: number): void {
  const namespaces = Math.ceil(pods / PODS_PER_NAMESPACE);
  for (let index = 0; index < namespaces; index++) {
    const name = `ns-${index}`;
    engine.putNamespace({ name, labels: { 'kubernetes.io/metadata.name': name, team: `team-${index % 100}` } });
  }
  for (let index = 0; index < pods; index++) engine.putPod(podAt(index));
  for (let index = 0; index < policies; index++) {
    engine.putPolicy(policyAt(`ns-${Math.floor(index / 20) % namespaces}`, index));
  }
}

function addEndpoints(engine: PolicyEngine): void {
  for (let index = 0; index < LOCAL_ENDPOINTS; index++) {
    const pod = podAt((index % LOCAL_NAMESPACES) * PODS_PER_NAMESPACE + Math.floor(index / LOCAL_NAMESPACES) * 7);
    engine.putEndpoint(endpointOf(pod, { key: `c${index}/eth0` }));
  }
}

/** Median of one event with its flush, in microseconds. `prepare` makes what is put, `undo` leads back: not counted. */
function eventCost<T>(
  engine: PolicyEngine,
  prepare: (index: number) => T,
  event: (prepared: T) => void,
  undo: (index: number) => void,
): number {
  const costs = Array.from({ length: 3000 }, (_, index) => {
    const prepared = prepare(index);
    const cost = elapsed(() => {
      event(prepared);
      engine.flush();
    });
    undo(index);
    engine.flush();
    return cost;
  });
  return median(costs) / 1000;
}

function benchEvents(pods: number): void {
  const engine = createPolicyEngine();
  fill(engine, pods, 1000);
  addEndpoints(engine);
  engine.flush();
  const members = [...engine.view.sets()].reduce((sum, { id }) => sum + engine.view.memberCount(id), 0);
  const { length: sets } = [...engine.view.sets()];
  const { length: chains } = [...engine.view.chains()];
  console.log(`\n${pods} pods, 1000 policies: ${sets} sets, ${members} members, ${chains} chains`);
  const at = (index: number): number => (index * 37) % Math.min(pods, LOCAL_NAMESPACES * PODS_PER_NAMESPACE);
  const there = (index: number): PolicyPod => podAt(at(index));
  const added = (index: number): PolicyPod =>
    podAt(at(index), { name: `new-${index}`, uid: `new-${index}`, addresses: [(0x0b00_0000 + index) as Ip] });
  const relabelled = (index: number): PolicyPod => {
    const pod = there(index);
    return { ...pod, labels: { ...pod.labels, app: `app-${(index + 1) % 20}`, fresh: `${index}` } };
  };
  const put = (pod: PolicyPod): void => engine.putPod(pod);
  const remove = ({ namespace, name }: PolicyPod): void => engine.deletePod(namespace, name);
  const putBack = (index: number): void => engine.putPod(there(index));
  const cost = (
    what: string,
    prepare: (index: number) => PolicyPod,
    event: (pod: PolicyPod) => void,
    undo: (index: number) => void,
  ): void => show(what, eventCost(engine, prepare, event, undo), 'µs');
  cost('a pod comes, of a Deployment that is there', added, put, (index) => remove(added(index)));
  cost('a pod goes', there, remove, putBack);
  cost('a pod gets labels that no pod had', relabelled, put, putBack);
  cost('a pod completes', (index) => ({ ...there(index), completed: true }), put, putBack);
  cost('a pod event that changes nothing', there, put, () => undefined);
}

/** One policy that selects 100 local pods of one namespace, with 1,000 peers of ten other namespaces. */
function benchNewPolicy(pods: number): void {
  const engine = createPolicyEngine();
  fill(engine, pods, 1000);
  for (let index = 0; index < 100; index++) {
    engine.putEndpoint(endpointOf(podAt(60 * PODS_PER_NAMESPACE + index), { key: `c${index}/eth0` }));
  }
  engine.flush();
  const peers = Array.from({ length: 10 }, (_, index) =>
    podsWith({ 'app.kubernetes.io/managed-by': 'Helm' }, { 'kubernetes.io/metadata.name': `ns-${20 + index}` }),
  );
  const policy = policyOf('ns-60/new', { ingress: [{ index: 0, peers, ports: 'any' }] });
  const rounds = Array.from({ length: 41 }, () => {
    let added = 0;
    const cost = elapsed(() => {
      engine.putPolicy(policy);
      const delta = engine.flush();
      for (const { id } of delta?.newSets ?? []) for (const _ of engine.view.members(id)) added++;
    });
    if (added !== 1000) throw new Error(`${added} members were added, expected 1000`);
    engine.deletePolicy('ns-60', 'new');
    engine.flush();
    return cost / 1e6;
  });
  show(`a policy comes: 100 endpoints, 1,000 peers read, ${pods} pods`, median(rounds), 'ms');
}

/** Processor time, all threads (the collector's too), so that others on the machine do not count. */
function cpuTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function benchColdLoad(): void {
  const pods = Array.from({ length: 150_000 }, (_, index) => podAt(index));
  const namespaces = pods.length / PODS_PER_NAMESPACE;
  const policies = Array.from({ length: 10_000 }, (_, index) =>
    policyAt(`ns-${Math.floor(index / 20) % namespaces}`, index),
  );
  const rounds = Array.from({ length: ROUNDS }, () => {
    const engine = createPolicyEngine();
    const putPods = (): void => {
      for (let index = 0; index < namespaces; index++) {
        engine.putNamespace({ name: `ns-${index}`, labels: { team: `team-${index % 100}` } });
      }
      for (const pod of pods) engine.putPod(pod);
    };
    const putPolicies = (): void => {
      for (const policy of policies) engine.putPolicy(policy);
      addEndpoints(engine);
    };
    let wall = 0;
    const timed = (work: () => void): number => cpuTime(() => (wall += elapsed(work) / 1e6));
    const cost = { pods: timed(putPods), policies: timed(putPolicies), flush: timed(() => engine.flush()) };
    Bun.gc(true);
    return { ...cost, wall };
  });
  console.log('\ncold load');
  show('150,000 pods, processor time', median(rounds.map((round) => round.pods)), 'ms');
  show('10,000 policies and 110 endpoints, processor time', median(rounds.map((round) => round.policies)), 'ms');
  show('first flush, processor time', median(rounds.map((round) => round.flush)), 'ms');
  const together = rounds.map((round) => round.pods + round.policies + round.flush);
  show('together, processor time', median(together), 'ms');
  show('together, by the clock', median(rounds.map((round) => round.wall)), 'ms');
}

const tcp = (port: number): PolicyRule['ports'] => [{ protocol: 'TCP', port: { first: port, last: port } }];
const fromPods = (pods: LabelSelector, ports: PolicyRule['ports'] = 'any'): Pick<NetworkPolicy, 'ingress'> => ({
  ingress: [{ index: 0, peers: [{ type: 'pods', namespaces: [], pods }], ports }],
});
const everybodyBut = (index: number): LabelSelector => [{ key: 'app', operator: 'NotIn', values: [`none-${index}`] }];

/** Policies as nobody should write them: what they cost where that could be more than their number. */
const MANY: readonly { readonly what: string; readonly policies: (index: number) => NetworkPolicy; count: number }[] = [
  {
    what: 'policies, each with a selector of everybody',
    count: 1000,
    policies: (index) => policyOf(`ns-0/p${index}`, fromPods(everybodyBut(index))),
  },
  {
    what: 'policies, each with a selector of everybody and a port',
    count: 1000,
    policies: (index) => policyOf(`ns-0/p${index}`, fromPods(everybodyBut(index), tcp(1000 + index))),
  },
  {
    what: 'policies, each with 8 selectors of everybody, of 100 pods',
    count: 100,
    policies: (index) =>
      policyOf(`ns-0/p${index}`, {
        podSelector: labelled({ own: `${index}` }),
        ingress: Array.from({ length: 8 }, (_, at) => ({
          index: at,
          peers: [{ type: 'pods', namespaces: [], pods: everybodyBut(index * 8 + at) }],
          ports: 'any',
        })),
      }),
  },
  {
    what: 'policies, each with pods of a label and a port',
    count: 10_000,
    policies: (index) =>
      policyOf(`ns-0/p${index}`, fromPods(labelled({ app: `app-${index % 500}` }), tcp(1000 + index))),
  },
  {
    what: 'policies, each with 1,000 blocks and exceptions',
    count: 10,
    policies: (index) =>
      policyOf(`ns-0/p${index}`, {
        ingress: [
          { index: 0, peers: Array.from({ length: 1000 }, (_, at) => blockAt(index * 1000 + at)), ports: 'any' },
        ],
      }),
  },
];

function blockAt(index: number): PolicyPeer {
  const first = 0xac10_0000 + index * 256;
  return {
    type: 'block',
    cidr: cidrOf(first as Ipv4, 24),
    except: [cidrOf((first + 16 + (index % 64)) as Ipv4, 30)],
  };
}

/** 10,000 pods, 100 endpoints of one namespace with labels of their own, and the policies on all of them. */
function benchMany({ what, policies, count }: (typeof MANY)[number]): void {
  let members = 0;
  const rounds = Array.from({ length: ROUNDS }, () => {
    const engine = createPolicyEngine();
    fill(engine, 10_000, 0);
    for (let index = 0; index < 100; index++) {
      const pod = podAt(index);
      const own = { ...pod, labels: { ...pod.labels, own: `${index}` } };
      engine.putPod(own);
      engine.putEndpoint(endpointOf(own, { key: `c${index}/eth0` }));
    }
    engine.flush();
    const flush = (): void => {
      const delta = engine.flush();
      members = 0;
      for (const { id } of delta?.newSets ?? []) for (const _ of engine.view.members(id)) members++;
    };
    const put = (from: number, to: number): void => {
      for (let index = from; index < to; index++) engine.putPolicy(policies(index));
      flush();
    };
    const all = elapsed(() => put(0, count - 1));
    const chains = [...engine.view.chains()];
    const shape = `${chains.reduce((sum, { rules }) => sum + rules.length, 0)} rules in ${chains.length} chains, ${members} members`;
    const more = elapsed(() => put(count - 1, count));
    const statuses = elapsed(() => JSON.stringify([...engine.endpointStatuses()].map(({ state }) => state)));
    const none = elapsed(() => {
      for (let index = 0; index < count; index++) engine.deletePolicy('ns-0', `p${index}`);
      flush();
    });
    Bun.gc(true);
    return { all, more, statuses, none, shape };
  });
  console.log(`\n${count} ${what}: ${rounds[0]?.shape}`);
  const cost = (of: 'all' | 'more' | 'statuses' | 'none'): number => median(rounds.map((round) => round[of])) / 1e6;
  show('  all but one come, members read', cost('all'), 'ms');
  show('  one more', cost('more'), 'ms');
  show('  states of the endpoints', cost('statuses'), 'ms');
  show('  all go', cost('none'), 'ms');
}

/** Strings and objects of the pods are made anew, as a decoder makes them. */
function benchMemory(pods: number): void {
  Bun.gc(true);
  const before = process.memoryUsage();
  const engine = createPolicyEngine();
  fill(engine, pods, 10_000);
  addEndpoints(engine);
  engine.flush();
  Bun.gc(true);
  const after = process.memoryUsage();
  show(`heap of ${pods} pods and 10,000 policies`, (after.heapUsed - before.heapUsed) / 1e6, 'MB');
  show('resident after it, whole process', after.rss / 1e6, 'MB');
  if (engine.view.memberCount([...engine.view.sets()][0]?.id ?? '') < 0) throw new Error('kept alive');
}

console.log(
  `load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')} on ${navigator.hardwareConcurrency} CPUs`,
);
benchMemory(150_000);
for (const pods of [10_000, 100_000]) benchNewPolicy(pods);
for (const pods of [1000, 10_000, 100_000]) benchEvents(pods);
benchColdLoad();
for (const many of MANY) benchMany(many);
console.log(
  `load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')}`,
);
