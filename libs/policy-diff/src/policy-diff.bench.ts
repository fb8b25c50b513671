/**
 * What a diff costs: 10,000 pods in 100 namespaces with 20 workloads each, 1,000 policies (half have peers of their own
 * namespace, half of namespaces that a selector selects, some have blocks or ports by name), 100 nodes. Medians.
 */
import { loadavg } from 'node:os';
import type { NetworkPolicy, PolicyNamespace, PolicyPeer, PolicyPod, PolicyRule } from '@canal/model';
import { cidrOf, type Ip, type Ipv4 } from 'net-types';
import type { ClusterNode, ClusterState } from './cluster-state.ts';
import { diff } from './diff.ts';
import { render } from './render.ts';

const ROUNDS = 5;
const PODS = 10_000;
const POLICIES = 1000;
const NAMESPACES = 100;
const APPS = 20;
const NODES = 100;

function podAt(index: number, dual: boolean): PolicyPod {
  const namespace = index % NAMESPACES;
  const app = `app-${Math.floor(index / NAMESPACES) % APPS}`;
  const hash = (namespace * 7919 + 1).toString(36);
  return {
    namespace: `ns-${namespace}`,
    name: `${app}-${hash}-${index.toString(36)}`,
    uid: `uid-${index}`,
    labels: { app, 'app.kubernetes.io/name': app, 'pod-template-hash': hash, tier: `tier-${index % 4}` },
    addresses: [(0x0a00_0000 + index) as Ip, ...(dual ? [((0xfd00n << 112n) + BigInt(index)) as Ip] : [])],
    node: `node-${index % NODES}`,
    hostNetwork: false,
    completed: false,
    ports: index % 3 === 0 ? [{ name: 'http', protocol: 'TCP', port: 8080 + (index % 2) }] : [],
    createdMs: 1_700_000_000_000 + index,
  };
}

function policyAt(index: number, port = 1000 + index): NetworkPolicy {
  const namespace = `ns-${index % NAMESPACES}`;
  const app = (offset: number): PolicyPeer => ({
    type: 'pods',
    namespaces: index % 2 === 0 ? 'own' : [{ key: 'team', operator: 'In', values: [`team-${(index + offset) % 10}`] }],
    pods: [{ key: 'app', operator: 'In', values: [`app-${(index + offset) % APPS}`] }],
  });
  const block: PolicyPeer = {
    type: 'block',
    cidr: cidrOf((0xc000_0000 + index * 65_536) as Ipv4, 16),
    except: [cidrOf((0xc000_0000 + index * 65_536) as Ipv4, 24)],
  };
  const rule: PolicyRule = {
    index: 0,
    peers: index % 5 === 0 ? [app(1), app(2), block] : [app(1), app(2)],
    ports: [
      { protocol: 'TCP', port: index % 4 === 0 ? { name: 'http' } : { first: port, last: port } },
      { protocol: 'UDP', port: { first: 53, last: 53 } },
    ],
  };
  const selected = `app-${Math.floor(index / NAMESPACES) % APPS}`;
  return {
    namespace,
    name: `policy-${index}`,
    uid: `uid-policy-${index}`,
    podSelector: [{ key: 'app', operator: 'In', values: [selected] }],
    ingress: [rule],
    ...(index % 3 === 0 && { egress: [rule] }),
    problems: [],
  };
}

function denyAll(namespace: string): NetworkPolicy {
  return { namespace, name: 'deny', uid: `uid-${namespace}`, podSelector: [], ingress: [], egress: [], problems: [] };
}

const namespaces: PolicyNamespace[] = Array.from({ length: NAMESPACES }, (_, index) => ({
  name: `ns-${index}`,
  labels: { 'kubernetes.io/metadata.name': `ns-${index}`, team: `team-${index % 10}` },
}));
const nodes: ClusterNode[] = Array.from({ length: NODES }, (_, index) => ({
  name: `node-${index}`,
  addresses: [(0xac10_0000 + index) as Ip],
}));
const policies = Array.from({ length: POLICIES }, (_, index) => policyAt(index));
const stateWith = (more: Partial<ClusterState>, dual = false): ClusterState => ({
  namespaces,
  nodes,
  policies,
  pods: Array.from({ length: PODS }, (_, index) => podAt(index, dual)),
  ...more,
});
/** The first of `count` of the policies with another port. */
const changed = (count: number): NetworkPolicy[] =>
  policies.map((policy, index) =>
    index % (POLICIES / count) === 1 % (POLICIES / count) ? policyAt(index, 40_000 + index) : policy,
  );

function measure(what: string, before: ClusterState, after: ClusterState): void {
  const times: number[] = [];
  let told = diff(before, after);
  for (let round = 0; round < ROUNDS; round++) {
    const start = Bun.nanoseconds();
    told = diff(before, after);
    times.push((Bun.nanoseconds() - start) / 1e6);
  }
  const [least, median, most] = [0, Math.floor(ROUNDS / 2), ROUNDS - 1].map(
    (at) => times.sort((a, b) => a - b)[at] ?? 0,
  );
  const groups = `${told.opens.length} open, ${told.closes.length} close`;
  console.log(
    `${what.padEnd(48)} ${median?.toFixed(0).padStart(6)} ms (${least?.toFixed(0)}-${most?.toFixed(0)})  ${groups}`,
  );
  if (process.env['CANAL_LINES'] !== undefined)
    console.log(render(told).slice(0, Number(process.env['CANAL_LINES'])).join('\n'));
}

console.log(`load ${loadavg()[0]?.toFixed(1)}, ${PODS} pods, ${POLICIES} policies, median of ${ROUNDS} (least-most)`);
const plain = stateWith({});
measure('nothing changed', plain, stateWith({}));
measure('one policy changed', plain, stateWith({ policies: changed(1) }));
measure('100 policies changed', plain, stateWith({ policies: changed(100) }));
measure('all policies changed', plain, stateWith({ policies: changed(1000) }));
measure('a default deny added to one namespace', plain, stateWith({ policies: [...policies, denyAll('ns-7')] }));
measure(
  'a default deny added to every namespace',
  plain,
  stateWith({ policies: [...policies, ...namespaces.map(({ name }) => denyAll(name))] }),
);
measure(
  'labels of one namespace changed',
  plain,
  stateWith({ namespaces: namespaces.map((it, index) => (index === 3 ? { ...it, labels: {} } : it)) }),
);
measure(
  'labels of 100 pods changed',
  plain,
  stateWith({ pods: plain.pods.map((pod, index) => (index % 100 === 0 ? { ...pod, labels: {} } : pod)) }),
);
measure('dual-stack, 100 policies changed', stateWith({}, true), stateWith({ policies: changed(100) }, true));
