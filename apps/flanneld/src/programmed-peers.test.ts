import type { Peer } from '@canal/model';
import { parseCidr, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import type { NetworkResult } from './node-network.ts';
import { programmedPeers } from './programmed-peers.ts';

const subnet = unwrap(parseCidr('10.244.1.0/24'));
const result: NetworkResult = {
  own: {
    node: { name: 'a', families: [], ownAddresses: [] },
    leases: [{ family: 4, subnet, network: unwrap(parseCidr('10.244.0.0/16')) }],
  },
  underlay: [],
  nodeProblems: [],
  warnings: [],
  problems: [
    { code: 'DuplicateLease', severity: 'error', peer: 'c', family: 4, message: '', cure: '' },
    { code: 'DuplicatePublicIp', severity: 'warning', peer: 'b', family: 4, message: '', cure: '' },
    { code: 'DuplicateLease', severity: 'error', peer: 'd', family: 6, message: '', cure: '' },
  ],
  conflicts: [],
  failures: [],
  localFaults: [],
  repairs: [],
  operations: 0,
};

function dual(name: string): Peer {
  return {
    name,
    backendType: 'vxlan',
    endpoints: [
      { family: 4, publicIp: unwrap(parseIp('10.0.0.2')), subnet: unwrap(parseCidr('10.244.2.0/24')) },
      { family: 6, publicIp: unwrap(parseIp('fd00::2')), subnet: unwrap(parseCidr('fd01::/64')) },
    ],
  };
}

test('families that this node does not use, and peers that it refuses, are left out', () => {
  const peers = programmedPeers([dual('b'), dual('c'), dual('d')], result);
  expect(peers.map(({ name, endpoints }) => [name, ...endpoints.map(({ family }) => family)])).toEqual([
    ['b', 4],
    ['d', 4],
  ]);
});

test('before this node is decided there are none', () => {
  expect(programmedPeers([dual('b')], undefined)).toEqual([]);
});
