/** Flows between ends of two states: what the words of the API say of them, and what a diff says. For tests. */
import type { PolicyPod } from '@canal/model';
import { judgeByTheWords, type PolicyCluster } from '@canal/policy-oracle';
import { PROTOCOL_NUMBER, type RulePacket } from '@canal/rules-ast';
import { cidrContains, compareIp, type Ip, ipFamily, type IpFamily, parseCidr, parseIp, unwrap } from 'net-types';
import type { ClusterState } from '../cluster-state.ts';
import type { FlowEnd, FlowGroup, PolicyDiff } from '../policy-diff.ts';

export type TestEnd =
  | { readonly type: 'pod'; readonly path: string }
  | { readonly type: 'node'; readonly node: string; readonly ip: Ip }
  | { readonly type: 'outside'; readonly ip: Ip };

export interface TestFlow {
  readonly source: TestEnd;
  readonly destination: TestEnd;
  readonly family: IpFamily;
  /** IANA number. */
  readonly protocol: number;
  readonly port?: number;
}

/** One state, with every pod's interface, so that both ends are judged. */
export class StateWords {
  readonly #state: ClusterState;
  readonly #cluster: PolicyCluster;
  readonly #owners = new Map<Ip, PolicyPod>();

  constructor(state: ClusterState) {
    this.#state = state;
    for (const pod of state.pods) {
      if (pod.hostNetwork || pod.completed) continue;
      for (const ip of pod.addresses) {
        const owner = this.#owners.get(ip);
        if (owner === undefined || isRightful(pod, owner)) this.#owners.set(ip, pod);
      }
    }
    const owned = new Map<PolicyPod, Ip[]>();
    for (const [ip, pod] of this.#owners) owned.set(pod, [...(owned.get(pod) ?? []), ip]);
    this.#cluster = {
      ...state,
      endpoints: [...owned].map(([{ namespace, name, uid }, addresses]) => ({
        key: `${namespace}/${name}/eth0`,
        pod: { namespace, name, uid },
        hostInterface: 'cnl0' as never,
        mode: 'routed',
        addresses,
        mac: '02:00:00:00:00:01' as never,
      })),
      ownNodeAddresses: [],
      otherNodeAddresses: [],
    };
  }

  ownerOf(ip: Ip): PolicyPod | undefined {
    return this.#owners.get(ip);
  }

  /** Its first of the family. */
  addressOf(path: string, family: IpFamily): Ip | undefined {
    const pod = this.#state.pods.find(({ namespace, name }) => `${namespace}/${name}` === path);
    return pod?.addresses.find((ip) => ipFamily(ip) === family && this.#owners.get(ip) === pod);
  }

  /** Undefined: a pod of the flow is not there, or has no address of the family. */
  allows({ source, destination, family, protocol, port }: TestFlow): boolean | undefined {
    const [from, to] = [this.#ip(source, family), this.#ip(destination, family)];
    if (from === undefined || to === undefined) return undefined;
    const ownNode = this.#owners.get(to)?.node;
    const packet: RulePacket = {
      source: from,
      destination: to,
      protocol,
      ...(port !== undefined && { destinationPort: port }),
    };
    const ownNodeAddresses = this.#state.nodes.find(({ name }) => name === ownNode)?.addresses ?? [];
    return judgeByTheWords({ ...this.#cluster, ownNodeAddresses }, packet).verdict === 'allow';
  }

  #ip(end: TestEnd, family: IpFamily): Ip | undefined {
    return end.type === 'pod' ? this.addressOf(end.path, family) : end.ip;
  }
}

function isRightful(a: PolicyPod, b: PolicyPod): boolean {
  if ((a.deleting ?? false) !== (b.deleting ?? false)) return b.deleting === true;
  return a.createdMs > b.createdMs || (a.createdMs === b.createdMs && a.uid > b.uid);
}

/** Reads what a diff says from its JSON alone. */
export class DiffReader {
  readonly #diff: PolicyDiff;
  readonly #pods: ReadonlyMap<string, PolicyPod>;
  readonly #workloadOf: (pod: PolicyPod) => string;

  constructor(diff: PolicyDiff, after: ClusterState, workloadOf: (pod: PolicyPod) => string) {
    this.#diff = JSON.parse(JSON.stringify(diff)) as PolicyDiff;
    this.#pods = new Map(after.pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod]));
    this.#workloadOf = workloadOf;
  }

  says(flow: TestFlow): 'opens' | 'closes' | 'both' | 'unchanged' {
    if (this.#isExempt(flow)) return 'unchanged';
    const opens = this.#diff.opens.some((group) => this.#means(group, flow));
    const closes = this.#diff.closes.some((group) => this.#means(group, flow));
    if (opens && closes) return 'both';
    return opens ? 'opens' : closes ? 'closes' : 'unchanged';
  }

  #isExempt({ source, destination }: TestFlow): boolean {
    if (destination.type !== 'pod') return false;
    if (source.type === 'pod') return source.path === destination.path;
    return source.type === 'node' && this.#pods.get(destination.path)?.node === source.node;
  }

  #means({ sources, destinations, families, ports }: FlowGroup, flow: TestFlow): boolean {
    return (
      families.includes(flow.family) &&
      sources.some((end) => this.#isOf(end, flow.source)) &&
      destinations.some((end) => this.#isOf(end, flow.destination)) &&
      (ports === 'all' ||
        ports.some((range) => {
          if (range.protocol === 'other') return ![6, 17, 132].includes(flow.protocol);
          const { port = -1 } = flow;
          return PROTOCOL_NUMBER[range.protocol] === flow.protocol && range.first <= port && port <= range.last;
        }))
    );
  }

  #isOf(told: FlowEnd, end: TestEnd): boolean {
    switch (told.type) {
      case 'pods':
        return end.type === 'pod' && !told.but?.some((but) => this.#isOf(but, end));
      case 'namespace':
        if (end.type !== 'pod' || !end.path.startsWith(`${told.name}/`)) return false;
        return !told.but?.some((but) => this.#isOf(but, end));
      case 'workload': {
        if (end.type !== 'pod') return false;
        const pod = this.#pods.get(end.path);
        return told.only?.includes(end.path) ?? (pod !== undefined && this.#workloadOf(pod) === told.name);
      }
      case 'nodes':
        if (end.type !== 'node') return false;
        if (told.addresses === 'all') return true;
        return told.addresses.some(({ node, address }) => node === end.node && unwrap(parseIp(address)) === end.ip);
      case 'outside':
        return end.type === 'outside' && (told.ranges === 'all' || told.ranges.some((text) => isWithin(text, end.ip)));
    }
  }
}

function isWithin(text: string, ip: Ip): boolean {
  if (text.includes('/')) return cidrContains(unwrap(parseCidr(text)), ip);
  const [first, last] = text.split('-').map((part) => unwrap(parseIp(part))) as [Ip, Ip];
  return ipFamily(first) === ipFamily(ip) && compareIp(first, ip) <= 0 && compareIp(ip, last) <= 0;
}
