/** Pod subnets as Node objects tell them: what peers go by. */
import type { Lease, MissingPart } from '@canal/admin-schema';
import { type AnnotationKeys, type NodeRecord, parsePeer } from '@canal/api-schema';
import { cidrFamily, formatCidr, formatIp } from 'net-types';
import type { Handlers } from '../handler.ts';
import { boundedText } from './bounded-text.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import { Cursors } from './cursor.ts';
import { pageOfItems } from './pages.ts';

const LIST = new Cursors('leases', {});

export function leaseHandlers(nodes: ClusterNodes, keys: AnnotationKeys): Pick<Handlers, 'listLeases'> {
  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- of handlers' shape: what it throws is a rejection
    async listLeases({ query }) {
      const leases: Lease[] = [];
      const missing: MissingPart[] = [];
      for (const name of nodes.names()) {
        const { record, problem = '' } = nodes.get(name) ?? {};
        if (record !== undefined) leases.push(...leasesOf(record, keys));
        else missing.push({ node: name, reason: boundedText(`its Node object cannot be read: ${problem}`, 400) });
      }
      const order = { cursors: LIST, keyOf: ({ node, subnet }: Lease) => [node, subnet], parts: 2 };
      return { body: pageOfItems(leases, query, order, missing) };
    },
  };
}

function leasesOf(record: NodeRecord, keys: AnnotationKeys): readonly Lease[] {
  return record.podCidrs.map((subnet) => {
    const family = cidrFamily(subnet);
    const { peer, problems } = parsePeer({ ...record, podCidrs: [subnet] }, keys);
    const endpoint = peer?.endpoints.find((one) => one.family === family);
    const faults = problems.map((message) => ({ severity: 'error' as const, message: boundedText(message, 1024) }));
    if (peer === undefined) {
      const message =
        'no agent has announced itself on this node: peers do not reach its pods; see the state of the node';
      faults.push({ severity: 'error', message });
    } else if (endpoint === undefined && problems.length === 0) {
      const message = `the node announces no IPv${family} address: peers do not reach these pods; is the family enabled in net-conf.json?`;
      faults.push({ severity: 'error', message });
    }
    return {
      node: record.name,
      family,
      subnet: formatCidr(subnet),
      ...(endpoint && { publicIp: formatIp(endpoint.publicIp) }),
      ...(peer && { backend: boundedText(peer.backendType, 64) }),
      faults,
    };
  });
}
