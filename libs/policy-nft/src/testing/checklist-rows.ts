/** The rows of the checklist of NetworkPolicy v1 semantics, each as objects of the API and ways that are open and closed. */
import type { Step } from './checklist-world.ts';

interface RowCase {
  /** Numbers of the rows that it shows. */
  readonly rows: readonly number[];
  readonly title: string;
  readonly steps: readonly Step[];
}

/** `a/name` with a spec. */
function policy(name: string, spec: object): object {
  const [namespace = '', short = ''] = name.split('/');
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name: short, uid: `uid-${name}` },
    spec,
  };
}

const app = (name: string): object => ({ matchLabels: { app: name } });
const team = (name: string): object => ({ matchLabels: { team: name } });
const pods = (name: string): object => ({ podSelector: app(name) });
const block = (cidr: string, ...except: string[]): object => ({
  ipBlock: { cidr, ...(except.length > 0 && { except }) },
});
const tcp = (port: number | string, endPort?: number): object => ({
  protocol: 'TCP',
  port,
  ...(endPort !== undefined && { endPort }),
});
const udp = (port: number | string): object => ({ protocol: 'UDP', port });

/** Of the subject, in one direction. */
const ingress = (rules: unknown, name = 'a/in'): object =>
  policy(name, { podSelector: app('subject'), policyTypes: ['Ingress'], ingress: rules });
const egress = (rules: unknown, name = 'a/out'): object =>
  policy(name, { podSelector: app('subject'), policyTypes: ['Egress'], egress: rules });

const one = (rows: readonly number[], title: string, step: Step): RowCase => ({ rows, title, steps: [step] });

const ALL = 'tcp/80 udp/53 sctp/80 icmp';
const EVERYBODY = 'web,b-web,b-db,far,distant,outside,other-node';
const BOTH_WAYS_SHUT = [ingress([]), egress([])];

