/** The checklist of NetworkPolicy v1 row by row, with objects as people write them. */
import { parseNetworkPolicy } from '@canal/api-schema';
import type { NetworkPolicy, PolicyEndpoint, PolicyPod } from '@canal/model';
import { type InterfaceName, type Ip, type Mac, parseIp, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import type { PolicyCluster } from './cluster.ts';
import { podOf } from './testing/pod-of.ts';
import { judgeByTheWords } from './words.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));

function endpointOf({ namespace, name, uid, addresses }: PolicyPod): PolicyEndpoint {
  return {
    key: `${namespace}-${name}/eth0`,
    pod: { namespace, name, uid },
    hostInterface: `cnl${name}` as InterfaceName,
    mode: 'routed',
    addresses,
    mac: '02:00:00:00:00:01' as Mac,
  };
}

const WEB = podOf('shop/web', ['10.1.0.1', 'fd00:1::1'], {
  ports: [
    { name: 'http', protocol: 'TCP', port: 8080 },
    { name: 'dns', protocol: 'UDP', port: 53 },
    { name: 'dns', protocol: 'UDP', port: 5353 },
  ],
});
const DB = podOf('shop/db', ['10.1.0.2', 'fd00:1::2'], { ports: [{ name: 'http', protocol: 'TCP', port: 9090 }] });
const MON = podOf('ops/mon', ['10.1.0.3'], { node: 'n2', labels: { app: 'mon', tier: 'f' } });
const WEB_OF_OPS = podOf('ops/web', ['10.1.0.4'], { node: 'n2', labels: {} });
const AGENT = podOf('ops/agent', ['192.168.0.2'], { node: 'n2', hostNetwork: true });
const JOB = podOf('shop/job', ['10.1.0.5'], { node: 'n2', completed: true });

const CLUSTER: PolicyCluster = {
  namespaces: [
    { name: 'shop', labels: { 'kubernetes.io/metadata.name': 'shop', team: 'a' } },
    { name: 'ops', labels: { 'kubernetes.io/metadata.name': 'ops' } },
  ],
  pods: [WEB, DB, MON, WEB_OF_OPS, AGENT, JOB],
  policies: [],
  endpoints: [WEB, DB].map(endpointOf),
  ownNodeAddresses: [ip('192.168.0.1')],
  otherNodeAddresses: [ip('192.168.0.2')],
};

function policies(...specs: unknown[]): NetworkPolicy[] {
  return specs.map((spec, index) => {
    const parsed = parseNetworkPolicy({ metadata: { namespace: 'shop', name: `p${index}` }, spec });
    if (!parsed.ok) throw new Error(parsed.error);
    return parsed.value;
  });
}

const PROTOCOLS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132, ICMP: 1, ICMPv6: 58, GRE: 47 };

/** `10.1.0.3 > 10.1.0.1 TCP 80`. */
function passes(cluster: PolicyCluster, words: string): boolean {
  const [source = '', , destination = '', protocol = '', port] = words.split(' ');
  const packet = { source: ip(source), destination: ip(destination), protocol: PROTOCOLS[protocol]! };
  const { verdict } = judgeByTheWords(
    cluster,
    port === undefined ? packet : { ...packet, destinationPort: Number(port) },
  );
  return verdict === 'allow';
}

/** Which of the packets pass under policies of these specs. */
function expectPasses(specs: unknown[], allowed: string[], denied: string[], cluster = CLUSTER): void {
  const policed = { ...cluster, policies: policies(...specs) };
  expect(allowed.filter((words) => !passes(policed, words))).toEqual([]);
  expect(denied.filter((words) => passes(policed, words))).toEqual([]);
}

const IN = '10.1.0.3 > 10.1.0.1 TCP 80';
const OUT = '10.1.0.1 > 10.1.0.3 TCP 80';
const web = { matchLabels: { app: 'web' } };

test('no policy, or none that selects: nothing is isolated', () => {
  expectPasses([], [IN, OUT], []);
  expectPasses([{ podSelector: { matchLabels: { app: 'none' } }, policyTypes: ['Ingress', 'Egress'] }], [IN, OUT], []);
  const elsewhere = { ...CLUSTER, policies: policies({}).map((policy) => ({ ...policy, namespace: 'ops' })) };
  expect(passes(elsewhere, IN)).toBe(true);
});

