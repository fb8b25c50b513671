/** One kind of change a row, as a person reads it. */
import { parseNetworkPolicy } from '@canal/api-schema';
import type { NetworkPolicy, PolicyPod } from '@canal/model';
import { podOf } from '@canal/policy-oracle/testing';
import { parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import type { ClusterState } from './cluster-state.ts';
import { diff } from './diff.ts';
import { render } from './render.ts';

const http = (port: number) => [{ name: 'http', protocol: 'TCP' as const, port }];
const replica = (suffix: string, address: string, more: Partial<PolicyPod> = {}): PolicyPod =>
  podOf(`shop/web-5d4f8-${suffix}`, [address], { labels: { app: 'web', 'pod-template-hash': '5d4f8' }, ...more });
const WEB = replica('aaaaa', '10.1.0.1', { ports: http(8080) });
const WEB_2 = replica('bbbbb', '10.1.0.2', { ports: http(9090), node: 'n2' });
const DB = podOf('shop/db', ['10.1.0.3', 'fd00:1::3']);
const MON = podOf('ops/mon', ['10.1.0.4', 'fd00:1::4'], { node: 'n2' });

const STATE: ClusterState = {
  namespaces: [
    { name: 'shop', labels: { 'kubernetes.io/metadata.name': 'shop' } },
    { name: 'ops', labels: { 'kubernetes.io/metadata.name': 'ops', team: 'sre' } },
  ],
  pods: [WEB, WEB_2, DB, MON],
  policies: [],
  nodes: [
    { name: 'n1', addresses: [unwrap(parseIp('192.168.0.1'))] },
    { name: 'n2', addresses: [unwrap(parseIp('192.168.0.2'))] },
  ],
};

/** Named after its place, in `shop`. */
function policies(...specs: unknown[]): NetworkPolicy[] {
  return specs.map((spec, index) =>
    unwrapped(parseNetworkPolicy({ metadata: { namespace: 'shop', name: `p${index}` }, spec })),
  );
}

function unwrapped<T>(result: { ok: true; value: T } | { ok: false; error: unknown }): T {
  if (!result.ok) throw new Error(String(result.error));
  return result.value;
}

/** Without the line that tells how much was compared. */
function lines(before: Partial<ClusterState>, after: Partial<ClusterState>): readonly string[] {
  return render(diff({ ...STATE, ...before }, { ...STATE, ...after })).slice(0, -1);
}

const db = { matchLabels: { app: 'db' } };
const web = { matchLabels: { app: 'web' } };
const NOTHING = ['no flow opens or closes'];

const dbFrom = (from: unknown[], ports: unknown[] = [{ port: 5432 }]) =>
  policies({ podSelector: db, ingress: [{ from, ports }] });
const dbPorts = (...ports: unknown[]) => dbFrom([{ podSelector: web }], ports);
const denyIn = policies({ podSelector: {} });
const EVERYTHING_TO_SHOP = 'every pod (4), every node, everything outside -> shop/* (3 pods): all';

test.each<[string, Partial<ClusterState>, Partial<ClusterState>, readonly string[]]>([
  ['equal states', { policies: denyIn }, { policies: [...denyIn] }, NOTHING],
  ['a default deny added', {}, { policies: denyIn }, [`closes  ${EVERYTHING_TO_SHOP}, by policy shop/p0 (added)`]],
  ['a default deny removed', { policies: denyIn }, {}, [`opens   ${EVERYTHING_TO_SHOP}, by policy shop/p0 (removed)`]],
  [
    'an allowance beside a default deny',
    { policies: denyIn },
    { policies: [...denyIn, ...dbPorts({ port: 5432 }).map((policy) => ({ ...policy, name: 'db-allow' }))] },
    ['opens   shop/web (2 pods) -> shop/db (1 pod): TCP 5432, by policy shop/db-allow (added)'],
  ],
  [
    'an allowance that another policy gives already',
    { policies: dbPorts({ port: 5432 }) },
    {
      policies: [...dbPorts({ port: 5432 }), ...dbPorts({ port: 5432 }).map((policy) => ({ ...policy, name: 'too' }))],
    },
    NOTHING,
  ],
  [
    'a port changed',
    { policies: dbPorts({ port: 5432 }) },
    { policies: dbPorts({ port: 5433 }) },
    [
      'opens   shop/web (2 pods) -> shop/db (1 pod): TCP 5433, by policy shop/p0 (changed)',
      'closes  shop/web (2 pods) -> shop/db (1 pod): TCP 5432, by policy shop/p0 (changed)',
    ],
  ],
  [
    'endPort',
    { policies: dbPorts({ port: 5432 }) },
    { policies: dbPorts({ port: 5432, endPort: 5440 }) },
    ['opens   shop/web (2 pods) -> shop/db (1 pod): TCP 5433-5440, by policy shop/p0 (changed)'],
  ],
  [
    'no port any more: every protocol',
    { policies: dbPorts({ port: 5432 }) },
    { policies: dbPorts() },
    ['opens   shop/web (2 pods) -> shop/db (1 pod): all but TCP 5432, by policy shop/p0 (changed)'],
  ],
  [
    'an except added',
    { policies: dbFrom([{ ipBlock: { cidr: '10.0.0.0/8' } }]) },
    { policies: dbFrom([{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }]) },
    [
      'closes  every pod (4), outside 10.1.0.0/16 -> shop/db (1 pod): TCP 5432 (IPv4 alone), by policy shop/p0 (changed)',
    ],
  ],
  [
    'an IPv6 block',
    { policies: dbFrom([{ podSelector: web }]) },
    { policies: dbFrom([{ podSelector: web }, { ipBlock: { cidr: '2001:db8::/32' } }]) },
    ['opens   outside 2001:db8::/32 -> shop/db (1 pod): TCP 5432, by policy shop/p0 (changed)'],
  ],
  [
    'a block of one node, which is not of the own node',
    { policies: dbFrom([{ podSelector: web }]) },
    { policies: dbFrom([{ podSelector: web }, { ipBlock: { cidr: '192.168.0.0/30' } }]) },
    [
      'opens   every node, outside 192.168.0.0/30 -> shop/db (1 pod): TCP 5432 (IPv4 alone), by policy shop/p0 (changed)',
    ],
  ],
  [
    'a block that is a pod alone',
    { policies: dbFrom([{ podSelector: web }]) },
    { policies: dbFrom([{ podSelector: web }, { ipBlock: { cidr: '10.1.0.4/32' } }]) },
    ['opens   ops/mon (1 pod) -> shop/db (1 pod): TCP 5432 (IPv4 alone), by policy shop/p0 (changed)'],
  ],
  [
    'labels of a namespace changed',
    { policies: dbFrom([{ namespaceSelector: { matchLabels: { team: 'sre' } } }]) },
    {
      policies: dbFrom([{ namespaceSelector: { matchLabels: { team: 'sre' } } }]),
      namespaces: STATE.namespaces.map(({ name }) => ({ name, labels: {} })),
    },
    ['closes  ops/mon (1 pod) -> shop/db (1 pod): TCP 5432, by labels of namespace ops'],
  ],
  [
    'labels of a pod changed',
    { policies: dbFrom([{ podSelector: web }]) },
    {
      policies: dbFrom([{ podSelector: web }]),
      pods: [{ ...WEB, labels: { ...WEB.labels, app: 'old' } }, WEB_2, DB, MON],
    },
    [
      'closes  shop/web (1 of 2 pods: shop/web-5d4f8-aaaaa) -> shop/db (1 pod): TCP 5432, by labels, ports or addresses of shop/web',
    ],
  ],
  [
    'a named port has the number that each destination gives it',
    { policies: policies({ podSelector: web, ingress: [{ ports: [{ port: 80 }] }] }) },
    { policies: policies({ podSelector: web, ingress: [{ ports: [{ port: 'http' }] }] }) },
    [
      'opens   every pod (4), every node, everything outside -> shop/web (1 of 2 pods: shop/web-5d4f8-aaaaa): TCP 8080, by policy shop/p0 (changed)',
      'opens   every pod (4), every node, everything outside -> shop/web (1 of 2 pods: shop/web-5d4f8-bbbbb): TCP 9090, by policy shop/p0 (changed)',
      'closes  every pod (4), every node, everything outside -> shop/web (2 pods): TCP 80, by policy shop/p0 (changed)',
    ],
  ],
  [
    'a named port that the pod no longer has',
    { policies: policies({ podSelector: web, ingress: [{ ports: [{ port: 'http' }] }] }) },
    {
      policies: policies({ podSelector: web, ingress: [{ ports: [{ port: 'http' }] }] }),
      pods: [{ ...WEB, ports: [] }, WEB_2, DB, MON],
    },
    [
      'closes  every pod (4), every node, everything outside -> shop/web (1 of 2 pods: shop/web-5d4f8-aaaaa): TCP 8080, by labels, ports or addresses of shop/web',
    ],
  ],
  [
    'policyTypes: egress instead of ingress',
    { policies: policies({ podSelector: db, policyTypes: ['Ingress'] }) },
    { policies: policies({ podSelector: db, policyTypes: ['Egress'] }) },
    [
      'opens   every pod (4), every node, everything outside -> shop/db (1 pod): all, by policy shop/p0 (changed)',
      'closes  shop/db (1 pod) -> every pod (4), every node, everything outside: all, by policy shop/p0 (changed)',
    ],
  ],
  [
    'egress opens what ingress of the destination denies: nothing',
    { policies: policies({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }) },
    {
      policies: policies(
        { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
        { podSelector: web, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: db }] }] },
      ),
    },
    NOTHING,
  ],
  [
    'pods that come and go, and nothing else',
    { policies: dbPorts({ port: 5432 }), pods: [WEB, DB, MON] },
    { policies: dbPorts({ port: 5432 }), pods: [WEB_2, DB, { ...MON, completed: true }] },
    [
      'no flow opens or closes',
      'came: 1 pod, whose flows are not compared: shop/web-5d4f8-bbbbb (IPv4)',
      'went: 2 pods, whose flows are not compared: ops/mon, shop/web-5d4f8-aaaaa (IPv4)',
    ],
  ],
  [
    'a policy written otherwise, of the same meaning',
    {
      policies: policies({
        podSelector: db,
        ingress: [{ from: [{ podSelector: web }], ports: [{ port: 80 }, { port: 81 }] }],
      }),
    },
    {
      policies: policies({
        podSelector: db,
        ingress: [{ from: [{ podSelector: web }], ports: [{ port: 80, endPort: 81 }] }],
      }),
    },
    NOTHING,
  ],
  [
    'a policy of pods that are not there',
    {},
    { policies: policies({ podSelector: { matchLabels: { app: 'none' } } }) },
    NOTHING,
  ],
])('%s', (_, before, after, expected) => {
  expect(lines(before, after)).toEqual(expected);
});

