/** The network part of a node agent, put together as flanneld does it, with the peers handed in by the test. */
import { isOwnLinkName } from '@canal/delta';
import type { NetworkKernel } from '@canal/kernel-port';
import { type Attachment, type NetConf, NODE_ROUTE_PROTOCOL, type Peer, POD_ROUTE_PROTOCOL } from '@canal/model';
import {
  type CompiledNetwork,
  compileNetwork,
  compilePods,
  mergeStates,
  type OwnFamily,
  pathsNeeded,
} from '@canal/network-compile';
import type { Clock, Logger } from '@canal/runtime-port';
import {
  cidrOf,
  type IpFamily,
  ipFamily,
  parseCidr,
  parseCidr4,
  parseCidr6,
  parseInterfaceName,
  parsePort,
  parseVni,
  unwrap,
} from 'net-types';
import { createLinkLinger, type LinkLinger } from '../link-linger.ts';
import { createReconciler, type Reconciler } from '../reconciler.ts';
import { type NetworkTurnReport, turnNetwork } from '../network-turn.ts';

export type BackendName = 'vxlan' | 'direct' | 'host-gw';

const ETH0 = unwrap(parseInterfaceName('eth0'));
const NETWORK4 = unwrap(parseCidr4('10.244.0.0/16'));
const NETWORK6 = unwrap(parseCidr6('fd00:10:244::/48'));

export function confOf(backend: BackendName, changes: { readonly mtuBytes?: number } = {}): NetConf {
  const vxlan = { type: 'vxlan', vni: unwrap(parseVni('1')), port: unwrap(parsePort('8472')) } as const;
  return {
    network: NETWORK4,
    ipv6Network: NETWORK6,
    enableIpv4: true,
    enableIpv6: true,
    backend:
      backend === 'host-gw'
        ? { type: 'host-gw' }
        : { ...vxlan, gbp: false, learning: false, directRouting: backend === 'direct', ...changes },
  };
}

/** Minutes in an agent; here no longer than an announcement takes to be heard. */
export const LINGER_MS = 300;

export interface TestAgentDeps {
  readonly kernel: NetworkKernel;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface AgentNode {
  readonly number: number;
  readonly attachment: Attachment;
}

export class TestAgent implements Disposable {
  readonly node: AgentNode;
  readonly kernel: NetworkKernel;
  readonly reports: NetworkTurnReport[] = [];
  /** Pods of the node. */
  attachments: readonly Attachment[];
  /** As with --policy-socket. */
  policed = false;
  conf: NetConf;
  peers: readonly Peer[] = [];
  families: readonly IpFamily[];
  inSync = true;
  nexthopObjects = true;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #linger: LinkLinger;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>[] = [];

  constructor(
    { kernel, clock, log }: TestAgentDeps,
    node: AgentNode,
    backend: BackendName,
    families: readonly IpFamily[],
  ) {
    this.node = node;
    this.attachments = [node.attachment];
    this.kernel = kernel;
    this.#clock = clock;
    this.#log = log;
    this.#linger = createLinkLinger(clock, LINGER_MS);
    this.conf = confOf(backend);
    this.families = families;
  }

  async compile(): Promise<CompiledNetwork> {
    const interfaces = await this.kernel.listInterfaces();
    const eth0 = interfaces.find(({ name }) => name === ETH0);
    if (eth0 === undefined) throw new Error('no eth0');
    const { number } = this.node;
    const families = this.families.map((family): OwnFamily => {
      const source = eth0.addresses.find(({ address, linkScope }) => !linkScope && ipFamily(address.ip) === family);
      if (source === undefined) throw new Error(`no address of family ${family}`);
      const text = family === 4 ? `10.244.${number}.0/24` : `fd00:10:244:${number}::/64`;
      return {
        family,
        link: ETH0,
        linkMtuBytes: eth0.mtuBytes,
        source: source.address.ip,
        onLinkNetworks: eth0.onLinkNetworks,
        publicIp: source.address.ip,
        subnet: unwrap(parseCidr(text)),
      };
    });
    return compileNetwork({
      node: { name: `node-${number}`, families, ownAddresses: eth0.addresses.map(({ address }) => address.ip) },
      conf: this.conf,
      peers: this.peers,
      paths: await this.kernel.pathsTo(pathsNeeded(this.conf, this.peers)),
      kernel: { nexthopObjects: this.nexthopObjects, ipv6: true },
    });
  }

  async turn(): Promise<NetworkTurnReport> {
    const compiled = await this.compile();
    const interfaces = await this.kernel.listInterfaces();
    const ownAddresses = new Set(interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address.ip)));
    const options = { policed: this.policed, ownAddresses };
    const report = await turnNetwork(
      this.kernel,
      ({ links }) => mergeStates(compiled.state, compilePods(this.attachments, links, options).state),
      { inSync: this.inSync, linger: this.#linger },
    );
    this.reports.push(report);
    return report;
  }

  /** Starts the loop; resolves when the first turn is over and events are heard. */
  async start(): Promise<Reconciler<'network'>> {
    const loop = createReconciler<'network'>(
      { clock: this.#clock, log: this.#log },
      {
        items: ['network'],
        minIntervalMs: 50,
        resyncIntervalMs: 3_600_000,
        retryFirstMs: 100,
        retryLongestMs: 1_000,
        turn: async () => {
          const { failures } = await this.turn();
          const [first] = failures;
          return { failures: new Map(first === undefined ? [] : [['network', new Error(first.text)]]) };
        },
      },
    );
    const scope = {
      links: isOwnLinkName,
      routeProtocols: [NODE_ROUTE_PROTOCOL, POD_ROUTE_PROTOCOL],
      networks: [NETWORK4, NETWORK6, cidrOf(NETWORK4.ip, 0), cidrOf(NETWORK6.ip, 0)],
    };
    const listening = Promise.withResolvers<undefined>();
    const listen = async (): Promise<void> => {
      for await (const event of this.kernel.monitor(scope, this.#stop.signal)) {
        if (event.type === 'resync') loop.markAllDirty();
        else loop.markDirty('network');
        listening.resolve(undefined);
      }
    };
    this.#running.push(listen());
    await listening.promise;
    this.#running.push(loop.run(this.#stop.signal));
    return loop;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.kernel.close();
  }
}

/** Tells every agent what the others announce. */
export async function introduce(agents: readonly TestAgent[]): Promise<void> {
  const announcements = await Promise.all(agents.map(async (agent) => (await agent.compile()).announcement));
  for (const agent of agents) agent.peers = announcements;
}
