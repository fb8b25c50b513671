/** What this node announces: the annotations flannel writes, with the same names and the same text. */
import type { Peer, PeerEndpoint } from '@canal/model';
import { formatIp } from 'net-types';
import { ADDRESS_RELEASE_OUTCOME, ADDRESS_RELEASE_REQUEST } from './address-release.ts';
import { type AnnotationKeys, NODE_API_AUTHORITY } from './annotation-keys.ts';
import { formatVtep } from './vtep.ts';

/** Of this node, beside flannel's: under no prefix. */
export const CANALS_ANNOTATIONS = [NODE_API_AUTHORITY, ADDRESS_RELEASE_REQUEST, ADDRESS_RELEASE_OUTCOME] as const;

/** Values by name; null removes what an earlier configuration announced (peers would go on sending to it). */
export type AnnotationPatch = Readonly<Record<string, string | null>>;

/** All annotations of ours, for the node as peers shall see it. */
export function renderOwnAnnotations(own: Peer, keys: AnnotationKeys): AnnotationPatch {
  const ipv4 = own.endpoints.find(({ family }) => family === 4);
  const ipv6 = own.endpoints.find(({ family }) => family === 6);
  return {
    [keys.subnetManager]: 'true',
    [keys.backendType]: own.backendType,
    [keys.backendData]: ipv4 === undefined ? null : backendData(ipv4),
    [keys.publicIp]: ipv4 === undefined ? null : formatIp(ipv4.publicIp),
    [keys.backendV6Data]: ipv6 === undefined ? null : backendData(ipv6),
    [keys.publicIpv6]: ipv6 === undefined ? null : formatIp(ipv6.publicIp),
  };
}

/** All annotations of ours, removed: what `cleanup` writes. Those that people set stay. */
export function renderWithdrawnAnnotations(keys: AnnotationKeys): AnnotationPatch {
  const { subnetManager, backendType, backendData: data, backendV6Data, publicIp, publicIpv6 } = keys;
  const flannels = [subnetManager, backendType, data, backendV6Data, publicIp, publicIpv6];
  return Object.fromEntries([...flannels, ...CANALS_ANNOTATIONS].map((key) => [key, null]));
}

/** The part of the patch that changes anything: empty when the node already says all of it. */
export function changedAnnotations(patch: AnnotationPatch, current: Readonly<Record<string, string>>): AnnotationPatch {
  return Object.fromEntries(Object.entries(patch).filter(([key, value]) => (current[key] ?? null) !== value));
}

/** flannel marshals an absent value, so a backend without data says `null`. */
function backendData(endpoint: PeerEndpoint): string {
  return endpoint.vtep === undefined ? 'null' : formatVtep(endpoint.vtep);
}