test('one pod alone in its group is not told as a flow to itself', () => {
  const alone = policies({ podSelector: db, ingress: [{ from: [{ podSelector: db }] }] });
  expect(lines({ policies: policies({ podSelector: db }) }, { policies: alone })).toEqual(NOTHING);
});

test('all but few are told as such', () => {
  const more = Array.from({ length: 20 }, (_, index) => podOf(`shop/app-${index}`, [`10.2.0.${index}`]));
  const pods = [...more, DB, MON];
  const notApp3 = { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['app-3'] }] };
  expect(
    lines({ policies: dbFrom([]).slice(1), pods }, { policies: policies({ podSelector: notApp3 }), pods }),
  ).toEqual([
    'closes  every pod (22), every node, everything outside -> shop/* but shop/app-3 (1 pod) (20 pods): all, by policy shop/p0 (added)',
  ]);
});

test('what a line leaves out it counts', () => {
  const told = diff(STATE, { ...STATE, policies: policies({ podSelector: web, policyTypes: ['Egress'] }) });
  expect(render(told, { names: 1 })).toEqual([
    'closes  shop/web (2 pods) -> every pod (4) and 2 more: all, by policy shop/p0 (added)',
    'compared: 4 pods of 3 workloads',
  ]);
  expect(JSON.parse(JSON.stringify(told))).toEqual(told);
});
