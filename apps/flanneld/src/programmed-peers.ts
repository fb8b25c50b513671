import type { Peer } from '@canal/model';
import type { NetworkResult } from './node-network.ts';

/**
 * Peers with the address families in which this node sends to them. What a refused one announces may be another's, and
 * a family that this node does not use has no way to anybody.
 */
export function programmedPeers(peers: readonly Peer[], result: NetworkResult | undefined): readonly Peer[] {
  const families = new Set(result?.own?.leases.map(({ family }) => family));
  const refused = new Set(
    result?.problems.flatMap(({ severity, peer, family }) =>
      severity === 'error' && peer !== undefined ? [`${peer} ${family ?? ''}`] : [],
    ),
  );
  return peers.flatMap((peer): Peer[] => {
    const endpoints = peer.endpoints.filter(
      ({ family }) => families.has(family) && !refused.has(`${peer.name} ${family}`),
    );
    return endpoints.length === 0 ? [] : [{ ...peer, endpoints }];
  });
}
