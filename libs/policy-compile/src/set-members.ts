/** Members of a set, worked out from the pods that own addresses. */
import type { PolicyPod } from '@canal/model';
import type { SetMember } from '@canal/rules-ast';
import { cidrContains, compareCidr, formatCidr, type Ip } from 'net-types';
import type { AllowPeer } from './allow-peer.ts';
import type { Allowance } from './allow-list.ts';
import type { ClusterState } from './cluster-state.ts';
import { addressPortKey, memberOf, type PortCode, portCode } from './member-key.ts';
import type { SetContent } from './set-content.ts';

export type Members = ReadonlyMap<number | bigint | string, SetMember>;

export function membersOf(content: SetContent, state: ClusterState, owners: ReadonlyMap<Ip, PolicyPod>): Members {
  if (content.kind === 'blocks') {
    return new Map(content.blocks.toSorted(compareCidr).map((cidr) => [formatCidr(cidr), { kind: 'blocks', cidr }]));
  }
  const members = new Map<number | bigint, SetMember>();
  for (const [ip, pod] of owners) {
    if (content.kind === 'addresses') {
      if (content.peers.some((peer) => state.isPeer(peer, pod))) members.set(ip, { kind: 'addresses', ip });
      continue;
    }
    for (const allowance of content.allowances) {
      if (!isPeer(allowance.peer, ip, pod, state)) continue;
      for (const code of portCodes(allowance, pod)) {
        const key = addressPortKey(ip, code);
        members.set(key, memberOf('address-ports', key));
      }
    }
  }
  return members;
}

function isPeer(peer: AllowPeer, ip: Ip, pod: PolicyPod, state: ClusterState): boolean {
  switch (peer.type) {
    case 'any':
      return true;
    case 'pods':
      return state.isPeer(peer, pod);
    case 'block':
      return cidrContains(peer.cidr, ip) && !peer.except.some((block) => cidrContains(block, ip));
  }
}

function* portCodes({ ports, names }: Allowance, pod: PolicyPod): Iterable<PortCode> {
  if (ports !== 'any') {
    for (const { protocol, ranges } of ports) {
      for (const { first, last } of ranges) {
        for (let port = first; port <= last; port++) yield portCode(protocol, port);
      }
    }
  }
  for (const { protocol, name } of names) {
    for (const declared of pod.ports) {
      if (declared.name === name && declared.protocol === protocol) yield portCode(protocol, declared.port);
    }
  }
}
