/** Which tests there are on a ground, in stages: each stage begins when the one before it has ended. */
import type { KubeObject } from '@canal/store-port';
import type { DialRequest } from './dial.ts';
import { TEST_PORT } from './echo-server.ts';
import { type Absent, type DialOrigin, POD_LABEL, ROLE_LABEL, type TestGround, type TestPod } from './test-ground.ts';
import type { TestGroup } from './test-result.ts';

export interface TestStage {
  readonly doing: string;
  /** Applied before its tests. */
  readonly policy?: KubeObject;
  readonly tests: readonly PlannedTest[];
}

export interface PlannedTest {
  readonly id: string;
  readonly group: TestGroup;
  readonly what: string;
  /** All of them must come out as expected. */
  readonly tries: readonly Try[];
  /** How long they are repeated until they do: what agents and kube-proxy have to do first takes time. Default 0. */
  readonly settleMs?: number;
  /** Another test, without which this one shows nothing. */
  readonly needs?: string;
  /** Left out, for this reason. */
  readonly skipped?: string;
}

export interface Try {
  readonly label: string;
  readonly from: DialOrigin;
  readonly request: DialRequest;
  readonly expected: Expectation;
}

export type Expectation =
  /** Answered by one of these; `source`: it must see this address. */
  | { readonly type: 'pod'; readonly pods: readonly string[]; readonly source?: string }
  /** Connected, or refused: packets go both ways. */
  | { readonly type: 'anybody' }
  | { readonly type: 'addresses'; readonly all: readonly string[] }
  /** No answer at all: neither a word nor a refusal. */
  | { readonly type: 'silence' };

/** A connection is asked for again after 1 and 3 s (tcp(7)), a datagram every 200 ms. */
const ANSWER_MS = 4000;
const REPEATED_ANSWER_MS = 2000;
/** Within which nothing must come; what passes takes milliseconds. */
const SILENCE_MS = 1000;
const SETTLE_MS = 10_000;
const LARGE_BYTES = 256 * 1024;

export function planTests(ground: TestGround): readonly TestStage[] {
  return [
    {
      doing: 'pods and nodes try to reach each other',
      tests: [...nodeToPod(ground), ...podToPod(ground), ...podToNode(ground)],
    },
    {
      doing: 'large packets, services and names',
      tests: [...largePackets(ground), ...services(ground), ...names(ground)],
    },
    ...policies(ground),
  ];
}

interface Pair {
  readonly client: TestPod;
  readonly server: TestPod;
  readonly address: string;
  /** Of the client, of the same family. */
  readonly source: string;
  readonly family: 'IPv4' | 'IPv6';
  /** `node1/node2/ipv4`. */
  readonly key: string;
  /** `node1 to node2, IPv4`. */
  readonly way: string;
}

/** Every client with every server, in each family that both have; those of one node first. */
function pairsOf({ clients, servers }: TestGround): readonly Pair[] {
  const pairs = clients.flatMap((client) =>
    servers.flatMap((server) =>
      server.ips.flatMap((address): Pair[] => {
        const family = familyOf(address);
        const source = client.ips.find((ip) => familyOf(ip) === family);
        if (source === undefined) return [];
        const [from, to] = [client.node, server.node];
        const way = from === to ? `on ${from}` : `${from} to ${to}`;
        const key = `${from}/${to}/${family.toLowerCase()}`;
        return [{ client, server, address, source, family, key, way: `${way}, ${family}` }];
      }),
    ),
  );
  const isApart = ({ client, server }: Pair): number => Number(client.node !== server.node);
  return pairs.toSorted((a, b) => isApart(a) - isApart(b));
}

