/** Of canal's admin API what its document cannot say: bodies that name what is there, and what is refused for its meaning. */
import type { Found } from './found.ts';
import { isObject, type Json, type JsonObject, textOf } from './json-schema.ts';
import type { RequestSamples } from './request-plan.ts';

export const ADMIN_API_SAMPLES: RequestSamples = {
  bodies: {
    explain: (found) => {
      const ends = endsOf(found);
      return ends.flatMap(({ pod, address }, index) => {
        const { pod: other, address: otherAddress } = ends[(index + 1) % ends.length] ?? { pod, address };
        return [
          { source: pod, destination: other, port: 80 },
          { source: address, destination: otherAddress, protocol: 'UDP', port: 53 },
          { source: pod, destination: '192.0.2.1', protocol: 'SCTP', port: 443 },
          { source: '192.0.2.1', destination: other, protocol: 'ICMP' },
        ];
      });
    },
    diff: (found) => {
      const namespace = found.texts('namespace', '/v1/endpoints')[0] ?? 'default';
      const policies = found.items('/v1/policies').map(({ namespace: of, name }) => ({ of, name }));
      const pods = found.items('/v1/endpoints').flatMap(({ pod }) => (isObject(pod) ? [pod] : []));
      const removed = policies
        .slice(0, 1)
        .map(({ of, name }) => ({ kind: 'NetworkPolicy', namespace: of, name }) as JsonObject);
      const labels = { 'exercise.canal.io/a': 'b' };
      return [
        { objects: [isolation(namespace)] },
        { objects: [], removed },
        { objects: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } }] },
        {
          objects: [
            ...pods.slice(0, 1).map((pod) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { ...pod, labels } })),
          ],
        },
      ];
    },
    // What agents would not take is answered, too.
    validateNetConf: (found) => [...current(found), { netConf: { Network: 5 } }, { netConf: {} }],
  },
  paths: {
    releaseAddress: (found) =>
      addressesOf(found, ({ releasable }) => releasable === true).map((address) => ({ address })),
  },
  refused: {
    releaseAddress: (found) =>
      addressesOf(found, ({ state }) => state === 'in-use')
        .slice(0, 1)
        .map((address) => ({ status: 409, path: { address }, body: {} })),
    explain: (found) => {
      const [end] = endsOf(found);
      return end === undefined
        ? []
        : [{ status: 404, body: { source: end.pod, destination: 'no-such/pod', port: 80 } }];
    },
    putNetConf: () => [{ status: 422, body: { netConf: { Network: 5 } } }],
  },
  expiredCursor: Buffer.from('[0]').toString('base64url'),
};

function endsOf(found: Found): readonly { readonly pod: string; readonly address: string }[] {
  return found.items('/v1/endpoints').flatMap(({ pod, addresses }) => {
    const [address] = Array.isArray(addresses) ? (addresses as readonly Json[]) : [];
    if (!isObject(pod) || typeof address !== 'string') return [];
    return [{ pod: `${textOf(pod['namespace'])}/${textOf(pod['name'])}`, address }];
  });
}

function addressesOf(found: Found, isMeant: (item: JsonObject) => boolean): readonly string[] {
  return found
    .items('/v1/ipam/addresses')
    .filter(isMeant)
    .map(({ address }) => textOf(address));
}

function current(found: Found): readonly Json[] {
  const netConf = found.body('/v1/config/net-conf');
  return netConf === undefined ? [] : [netConf];
}

/** Isolates all pods of a namespace for ingress. */
function isolation(namespace: string): JsonObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'exercise-isolation', namespace },
    spec: { podSelector: {}, policyTypes: ['Ingress'] },
  };
}
