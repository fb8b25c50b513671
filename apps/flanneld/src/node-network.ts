/**
 * This node's network as one turn: gather what decides it, compile, bring the kernel there. What this node itself is
 * (lease, interface) is decided anew each turn; while it cannot be decided, the last decision stays in force, because
 * a default route that is gone for a second must not take the pods' network away.
 */
import type { AnnotationKeys } from '@canal/api-schema';
import type { InterfaceOptions } from '@canal/config';
import type { NetworkConflict } from '@canal/delta';
import type { NetworkKernel } from '@canal/kernel-port';
import {
  type Attachment,
  type IpPath,
  LINK_ALIAS,
  type NetConf,
  type NetworkSnapshot,
  type NetworkState,
  NODE_ROUTE_PROTOCOL,
} from '@canal/model';
import {
  type CompiledNetwork,
  compileNetwork,
  compilePods,
  EMPTY_STATE,
  type KernelFacts,
  mergeStates,
  type NetworkProblem,
  type OwnFamily,
  pathsNeeded,
  vxlanDeviceName,
} from '@canal/network-compile';
import {
  createDrift,
  type LinkLinger,
  type NetworkTurnReport,
  type OperationFailure,
  type Repair,
  turnNetwork,
} from '@canal/reconcile';
import {
  type Cidr,
  cidrEquals,
  type Ip,
  type IpFamily,
  type Mac,
  parsePort,
  parseVni,
  type Port,
  type Vni,
} from 'net-types';
import { type HostFacts, type OwnNetwork, ownNetworkOf } from './own-node.ts';
import type { NetConfReading, NetConfSource } from './net-conf-source.ts';
import type { NodeProblem } from './node-problem.ts';
import type { NodeTable } from './node-table.ts';

export interface NodeNetworkDeps {
  readonly kernel: NetworkKernel;
  readonly nodes: NodeTable;
  readonly netConf: NetConfSource;
  readonly keys: AnnotationKeys;
  readonly interfaces: InterfaceOptions;
  /** Pods of this node, as the CNI plugin recorded them. */
  readonly attachments: () => readonly Attachment[];
  /** A policy agent enforces NetworkPolicy on this node. */
  readonly policed: boolean;
  readonly linger: LinkLinger;
}

export interface NetworkResult {
  /** Absent until the node could be decided for the first time. */
  readonly own?: OwnNetwork;
  readonly conf?: NetConf;
  readonly compiled?: CompiledNetwork;
  /** Peers' addresses whose way over the underlay decides how they are reached. */
  readonly underlay: readonly Ip[];
  /** Why this node cannot be decided, or runs on with an earlier decision. */
  readonly nodeProblems: readonly NodeProblem[];
  readonly warnings: readonly string[];
  /** About peers and pods. */
  readonly problems: readonly NetworkProblem[];
  readonly conflicts: readonly NetworkConflict[];
  readonly failures: readonly OperationFailure[];
  /** What keeps this node itself from forwarding, peers apart: in words, with the cure. */
  readonly localFaults: readonly string[];
  readonly repairs: readonly Repair[];
  readonly operations: number;
}

export class NodeNetwork {
  readonly #deps: NodeNetworkDeps;
  #own: OwnNetwork | undefined;
  #conf: NetConf | undefined;
  /**
   * Announced before by this process. From then on the annotation follows it and is not asked any more: whoever writes
   * the MAC of another node there would otherwise cut this one off.
   */
  readonly #macs = new Map<IpFamily, Mac>();
  /** On the node when it was last looked at. */
  #addresses: ReadonlySet<Ip> = new Set();
  readonly #drift = createDrift();

  constructor(deps: NodeNetworkDeps) {
    this.#deps = deps;
  }