test('rows 1, 2: which directions a policy isolates, and what empty means', () => {
  expectPasses([{ podSelector: {} }], [OUT], [IN]);
  expectPasses([{ podSelector: {}, policyTypes: ['Egress'] }], [IN], [OUT]);
  expectPasses([{ podSelector: {}, egress: [{}] }], [OUT], [IN]);
  expectPasses([{ podSelector: {}, ingress: [{}] }], [IN, OUT], []);
  expectPasses([{ podSelector: {}, ingress: [{ from: [], ports: [] }] }], [IN, OUT], []);
  expectPasses([{ podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [] }], [], [IN, OUT]);
});

describe('row 3: peers', () => {
  const from = (...peers: unknown[]): unknown[] => [{ podSelector: web, ingress: [{ from: peers }] }];
  const DB_IN = '10.1.0.2 > 10.1.0.1 TCP 80';
  const MON_IN = '10.1.0.3 > 10.1.0.1 TCP 80';
  const OPS_WEB_IN = '10.1.0.4 > 10.1.0.1 TCP 80';
  const OUTSIDE_IN = '8.8.8.8 > 10.1.0.1 TCP 80';
  const ops = { matchLabels: { 'kubernetes.io/metadata.name': 'ops' } };
  test.each<[string, unknown[], string[], string[]]>([
    ['podSelector alone: own namespace', from({ podSelector: {} }), [DB_IN], [MON_IN, OPS_WEB_IN, OUTSIDE_IN]],
    [
      'namespaceSelector alone: all pods there',
      from({ namespaceSelector: ops }),
      [MON_IN, OPS_WEB_IN],
      [DB_IN, OUTSIDE_IN],
    ],
    [
      'empty namespaceSelector: all pods, and nobody else',
      from({ namespaceSelector: {} }),
      [DB_IN, MON_IN],
      [OUTSIDE_IN],
    ],
    [
      'both in one item: AND',
      from({ namespaceSelector: ops, podSelector: { matchLabels: { app: 'mon' } } }),
      [MON_IN],
      [OPS_WEB_IN, DB_IN],
    ],
    [
      'two items: OR',
      from({ namespaceSelector: ops }, { podSelector: { matchLabels: { app: 'db' } } }),
      [MON_IN, OPS_WEB_IN, DB_IN],
      [OUTSIDE_IN],
    ],
    [
      'row 24: NotIn and DoesNotExist match without the key',
      from({
        namespaceSelector: {},
        podSelector: {
          matchExpressions: [
            { key: 'app', operator: 'NotIn', values: ['mon'] },
            { key: 'tier', operator: 'DoesNotExist' },
          ],
        },
      }),
      [DB_IN, OPS_WEB_IN],
      [MON_IN],
    ],
    ['nobody', from({}), [], [DB_IN, MON_IN, OUTSIDE_IN]],
  ])('%s', (_, specs, allowed, denied) => expectPasses(specs, allowed, denied));
});

test('row 4: policies add up, and both ends must allow', () => {
  const denyAll = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] };
  const webOut = { podSelector: web, policyTypes: ['Egress'], egress: [{}] };
  const dbIn = { podSelector: { matchLabels: { app: 'db' } }, ingress: [{}] };
  const between = '10.1.0.1 > 10.1.0.2 TCP 80';
  expectPasses([denyAll, webOut], [OUT], [between]);
  expectPasses([denyAll, dbIn], ['10.1.0.3 > 10.1.0.2 TCP 80'], [between]);
  expectPasses([webOut, denyAll, dbIn], [between], ['10.1.0.2 > 10.1.0.1 TCP 80']);
});