function familyOf(address: string): 'IPv4' | 'IPv6' {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

function tcp(host: string, limitMs: number, bytes?: number): DialRequest {
  return { kind: 'tcp', host, port: TEST_PORT, greeted: true, limitMs, ...(bytes !== undefined && { bytes }) };
}

function udp(host: string, limitMs: number, filling?: true): DialRequest {
  return { kind: 'udp', host, port: TEST_PORT, limitMs, ...(filling && { filling }) };
}

function podToPod(ground: TestGround): readonly PlannedTest[] {
  return pairsOf(ground).map(({ client, server, address, source, key, way }) => {
    const [from, expected] = [{ pod: client.name }, { type: 'pod', pods: [server.name], source } as const];
    return {
      id: `pod-to-pod/${key}`,
      group: 'pod-to-pod',
      what: `pod to pod, ${way}`,
      tries: [
        { label: 'TCP', from, request: tcp(address, ANSWER_MS), expected },
        { label: 'UDP', from, request: udp(address, ANSWER_MS), expected },
      ],
    };
  });
}

function largePackets(ground: TestGround): readonly PlannedTest[] {
  return pairsOf(ground).map(({ client, server, address, key, way }) => {
    const [from, expected] = [{ pod: client.name }, { type: 'pod', pods: [server.name] } as const];
    return {
      id: `large-packets/${key}`,
      group: 'large-packets',
      what: `large packets, ${way}`,
      needs: `pod-to-pod/${key}`,
      tries: [
        { label: 'UDP', from, request: udp(address, ANSWER_MS, true), expected },
        { label: 'TCP 256 KiB and back', from, request: tcp(address, ANSWER_MS, LARGE_BYTES), expected },
      ],
    };
  });
}

/** A cluster's come out while the ground is laid: there it is the kubelet that tries. */
function nodeToPod({ nodesDial, nodes, servers }: TestGround): readonly PlannedTest[] {
  if (!nodesDial) return [];
  return nodes.flatMap(({ name, ips }) =>
    servers.flatMap((server) =>
      server.ips
        .filter((address) => ips.some((ip) => familyOf(ip) === familyOf(address)))
        .map((address) => ({
          id: `node-to-pod/${name}/${server.node}/${familyOf(address).toLowerCase()}`,
          group: 'node-to-pod' as const,
          what: `node to pod, ${name === server.node ? `on ${name}` : `${name} to ${server.node}`}, ${familyOf(address)}`,
          tries: [
            {
              label: 'TCP',
              from: { node: name },
              request: tcp(address, ANSWER_MS),
              expected: { type: 'pod' as const, pods: [server.name] },
            },
          ],
        })),
    ),
  );
}

function podToNode({ clients, nodes }: TestGround): readonly PlannedTest[] {
  return clients.flatMap((client) =>
    nodes.flatMap(({ name, ips, port }) =>
      ips
        .filter((host) => client.ips.some((ip) => familyOf(ip) === familyOf(host)))
        .map((host) => ({
          id: `pod-to-node/${client.node}/${name}/${familyOf(host).toLowerCase()}`,
          group: 'pod-to-node' as const,
          what: `pod to node, ${client.node === name ? `on ${name}` : `${client.node} to ${name}`}, ${familyOf(host)}`,
          tries: [
            {
              label: `TCP ${port}`,
              from: { pod: client.name },
              request: { kind: 'tcp' as const, host, port, greeted: false, limitMs: ANSWER_MS },
              expected: { type: 'anybody' as const },
            },
          ],
        })),
    ),
  );
}

function services({ clients, servers, service, apiServer }: TestGround): readonly PlannedTest[] {
  if ('absent' in service) return [leftOut('service', 'service', 'service by its address', service)];
  const expected: Expectation = { type: 'pod', pods: servers.map(({ name }) => name) };
  return clients.flatMap((client) => {
    const from = { pod: client.name };
    const own = service.ips.map((host) => ({
      id: `service/${client.node}/${familyOf(host).toLowerCase()}`,
      group: 'service' as const,
      what: `service by its address, from ${client.node}, ${familyOf(host)}`,
      settleMs: SETTLE_MS,
      tries: [
        { label: 'TCP', from, request: tcp(host, REPEATED_ANSWER_MS), expected },
        { label: 'UDP', from, request: udp(host, REPEATED_ANSWER_MS), expected },
      ],
    }));
    return [...own, ofApiServer(client, apiServer)];
  });
}

function ofApiServer(client: TestPod, apiServer: TestGround['apiServer']): PlannedTest {
  const [id, what] = [`service/${client.node}/api-server`, `API server by its service, from ${client.node}`];
  if ('absent' in apiServer) return leftOut(id, 'service', what, apiServer);
  const tries = apiServer.ips.map((host): Try => ({
    label: 'TCP',
    from: { pod: client.name },
    request: { kind: 'tcp', host, port: apiServer.port, greeted: false, limitMs: REPEATED_ANSWER_MS },
    expected: { type: 'anybody' },
  }));
  return { id, group: 'service', what, tries, settleMs: SETTLE_MS };
}

function names({ clients, service, dns, namespace }: TestGround): readonly PlannedTest[] {
  if (dns !== 'there') return [leftOut('dns', 'dns', 'service by its name', dns)];
  if ('absent' in service) return [];
  return clients.map((client) => ({
    id: `dns/${client.node}`,
    group: 'dns',
    what: `service by its name, from ${client.node}`,
    settleMs: SETTLE_MS,
    tries: [
      {
        label: 'DNS',
        from: { pod: client.name },
        request: { kind: 'name', name: `${service.name}.${namespace}.svc`, limitMs: REPEATED_ANSWER_MS },
        expected: { type: 'addresses', all: service.ips },
      },
    ],
  }));
}

function leftOut(id: string, group: TestGroup, what: string, { absent }: Absent): PlannedTest {
  return { id, group, what, tries: [], skipped: absent };
}

/** First nobody may reach the servers, then the client of one node, by TCP alone. */
function policies(ground: TestGround): readonly TestStage[] {
  const { namespace, clients } = ground;
  const [friend] = clients;
  if (friend === undefined) return [];
  const pairs = pairsOf(ground);
  const test = (verb: string, { key, way }: Pair, needs: string, tries: readonly Try[]): PlannedTest => ({
    id: `policy/${verb.replaceAll(' ', '-')}/${key}`,
    group: 'policy',
    what: `policy ${verb}, ${way}`,
    needs: `${needs}/${key}`,
    tries,
  });
  const silent = (label: 'TCP' | 'UDP', { client, address }: Pair): Try => ({
    label,
    from: { pod: client.name },
    request: label === 'TCP' ? tcp(address, SILENCE_MS) : udp(address, SILENCE_MS),
    expected: { type: 'silence' },
  });
  const isFriend = ({ client }: Pair): boolean => client === friend;
  return [
    {
      doing: 'a policy isolates',
      policy: policyObject(namespace, 'isolate', []),
      tests: pairs.map((pair) => ({
        ...test('isolates', pair, 'pod-to-pod', [silent('TCP', pair), silent('UDP', pair)]),
        settleMs: SETTLE_MS,
      })),
    },
    {
      doing: 'a policy allows',
      policy: policyObject(namespace, 'allow', [
        {
          from: [{ podSelector: { matchLabels: { [POD_LABEL]: friend.name } } }],
          ports: [{ protocol: 'TCP', port: TEST_PORT }],
        },
      ]),
      tests: pairs.filter(isFriend).map((pair) => ({
        ...test('allows', pair, 'policy/isolates', [
          {
            label: 'TCP',
            from: { pod: pair.client.name },
            request: tcp(pair.address, REPEATED_ANSWER_MS),
            expected: { type: 'pod', pods: [pair.server.name], source: pair.source },
          },
        ]),
        settleMs: SETTLE_MS,
      })),
    },
    {
      doing: 'a policy keeps others out',
      tests: pairs.map((pair) =>
        isFriend(pair)
          ? test('keeps other ports out', pair, 'policy/allows', [silent('UDP', pair)])
          : test('keeps others out', pair, 'policy/isolates', [silent('TCP', pair), silent('UDP', pair)]),
      ),
    },
  ];
}

function policyObject(namespace: string, name: string, ingress: readonly object[]): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec: { podSelector: { matchLabels: { [ROLE_LABEL]: 'server' } }, policyTypes: ['Ingress'], ingress },
  };
}
