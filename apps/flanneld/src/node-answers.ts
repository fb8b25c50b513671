/** What this node tells of itself, on its unix socket and to the admin API. Nothing here changes anything. */
import type {
  AddressesMessage,
  AddressMessage,
  NetworkQuestion,
  NetworkStatusMessage,
  PeerMessage,
} from '@canal/agent-protocol';
import type { Peer } from '@canal/model';
import type { RequestHandler } from '@canal/node-api';
import type { HealthAnswer, ProblemLog } from '@canal/telemetry';
import { type Cidr, cidrContains, cidrFamily, compareIp, familyBits, formatCidr, formatIp } from 'net-types';
import type { AddressGarbage } from './address-garbage.ts';
import type { NodeAgent } from './node-agent.ts';
import type { NetworkResult } from './node-network.ts';
import type { PeerProbe } from './peer-probe.ts';
import { programmedPeers } from './programmed-peers.ts';

export interface NodeAnswersDeps {
  readonly agent: { readonly lastResult: NetworkResult | undefined } & Pick<NodeAgent, 'readyz' | 'lastSyncMs'>;
  readonly peers: () => readonly Peer[];
  readonly probe: Pick<PeerProbe, 'reachOf'>;
  readonly garbage: Pick<AddressGarbage, 'held'>;
  readonly problems: Pick<ProblemLog, 'open'>;
  readonly version: string;
  readonly nodeName: string;
}

export function createNodeAnswers(deps: NodeAnswersDeps): RequestHandler<NetworkQuestion> {
  return async ({ op }, connection) => {
    connection.send({ ok: true, value: await answerTo(deps, op) });
  };
}

async function answerTo(deps: NodeAnswersDeps, op: NetworkQuestion['op']): Promise<unknown> {
  switch (op) {
    case 'network-status':
      return networkStatus(deps);
    case 'peers':
      return peerMessages(deps);
    case 'addresses':
      return await addresses(deps);
  }
}

function networkStatus({ agent, problems, version, nodeName }: NodeAnswersDeps): NetworkStatusMessage {
  const { own, conf, compiled } = agent.lastResult ?? {};
  const readiness = agent.readyz();
  const { lastSyncMs } = agent;
  return {
    version,
    node: nodeName,
    ready: readiness.ok,
    notes: [...new Set([...notesOf(readiness), ...problems.open().map(({ message }) => message)])],
    ...(lastSyncMs !== undefined && { lastSync: new Date(lastSyncMs).toISOString() }),
    ...(conf && { backend: conf.backend.type }),
    ...(compiled && { podMtuBytes: compiled.podMtuBytes }),
    addresses: own?.node.families.map(({ publicIp }) => formatIp(publicIp)) ?? [],
    leases: own?.leases.map(({ family, subnet }) => ({ family, subnet: formatCidr(subnet) })) ?? [],
  };
}

function notesOf({ ok, text }: HealthAnswer): readonly string[] {
  const lines = text.split('\n');
  return ok ? lines.slice(1) : lines;
}

function peerMessages({ agent, peers, probe }: NodeAnswersDeps): readonly PeerMessage[] {
  const { lastResult } = agent;
  const tunnelled = new Set(lastResult?.compiled?.state.fdb.map(({ remote }) => remote));
  return programmedPeers(peers(), lastResult)
    .flatMap(({ name, backendType, endpoints }) =>
      endpoints.map(({ family, publicIp }): PeerMessage => ({
        node: name,
        address: formatIp(publicIp),
        via: wayTo(backendType, tunnelled.has(publicIp)),
        ...probe.reachOf(name, family),
      })),
    )
    .sort((a, b) => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0));
}

/** A peer with vxlan is reached without it where it is on the same link and DirectRouting is set. */
function wayTo(backendType: string, isTunnelled: boolean): PeerMessage['via'] {
  if (backendType === 'vxlan') return isTunnelled ? 'vxlan' : 'direct';
  return backendType === 'udp' ? 'udp' : 'host-gw';
}

async function addresses({ agent, garbage }: NodeAnswersDeps): Promise<AddressesMessage> {
  const held = [...(await garbage.held())].sort((a, b) => compareIp(a.ip, b.ip));
  const leases = agent.lastResult?.own?.leases ?? [];
  return {
    pools: leases.map(({ subnet }) => {
      const here = held.filter(({ ip }) => cidrContains(subnet, ip));
      const leaked = here.filter((address) => address.leaked).length;
      return {
        subnet: formatCidr(subnet),
        capacity: capacityOf(subnet).toString(),
        inUse: here.length - leaked,
        leaked,
      };
    }),
    addresses: held.map(({ ip, owner, leaked, releasable, pod }): AddressMessage => ({
      address: formatIp(ip),
      state: leaked ? 'leaked' : 'in-use',
      ...(releasable && { releasable }),
      ...(owner && { containerId: owner.containerId, interface: owner.containerInterface }),
      ...(pod && { pod: { namespace: pod.namespace, name: pod.name } }),
    })),
  };
}

/** Without the network's address, the gateway, and the broadcast address of IPv4. */
function capacityOf(subnet: Cidr): bigint {
  const family = cidrFamily(subnet);
  const all = 2n ** BigInt(familyBits(family) - subnet.prefixLen);
  const kept = family === 4 ? 3n : 2n;
  return all > kept ? all - kept : 0n;
}