test('rows 5, 8: protocols and ranges', () => {
  const at = (...ports: unknown[]): unknown[] => [{ podSelector: web, ingress: [{ ports }] }];
  const to = (what: string): string => `10.1.0.3 > 10.1.0.1 ${what}`;
  expectPasses(at({ port: 80 }), [to('TCP 80')], [to('UDP 80'), to('SCTP 80'), to('TCP 81'), to('ICMP')]);
  expectPasses(at({ protocol: 'SCTP' }), [to('SCTP 7')], [to('TCP 7'), to('UDP 7'), to('GRE')]);
  expectPasses(at({ port: 80, endPort: 82 }), [to('TCP 80'), to('TCP 82')], [to('TCP 79'), to('TCP 83')]);
  expectPasses(at({ protocol: 'DCCP', port: 80 }), [], [to('TCP 80'), to('UDP 80')]);
  expectPasses(at({ port: 80, endPort: 79 }), [], [to('TCP 80'), to('TCP 79')]);
});

test('row 6: a named port is the destination’s, by name and protocol', () => {
  const ingress = [{ podSelector: {}, ingress: [{ ports: [{ port: 'http' }, { port: 'dns', protocol: 'UDP' }] }] }];
  expectPasses(
    ingress,
    [
      '10.1.0.3 > 10.1.0.1 TCP 8080',
      '10.1.0.3 > 10.1.0.2 TCP 9090',
      '10.1.0.3 > 10.1.0.1 UDP 5353',
      '10.1.0.3 > 10.1.0.1 UDP 53',
    ],
    [
      '10.1.0.3 > 10.1.0.1 TCP 9090',
      '10.1.0.3 > 10.1.0.2 TCP 8080',
      '10.1.0.3 > 10.1.0.1 UDP 8080',
      '10.1.0.3 > 10.1.0.2 UDP 53',
    ],
  );
  const egress = (to: unknown[]): unknown[] => [
    { podSelector: web, policyTypes: ['Egress'], egress: [{ to, ports: [{ port: 'http' }] }] },
  ];
  const toDb = '10.1.0.1 > 10.1.0.2 TCP 9090';
  const asSource = '10.1.0.1 > 10.1.0.2 TCP 8080';
  expectPasses(egress([]), [toDb], [asSource, '10.1.0.1 > 8.8.8.8 TCP 9090', '10.1.0.1 > 10.1.0.3 TCP 9090']);
  expectPasses(egress([{ ipBlock: { cidr: '10.1.0.0/30' } }]), [toDb], [asSource]);
  expectPasses(egress([{ ipBlock: { cidr: '10.1.0.0/31' } }]), [], [toDb]);
  expectPasses(egress([{ podSelector: {} }]), [toDb], [asSource]);
});