export const ROWS: readonly RowCase[] = [
  one([1], 'policyTypes absent: ingress always', {
    policies: [policy('a/p', { podSelector: app('subject') })],
    open: [`subject > web,far ${ALL}`, 'subject > outside,other-node,node tcp/80 udp/53 icmp', `node > subject ${ALL}`],
    closed: [`${EVERYBODY} > subject ${ALL}`],
  }),
  one([1], 'policyTypes absent: egress when it has a rule', {
    policies: [policy('a/p', { podSelector: app('subject'), egress: [{ to: [pods('web')] }] })],
    open: [`subject > web ${ALL}`],
    closed: [`${EVERYBODY} > subject ${ALL}`, `subject > b-web,far,distant ${ALL}`, 'subject > outside tcp/80'],
  }),
  one([1], 'policyTypes null and egress empty: ingress alone', {
    policies: [policy('a/p', { podSelector: app('subject'), policyTypes: null, egress: [] })],
    open: [`subject > web,far ${ALL}`],
    closed: [`web,far > subject ${ALL}`],
  }),
  one([1], 'policyTypes Egress: what it says of ingress is nothing', {
    policies: [policy('a/p', { podSelector: app('subject'), policyTypes: ['Egress'], ingress: [] })],
    open: [`web,far,outside > subject ${ALL}`],
    closed: [`subject > web,far ${ALL}`, 'subject > outside,node,other-node tcp/80 udp/53 icmp'],
  }),
  one([2], 'an empty list isolates', {
    policies: [ingress([])],
    closed: [`${EVERYBODY} > subject ${ALL}`],
    open: [`subject > web,far ${ALL}`],
  }),
  one([2], 'an absent list isolates', { policies: [ingress(undefined)], closed: [`web,far,outside > subject ${ALL}`] }),
  one([2], 'one empty rule allows all', {
    policies: [ingress([{}]), egress([{}])],
    open: [`${EVERYBODY} > subject ${ALL}`, `subject > web,far,distant ${ALL}`, 'subject > outside,node tcp/80 icmp'],
  }),
  one([2], 'from absent or empty is everybody', {
    policies: [
      ingress([
        { from: [], ports: [tcp(80)] },
        { from: null, ports: [tcp(81)] },
      ]),
    ],
    open: ['web,far,outside,other-node > subject tcp/80 tcp/81'],
    closed: ['web,far,outside > subject tcp/82 udp/80 sctp/80 icmp'],
  }),
  one([2], 'ports absent or empty is all', {
    policies: [ingress([{ from: [pods('web')], ports: [] }]), egress([{ to: [pods('distant')], ports: null }])],
    open: [`web > subject ${ALL}`, `subject > distant ${ALL}`],
    closed: [`b-web,far > subject ${ALL}`, `subject > far ${ALL}`],
  }),
  one([3], 'a pod selector alone is of the own namespace', {
    policies: [ingress([{ from: [pods('web')] }]), egress([{ to: [pods('distant'), pods('far')] }])],
    open: [`web > subject ${ALL}`, `subject > distant ${ALL}`],
    closed: [`b-web,far > subject ${ALL}`, `subject > far ${ALL}`],
  }),
  one([3], 'a namespace selector alone is all pods there', {
    policies: [ingress([{ from: [{ namespaceSelector: team('blue') }] }])],
    open: [`b-web,b-db,far > subject ${ALL}`],
    closed: [`web,distant,outside > subject ${ALL}`],
  }),
  one([3], 'both selectors in one item are AND', {
    policies: [ingress([{ from: [{ namespaceSelector: team('blue'), podSelector: app('web') }] }])],
    open: [`b-web > subject ${ALL}`],
    closed: [`web,b-db,far > subject ${ALL}`],
  }),
  one([3], 'two items are OR', {
    policies: [ingress([{ from: [{ namespaceSelector: team('blue') }, pods('web')] }])],
    open: [`web,b-web,b-db,far > subject ${ALL}`],
    closed: [`distant,outside > subject ${ALL}`],
  }),
  one([3], 'an empty selector is all', {
    policies: [ingress([{ from: [{ podSelector: {} }] }]), egress([{ to: [{ namespaceSelector: {} }] }])],
    open: [`web,distant > subject ${ALL}`, `subject > b-web,far,distant ${ALL}`],
    closed: [`b-web,far > subject ${ALL}`, 'subject > outside,other-node tcp/80 udp/53 icmp'],
  }),
  one([3], 'an item that says nothing is nobody', {
    policies: [ingress([{ from: [{}] }]), egress([{ to: [{ podSelector: null }] }])],
    closed: [`${EVERYBODY} > subject ${ALL}`, `subject > web,far ${ALL}`],
  }),
  one([4], 'policies add up, whatever their order', {
    policies: [
      ingress([{ from: [pods('web')], ports: [tcp(80)] }], 'a/z'),
      ingress([], 'a/m'),
      ingress([{ from: [pods('web')], ports: [udp(53)] }], 'a/b'),
    ],
    open: ['web > subject tcp/80 udp/53'],
    closed: ['web > subject tcp/81 udp/79 icmp', 'far > subject tcp/80 udp/53'],
  }),
  one([4], 'both ends must allow, and each direction is its own', {
    policies: [
      egress([{ to: [pods('web'), pods('distant')] }]),
      policy('a/web', { podSelector: app('web'), ingress: [{ from: [pods('subject')], ports: [tcp(80)] }] }),
    ],
    open: ['subject > web tcp/80', `subject > distant ${ALL}`, `b-web,far > subject ${ALL}`],
    closed: ['subject > web tcp/81 udp/53 sctp/80 icmp', 'b-web,far > web tcp/80', `subject > b-web ${ALL}`],
  }),
  one([5], 'a protocol that is not told is TCP', {
    policies: [ingress([{ ports: [{ port: 80 }] }])],
    open: ['web,far > subject tcp/80'],
    closed: ['web,far > subject udp/80 sctp/80 tcp/81'],
  }),
  one([5], 'no port is all ports of the protocol', {
    policies: [ingress([{ ports: [{ protocol: 'UDP' }] }]), egress([{ ports: [{}] }])],
    open: ['web,far > subject udp/53 udp/8080', 'subject > web,far tcp/80 tcp/8083'],
    closed: ['web,far > subject tcp/80 sctp/80 icmp', 'subject > web,far udp/53 sctp/80 icmp'],
  }),
  one([5], 'SCTP is SCTP', {
    policies: [ingress([{ ports: [{ protocol: 'SCTP', port: 80 }] }]), egress([{ ports: [{ protocol: 'SCTP' }] }])],
    open: ['web,far > subject sctp/80', 'subject > web,far sctp/53 sctp/8080'],
    closed: ['web,far > subject tcp/80 udp/80 sctp/81', 'subject > web,far tcp/80 udp/53'],
  }),
  one([5], 'what cannot be expressed isolates, and opens nothing', {
    policies: [ingress([{ ports: [{ protocol: 'DCCP', port: 80 }] }]), egress([{ ports: [{ port: true }] }])],
    closed: [`web,far > subject ${ALL}`, `subject > web,far ${ALL}`],
  }),
  one([6], 'a name is resolved on the destination: of ingress on the subject', {
    policies: [ingress([{ ports: [tcp('http')] }])],
    open: ['web,far > subject tcp/8080'],
    closed: ['web,far > subject tcp/8081 tcp/8083 udp/8080'],
  }),
  one([6], 'of egress on each pod, by its own number', {
    policies: [egress([{ to: [{ namespaceSelector: {} }], ports: [tcp('http')] }])],
    open: ['subject > web tcp/8081', 'subject > b-web tcp/8082', 'subject > far tcp/8083'],
    closed: [
      'subject > web tcp/8080 tcp/8082 udp/8081',
      'subject > far tcp/8080 tcp/8081',
      'subject > distant udp/8080 tcp/8080',
      'subject > b-db tcp/80 tcp/8080',
    ],
  }),
  one([6], 'by name and protocol', {
    policies: [egress([{ to: [{ namespaceSelector: {} }], ports: [udp('http')] }])],
    open: ['subject > distant udp/8080'],
    closed: ['subject > distant tcp/8080 udp/8081', 'subject > web udp/8081 tcp/8081'],
  }),
  one([6], 'a name that nobody has is nothing, never all', {
    policies: [ingress([{ ports: [tcp('grpc')] }]), egress([{ to: [pods('web')], ports: [tcp('grpc')] }])],
    closed: [`web,far > subject ${ALL}`, 'web > subject tcp/8080', `subject > web ${ALL}`, 'subject > web tcp/8081'],
  }),
  one([6], 'egress by name into a block: its pods', {
    policies: [egress([{ to: [block('10.244.2.0/24'), block('fd00:10:244:2::/64')], ports: [tcp('http')] }])],
    open: ['subject > far tcp/8083'],
    closed: ['subject > far tcp/8080', 'subject > web tcp/8081', 'subject > outside tcp/8083 tcp/8080'],
  }),
  one([6], 'egress by name without a peer: whoever declares it', {
    policies: [egress([{ ports: [tcp('http')] }])],
    open: ['subject > web tcp/8081', 'subject > far tcp/8083'],
    closed: ['subject > web tcp/8083', 'subject > outside,node tcp/8080 tcp/8081'],
  }),
  one([6, 7], 'a name of several containers is each of their numbers', {
    pods: {
      subject: { containers: [declares('http', 80), declares('http', 81)] },
      far: { containers: [declares('http', 82), declares('http', 83)] },
    },
    policies: [
      ingress([{ ports: [tcp('http')] }]),
      egress([{ to: [{ namespaceSelector: {} }], ports: [tcp('http')] }]),
    ],
    open: ['web,far > subject tcp/80 tcp/81', 'subject > far tcp/82 tcp/83'],
    closed: ['web,far > subject tcp/82', 'subject > far tcp/80 tcp/81'],
  }),
  one([7], 'names of init containers and sidecars; none where none is declared', {
    pods: {
      subject: {
        initContainers: [{ ...declares('side', 8082), restartPolicy: 'Always' }, declares('setup', 8083)],
        containers: [{ name: 'plain', image: 'i' }],
      },
    },
    policies: [ingress([{ ports: [tcp('side'), tcp('setup'), tcp('http')] }])],
    open: ['web,far > subject tcp/8082 tcp/8083'],
    closed: ['web,far > subject tcp/8080 tcp/8081'],
  }),
  one([8], 'endPort is the last of the range, both ways', {
    policies: [ingress([{ ports: [tcp(80, 82)] }]), egress([{ ports: [{ protocol: 'UDP', port: 80, endPort: 82 }] }])],
    open: ['web,far > subject tcp/80 tcp/81 tcp/82', 'subject > web,far udp/80 udp/81 udp/82'],
    closed: ['web,far > subject tcp/79 tcp/83 udp/81', 'subject > web,far udp/79 udp/83 tcp/81'],
  }),
  one([8], 'endPort beside a name or before the port opens nothing', {
    policies: [ingress([{ ports: [tcp('http', 8083)] }, { ports: [tcp(82, 80)] }])],
    closed: ['web,far > subject tcp/8080 tcp/8081 tcp/80 tcp/81 tcp/82'],
  }),
  one([9], 'an exception limits its own item', {
    policies: [
      ingress([
        {
          from: [
            block('0.0.0.0/0', '10.244.0.0/16', '203.0.113.0/24'),
            block('::/0', 'fd00:10:244::/48', '2001:db8:9::/48'),
            block('203.0.113.0/24', '203.0.113.128/25'),
            block('2001:db8:9::/48', '2001:db8:9:1::/64'),
          ],
        },
      ]),
    ],
    open: [`outside,other-node > subject ${ALL}`],
    closed: [`web,far,distant > subject ${ALL}`],
  }),
  one([9], 'a pod that a selector matches is allowed inside an exception', {
    policies: [
      ingress([
        {
          from: [
            block('10.0.0.0/8', '10.244.2.0/24'),
            block('fd00::/8', 'fd00:10:244:2::/64'),
            { namespaceSelector: team('blue'), podSelector: app('far') },
          ],
        },
      ]),
    ],
    open: [`web,far > subject ${ALL}`],
    closed: [`distant,outside > subject ${ALL}`],
  }),
  one([9], 'another policy allows again what one excepts', {
    policies: [
      egress([{ to: [block('0.0.0.0/0', '203.0.113.9/32'), block('::/0', '2001:db8:9::9/128')] }]),
      egress([{ to: [block('203.0.113.0/24'), block('2001:db8:9::/64')], ports: [tcp(80)] }], 'a/again'),
    ],
    open: [`subject > web,far ${ALL}`, 'subject > outside tcp/80', 'subject > other-node tcp/80 udp/53 icmp'],
    closed: ['subject > outside tcp/81 udp/53 icmp'],
  }),
  one([10], 'all of IPv4 is nothing of IPv6', {
    policies: [ingress([{ from: [block('0.0.0.0/0')] }]), egress([{ to: [block('0.0.0.0/0')] }])],
    open: [`web,far,outside > subject ${ALL} v4`, `subject > web,far ${ALL} v4`],
    closed: [`web,far,outside > subject ${ALL} v6`, `subject > web,far ${ALL} v6`],
  }),
  one([10], 'all of IPv6 is nothing of IPv4', {
    policies: [ingress([{ from: [block('::/0')] }]), egress([{ to: [block('::/0')] }])],
    open: [`web,far,outside > subject ${ALL} v6`, `subject > web,far ${ALL} v6`],
    closed: [`web,far,outside > subject ${ALL} v4`, `subject > web,far ${ALL} v4`],
  }),
  one([10], 'one rule of both families', {
    policies: [ingress([{ from: [block('203.0.113.0/24'), block('fd00:10:244:2::/64')] }])],
    open: [`outside > subject ${ALL} v4`, `far > subject ${ALL} v6`],
    closed: [`outside > subject ${ALL} v6`, `far > subject ${ALL} v4`],
  }),
  one([11], 'blocks cover pods, also behind services, and nodes', {
    policies: [
      egress([
        {
          to: ['10.244.1.12/32', '10.244.2.11/32', 'fd00:10:244:1::c/128', 'fd00:10:244:2::b/128'].map((it) =>
            block(it),
          ),
        },
        { to: ['192.0.2.0/24', '2001:db8::/64'].map((it) => block(it)), ports: [tcp(80)] },
      ]),
    ],
    open: [`subject > web,far ${ALL}`, 'subject > node,other-node tcp/80'],
    closed: [`subject > b-web,distant ${ALL}`, 'subject > node,other-node udp/53 icmp'],
  }),
  one([12], "judged by the pod's port, not by the service's", {
    policies: [ingress([{ ports: [tcp(10_080), tcp(81)] }]), egress([{ ports: [udp(10_053), udp(79)] }])],
    open: ['web,far,outside > subject tcp/81', 'subject > web,far udp/79'],
    closed: ['web,far,outside > subject tcp/80', 'subject > web,far udp/53'],
  }),
  one([12], "judged by the pod's address, not by the service's, and before any masquerade", {
    policies: [
      egress([{ to: [block('10.96.0.0/16'), block('fd00:10:96::/48')] }]),
      ingress([{ from: [block('192.0.2.1/32'), block('2001:db8::1/128')] }]),
    ],
    closed: ['subject > web,far tcp/80 udp/53 sctp/80', 'outside,other-node > subject tcp/80 udp/53 sctp/80'],
  }),
  one([12], 'by the true client, though a masquerade follows', {
    policies: [ingress([{ from: [block('203.0.113.9/32'), block('2001:db8:9::9/128')] }])],
    open: ['outside > subject tcp/80 udp/53 sctp/80'],
    closed: ['other-node,far > subject tcp/80 udp/53 sctp/80'],
  }),
  one([13], 'pods of one node are judged, whatever lies between them', {
    policies: [
      ingress([{ from: [pods('web')], ports: [tcp(80)] }]),
      policy('b/db', { podSelector: app('db'), policyTypes: ['Egress'], egress: [] }),
    ],
    open: ['web > subject tcp/80', `b-web > b-db ${ALL}`],
    closed: ['web > subject tcp/81 udp/53 sctp/80 icmp', `b-web > subject ${ALL}`, `b-db > web,b-web ${ALL}`],
  }),
  one([14], 'the own node reaches its pods, other nodes do not', {
    policies: BOTH_WAYS_SHUT,
    open: [`node > subject ${ALL}`],
    closed: [`other-node > subject ${ALL}`, 'subject > node tcp/80 udp/53 icmp'],
  }),
  one([15], 'answers pass, though the other direction is shut', {
    policies: [egress([]), policy('a/web', { podSelector: app('web'), ingress: [] })],
    open: ['b-web,far,outside,node > subject tcp/80 udp/53 icmp', 'web > b-web,far tcp/80 udp/53 icmp'],
    closed: ['subject > b-web,far tcp/80 udp/53 icmp', 'b-web,far > web tcp/80 udp/53 icmp'],
  }),
  one([16], 'a pod reaches itself, also by its service', {
    policies: BOTH_WAYS_SHUT,
    open: ['subject > subject tcp/80 udp/53 icmp', 'subject > subject sctp/80 service'],
    closed: [`web > subject ${ALL}`, `subject > web ${ALL}`],
  }),
  one([17], 'pods on the host network are no subjects', {
    policies: [policy('a/all', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })],
    open: ['other-node,outside > node tcp/80 udp/53 icmp', 'node > other-node,outside tcp/80 udp/53 icmp'],
    closed: [`b-web,far > subject,web ${ALL}`, `subject > b-web,far ${ALL}`],
  }),
  one([17], 'and no peers', {
    policies: [ingress([{ from: [pods('web')] }]), egress([{ to: [pods('web')] }])],
    open: [`web > subject ${ALL}`, `subject > web ${ALL}`],
    closed: [`other-node > subject ${ALL}`, 'subject > other-node tcp/80 udp/53 icmp'],
  }),
  one([19], 'a pod that the API has not told of is closed', {
    pods: { subject: { uid: 'another' } },
    policies: [ingress([{}]), egress([{}])],
    open: [`node > subject ${ALL}`, `b-web > web ${ALL}`],
    shut: [`web,far,outside > subject ${ALL}`, `subject > web,far ${ALL}`, 'subject > outside,node tcp/80 udp/53 icmp'],
  }),
  {
    rows: [21],
    title: 'a pod that is over leaves at once; who gets its address inherits nothing',
    steps: [
      {
        policies: [ingress([{ from: [pods('distant')] }])],
        open: [`distant > subject ${ALL}`],
        closed: [`far > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [pods('distant')] }])],
        pods: { distant: { phase: 'Succeeded' } },
        closed: [`distant > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [pods('distant')] }])],
        pods: { distant: { phase: 'Failed' }, 'next-one': { at: 'distant', labels: { app: 'next' } } },
        closed: [`distant > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [pods('next')] }])],
        pods: { distant: { phase: 'Failed' }, 'next-one': { at: 'distant', labels: { app: 'next' } } },
        open: [`distant > subject ${ALL}`],
        closed: [`far > subject ${ALL}`],
      },
    ],
  },
  {
    rows: [22],
    title: 'a pod that is being deleted keeps its policies, also when the API has forgotten it',
    steps: [
      {
        policies: [ingress([{ from: [pods('web')] }])],
        pods: { subject: { deletionTimestamp: '2026-01-02T00:00:00Z' } },
        open: [`web > subject ${ALL}`],
        closed: [`far > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [pods('distant')] }])],
        pods: { distant: { deletionTimestamp: '2026-01-02T00:00:00Z' } },
        open: [`distant > subject ${ALL}`],
        closed: [`far > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [pods('web')] }])],
        pods: { subject: undefined },
        open: [`web > subject ${ALL}`],
        closed: [`far > subject ${ALL}`],
      },
    ],
  },
  {
    rows: [23],
    title: 'labels of pods and namespaces, namespaces and policies come, change and go',
    steps: [
      { policies: [], open: [`b-db,far > subject ${ALL}`] },
      {
        policies: [ingress([{ from: [{ namespaceSelector: team('green') }] }])],
        closed: [`b-db,far > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [{ namespaceSelector: team('green') }] }])],
        namespaces: { b: { team: 'green' } },
        open: [`b-db,far > subject ${ALL}`],
        closed: [`web > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [{ namespaceSelector: team('green'), podSelector: app('far') }] }])],
        namespaces: { b: { team: 'green' } },
        open: [`far > subject ${ALL}`],
        closed: [`b-db > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [{ namespaceSelector: team('green'), podSelector: app('far') }] }])],
        namespaces: { b: { team: 'green' } },
        pods: { far: { labels: {} }, 'b-db': { labels: { app: 'far' } } },
        open: [`b-db > subject ${ALL}`],
        closed: [`far > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [{ namespaceSelector: team('green') }] }])],
        namespaces: { b: {} },
        closed: [`b-db,far > subject ${ALL}`],
      },
      {
        policies: [ingress([{ from: [{ namespaceSelector: {} }] }])],
        namespaces: { b: undefined },
        open: [`web > subject ${ALL}`],
        closed: [`b-db,far > subject ${ALL}`],
      },
      { policies: [ingress([{ from: [{ namespaceSelector: {} }] }])], open: [`web,b-db,far > subject ${ALL}`] },
      { policies: [], open: [`b-db,far,outside > subject ${ALL}`] },
    ],
  },
  one([24], 'NotIn and DoesNotExist hold for what lacks the key; a namespace has its name as a label', {
    pods: { distant: { labels: {} } },
    policies: [
      ingress([
        {
          from: [
            { podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] } },
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'b' } },
              podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'x'] }] },
            },
          ],
          ports: [tcp(80)],
        },
        {
          from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } }],
          ports: [udp(53)],
        },
        {
          from: [
            {
              namespaceSelector: { matchExpressions: [{ key: 'none', operator: 'DoesNotExist' }] },
              podSelector: app('far'),
            },
          ],
          ports: [tcp(81)],
        },
      ]),
    ],
    open: ['distant > subject tcp/80 udp/53', 'b-db > subject tcp/80', 'far > subject tcp/81'],
    closed: ['web,b-web > subject tcp/80 udp/53', 'far > subject tcp/80', 'distant,b-db > subject tcp/81'],
  }),
  {
    rows: [25],
    title: 'peers of other nodes; an address that is no longer theirs is nobody',
    steps: [
      {
        policies: [
          ingress([{ from: [{ namespaceSelector: {}, podSelector: app('far') }] }]),
          egress([{ to: [pods('distant')] }]),
        ],
        open: [`far > subject ${ALL}`, `subject > distant ${ALL}`],
        closed: [`distant,outside > subject ${ALL}`, `subject > far ${ALL}`],
      },
      {
        policies: [
          ingress([{ from: [{ namespaceSelector: {}, podSelector: app('far') }] }]),
          egress([{ to: [pods('distant')] }]),
        ],
        pods: { far: { at: 'nowhere' }, distant: { at: 'far' } },
        open: [`subject > far ${ALL}`],
        closed: [`far,distant > subject ${ALL}`, `subject > distant ${ALL}`],
      },
    ],
  },
  one([26], 'a rule with ports allows no echo, one without allows it; IPv6 finds its neighbours', {
    policies: [
      ingress([{ from: [pods('web')] }, { ports: [tcp(80), udp(53), { protocol: 'SCTP' }] }]),
      egress([{ to: [pods('web')] }, { ports: [tcp(80)] }]),
    ],
    open: ['web > subject icmp', 'subject > web icmp', 'far > subject tcp/80 udp/53 sctp/80', 'subject > far tcp/80'],
    closed: ['far,b-web > subject icmp', 'subject > far,b-web icmp udp/53'],
  }),
  one([27], 'ports of the node: by the client where it is known', {
    policies: [ingress([{ from: [block('203.0.113.9/32'), block('2001:db8:9::9/128')], ports: [tcp(80)] }])],
    open: ['outside > node tcp/30080 tcp/30081'],
    closed: ['far,other-node > node tcp/30080 tcp/30081', 'b-web > node tcp/30080 tcp/30081'],
  }),
  one([27], 'by the node that hid the client', {
    policies: [ingress([{ from: [block('192.0.2.2/32'), block('2001:db8::2/128')], ports: [tcp(80)] }])],
    open: ['other-node > node tcp/30080 tcp/30081', 'other-node > subject tcp/80'],
    closed: ['outside > node tcp/30080 tcp/30081', 'other-node > subject tcp/81 udp/53'],
  }),
  one([28], 'policies of nobody, peers that nobody is, and namespaces that are not there', {
    policies: [
      policy('nowhere/p', { podSelector: {} }),
      policy('a/none', { podSelector: app('none'), policyTypes: ['Ingress', 'Egress'] }),
      policy('b/db', {
        podSelector: app('db'),
        ingress: [{ from: [pods('none'), { namespaceSelector: team('none') }] }],
      }),
    ],
    open: [`b-web,far,outside > subject ${ALL}`, `subject > web,far ${ALL}`],
    closed: [`b-web,far > b-db ${ALL}`],
  }),
  one([29], 'ports twice, ranges that overlap, thousands of rules', {
    policies: [
      ingress([
        { ports: [tcp(79, 81), tcp(80, 82), tcp(80), tcp(80), tcp(82)] },
        ...Array.from({ length: 2000 }, (_, index) => ({
          from: [block(`172.16.${index % 250}.0/24`), block('172.16.0.0/12')],
          ports: [tcp(20_000 + 2 * index)],
        })),
        {
          from: [block('10.0.0.0/8'), block('10.244.0.0/16'), block('fd00::/8'), block('fd00:10::/32')],
          ports: [udp(53)],
        },
      ]),
      egress([{ ports: Array.from({ length: 3000 }, (_, index) => tcp(8080 + 2 * (index % 2000))) }]),
    ],
    open: ['web,far > subject tcp/79 tcp/80 tcp/82 udp/53', 'subject > web,far tcp/8080 tcp/8082'],
    closed: ['web,far > subject tcp/83 tcp/8080', 'outside > subject udp/53', 'subject > web,far tcp/8081 udp/8080'],
  }),
];

function declares(name: string, containerPort: number): object {
  return { name: `${name}-${containerPort}`, image: 'i', ports: [{ name, containerPort }] };
}