  /** Rejects when the kernel cannot be talked to; everything else is in the result. */
  async turn(signal: AbortSignal): Promise<NetworkResult> {
    const { kernel, nodes } = this.#deps;
    const reading = this.#deps.netConf.read();
    const nodeProblems = await this.#decide(reading);
    const attachments = this.#deps.attachments();
    const underlay = this.#conf === undefined ? [] : pathsNeeded(this.#conf, nodes.peers());
    const paths = underlay.length === 0 ? new Map<Ip, IpPath>() : await kernel.pathsTo(underlay);
    const features = await kernel.features();
    let compiled: CompiledNetwork | undefined;
    let podProblems: readonly NetworkProblem[] = [];
    const desired = (snapshot: NetworkSnapshot): NetworkState => {
      compiled = this.#compile(paths, { ...features, ...factsOf(snapshot) }, snapshot);
      const source6 = this.#source6();
      const pods = compilePods(attachments, snapshot.links, {
        ...(source6 !== undefined && { source6 }),
        policed: this.#deps.policed,
        ownAddresses: this.#addresses,
      });
      podProblems = pods.problems;
      return mergeStates(compiled?.state ?? EMPTY_STATE, pods.state);
    };
    // Without a decision nothing is known of what may go: then only what pods need is put back.
    const inSync = nodes.inSync && this.#own !== undefined;
    const { linger } = this.#deps;
    const report = await turnNetwork(kernel, desired, { inSync, linger, drift: this.#drift, signal });
    return {
      ...(this.#own && { own: this.#own }),
      ...(this.#conf && { conf: this.#conf }),
      ...(compiled && { compiled }),
      underlay,
      nodeProblems,
      warnings: reading.warnings,
      problems: [...(compiled?.problems ?? []), ...podProblems],
      conflicts: report.conflicts,
      failures: report.failures,
      localFaults: localFaults(report, this.#own?.leases.map(({ subnet }) => subnet) ?? []),
      repairs: report.repairs,
      operations: report.performed.length,
    };
  }

  async #decide(reading: NetConfReading): Promise<NodeProblem[]> {
    const problems = reading.problem === undefined ? [] : [reading.problem];
    const { nodes, keys, interfaces } = this.#deps;
    if (!nodes.inSync || reading.netConf === undefined) return problems;
    if (nodes.own === undefined) return [...problems, nodeMissing(nodes.ownName)];
    const host = await this.#readHost();
    const own = ownNetworkOf(nodes.own, keys, reading.netConf, interfaces, host);
    if (!own.ok) return [...problems, own.error];
    this.#own = own.value;
    this.#conf = reading.netConf;
    return problems;
  }

  async #readHost(): Promise<HostFacts> {
    const { kernel, interfaces } = this.#deps;
    const { canReach } = interfaces;
    const path = canReach === undefined ? undefined : (await kernel.pathsTo([canReach])).get(canReach);
    const canReachLink = path !== undefined && 'link' in path ? { canReachLink: path.link } : {};
    const facts = await kernel.listInterfaces();
    this.#addresses = new Set(facts.flatMap(({ addresses }) => addresses.map(({ address }) => address.ip)));
    return { interfaces: facts, defaultRoutes: await kernel.listDefaultRoutes(), ...canReachLink };
  }

  /** The decision may be older than the addresses, and the kernel refuses a route from an address that it has not. */
  #source6(): Ip | undefined {
    const source = this.#own?.node.families.find(({ family }) => family === 6)?.source;
    return source !== undefined && this.#addresses.has(source) ? source : undefined;
  }

  #compile(
    paths: ReadonlyMap<Ip, IpPath>,
    kernel: KernelFacts,
    snapshot: NetworkSnapshot,
  ): CompiledNetwork | undefined {
    if (this.#own === undefined || this.#conf === undefined) return undefined;
    const { node } = this.#own;
    const conf = this.#conf;
    const families = node.families.map((own) => {
      const vtepMac = this.#macs.get(own.family);
      return vtepMac === undefined ? withDeviceMac(own, conf, snapshot) : { ...own, vtepMac };
    });
    const peers = this.#deps.nodes.peers();
    const compiled = compileNetwork({ node: { ...node, families }, conf, peers, paths, kernel });
    for (const { family, vtep } of compiled.announcement.endpoints) {
      if (vtep !== undefined) this.#macs.set(family, vtep.mac);
    }
    return compiled;
  }
}

/** What of others, or of our own past, the compiler has to respect. */
function factsOf({ nexthops, links }: NetworkSnapshot): Required<Pick<KernelFacts, 'takenNexthopIds' | 'vxlanPorts'>> {
  const taken = nexthops.filter(({ protocol }) => protocol !== NODE_ROUTE_PROTOCOL).map(({ id }) => id);
  const vxlanPorts = new Map<Vni, Port>();
  for (const { alias, vxlan } of links) {
    if (alias !== LINK_ALIAS || vxlan === undefined) continue;
    const vni = parseVni(String(vxlan.vni));
    const port = parsePort(String(vxlan.port));
    if (vni.ok && port.ok) vxlanPorts.set(vni.value, port.value);
  }
  return { takenNexthopIds: new Set(taken), vxlanPorts };
}

/** When annotations were stripped, the device still knows the MAC that peers have. */
function withDeviceMac(own: OwnFamily, conf: NetConf, { links }: NetworkSnapshot): OwnFamily {
  if (own.vtepMac !== undefined || conf.backend.type !== 'vxlan') return own;
  const name = vxlanDeviceName(conf.backend.vni, own.family);
  const vtepMac = links.find((link) => link.name === name && link.alias === LINK_ALIAS)?.mac;
  return vtepMac === undefined ? own : { ...own, vtepMac };
}

/** Peers apart: what concerns devices, their addresses, forwarding, and the node's own subnets. */
function localFaults(report: NetworkTurnReport, subnets: readonly Cidr[]): string[] {
  const failed = report.failures.filter(({ operation }) => isLocal(operation, subnets)).map(({ text }) => text);
  const taken = report.conflicts.filter(({ code }) => code === 'LinkTaken');
  return [
    ...failed,
    ...taken.map(({ message, cure }) => `${message}. ${cure}`),
    ...report.readOnlySysctls.map(({ path, value, cure }) => `${path} must be ${value} and cannot be written. ${cure}`),
  ];
}

function isLocal(operation: OperationFailure['operation'], subnets: readonly Cidr[]): boolean {
  switch (operation.type) {
    case 'link-add':
    case 'link-change':
    case 'address-add':
    case 'sysctl-set':
      return true;
    case 'route-add':
    case 'route-replace':
      return subnets.some((subnet) => cidrEquals(subnet, operation.route.destination));
    default:
      return false;
  }
}

function nodeMissing(name: string): NodeProblem {
  return {
    reason: 'NodeMissing',
    message: `there is no Node object ${name}`,
    cure: 'Set NODE_NAME to the name under which the kubelet registers (--hostname-override)',
  };
}