test('rows 9, 10, 11: blocks', () => {
  const from = (...blocks: unknown[]): unknown[] => [
    { podSelector: web, ingress: [{ from: blocks.map((ipBlock) => ({ ipBlock })) }] },
  ];
  const [a, b] = ['10.2.0.1 > 10.1.0.1 TCP 80', '10.2.1.1 > 10.1.0.1 TCP 80'];
  const six = '2001:db8::1 > fd00:1::1 TCP 80';
  expectPasses(from({ cidr: '10.2.0.0/16', except: ['10.2.1.0/24'] }), [a], [b, six]);
  expectPasses(from({ cidr: '10.2.0.0/16', except: ['10.2.1.0/24'] }, { cidr: '10.2.1.1/32' }), [a, b], []);
  expectPasses(from({ cidr: '0.0.0.0/0' }), [a, b], [six]);
  expectPasses(from({ cidr: '::/0' }), [six], [a, b]);
  expectPasses(from({ cidr: '10.1.0.0/29' }), [IN], [a]);
  expectPasses(from({ cidr: '192.168.0.2/32' }), ['192.168.0.2 > 10.1.0.1 TCP 80'], [IN]);
  const exceptPod = { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/24'] } };
  expectPasses(
    [{ podSelector: web, ingress: [{ from: [exceptPod, { namespaceSelector: {} }] }] }],
    [IN, a],
    ['10.1.0.77 > 10.1.0.1 TCP 80'],
  );
});

test('row 14: the own node reaches its pods, other nodes do not, and pods do not reach the node', () => {
  const deny = [{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }];
  expectPasses(
    deny,
    ['192.168.0.1 > 10.1.0.1 TCP 80'],
    ['192.168.0.2 > 10.1.0.1 TCP 80', '10.1.0.1 > 192.168.0.1 TCP 80'],
  );
});

test('row 16: a pod reaches itself', () => {
  expectPasses(
    [{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }],
    ['10.1.0.1 > 10.1.0.1 TCP 80', 'fd00:1::1 > fd00:1::1 UDP 1'],
    ['10.1.0.2 > 10.1.0.1 TCP 80'],
  );
});

test('rows 17, 21: pods on the host’s network and completed pods are nobody’s peers', () => {
  const anyPod = [{ podSelector: web, ingress: [{ from: [{ namespaceSelector: {} }] }] }];
  expectPasses(anyPod, [IN], ['192.168.0.2 > 10.1.0.1 TCP 80', '10.1.0.5 > 10.1.0.1 TCP 80']);
  const heir = { ...CLUSTER, pods: [...CLUSTER.pods, podOf('ops/heir', ['10.1.0.5'], { createdMs: 1 })] };
  expectPasses(anyPod, ['10.1.0.5 > 10.1.0.1 TCP 80'], [], heir);
});

test('an address of two pods is the younger’s, or of the one that is not being deleted', () => {
  const fromMon = [
    {
      podSelector: web,
      ingress: [{ from: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'mon' } } }] }],
    },
  ];
  const at = (createdMs: number): PolicyCluster => ({
    ...CLUSTER,
    pods: [...CLUSTER.pods, podOf('shop/new', ['10.1.0.3'], { createdMs })],
  });
  expectPasses(fromMon, [IN], [], at(999));
  expectPasses(fromMon, [], [IN], at(1001));
  const deleting = { ...at(999), pods: at(999).pods.map((pod) => (pod === MON ? { ...pod, deleting: true } : pod)) };
  expectPasses(fromMon, [], [IN], deleting);
});

test('rows 19, 20: an endpoint that the API does not tell of is isolated, by uid', () => {
  const stranger = { ...endpointOf(podOf('shop/new', ['10.1.0.9'])), pod: undefined };
  const { pod: _, ...unnamed } = stranger;
  const again = { ...endpointOf(WEB), pod: { namespace: 'shop', name: 'web', uid: 'other' } };
  expectPasses([], [], ['10.1.0.3 > 10.1.0.9 TCP 80', '10.1.0.9 > 8.8.8.8 ICMP'], { ...CLUSTER, endpoints: [unnamed] });
  expectPasses([], ['192.168.0.1 > 10.1.0.1 TCP 80'], [IN, OUT], { ...CLUSTER, endpoints: [again] });
});

test('row 26: a rule without ports allows every protocol, one with ports none but its own', () => {
  const ping = '10.1.0.3 > 10.1.0.1 ICMP';
  const ping6 = 'fd00:1::3 > fd00:1::1 ICMPv6';
  expectPasses([{ podSelector: web, ingress: [{}] }], [ping, ping6, '10.1.0.3 > 10.1.0.1 GRE'], []);
  expectPasses(
    [{ podSelector: web, ingress: [{ ports: [{ protocol: 'TCP' }, { protocol: 'UDP' }, { protocol: 'SCTP' }] }] }],
    [IN],
    [ping, ping6],
  );
});

test('a policy whose podSelector cannot be read isolates all, and opens nobody for another policy', () => {
  const broken = { podSelector: { matchExpressions: [{ key: 'app', operator: 'Equals' }] }, ingress: [{}] };
  expectPasses([broken], [OUT], [IN]);
  expectPasses([broken, { podSelector: web, ingress: [] }], [], [IN]);
});

test('ends on other nodes are theirs to judge', () => {
  const remote = judgeByTheWords(CLUSTER, {
    source: ip('10.1.0.3'),
    destination: ip('10.1.0.1'),
    protocol: 6,
    destinationPort: 80,
  });
  expect(remote).toEqual({ verdict: 'allow', ingress: 'allow' });
  expect(judgeByTheWords(CLUSTER, { source: ip('8.8.8.8'), destination: ip('10.1.0.3'), protocol: 1 })).toEqual({
    verdict: 'allow',
  });
});
