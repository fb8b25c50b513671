/**
 * A node's annotations as its peers read them. They are written by other nodes, so they are hostile until parsed: what
 * is wrong with one family of one node costs that family of that node, and nothing else.
 */
import type { Peer, PeerEndpoint } from '@canal/model';
import {
  type Cidr,
  cidrFamily,
  describeParseError,
  err,
  ipFamily,
  type IpFamily,
  ok,
  parseIp,
  type Result,
} from 'net-types';
import type { AnnotationKeys } from './annotation-keys.ts';
import type { NodeRecord } from './node.ts';
import { parseVtep, type Vtep } from './vtep.ts';

export interface ParsedPeer {
  /** Absent when the node runs no flannel (it does not say so in kube-subnet-manager). */
  readonly peer?: Peer;
  /** One sentence each, naming the annotation, its value and what was expected. */
  readonly problems: readonly string[];
}

export function parsePeer(node: NodeRecord, keys: AnnotationKeys): ParsedPeer {
  if (node.annotations[keys.subnetManager] !== 'true') return { problems: [] };
  const backendType = (node.annotations[keys.backendType] ?? '').toLowerCase();
  const problems: string[] = [];
  const endpoints: PeerEndpoint[] = [];
  for (const family of [4, 6] as const) {
    const endpoint = readEndpoint(node, keys, family, backendType);
    if (endpoint === undefined) continue;
    if (endpoint.ok) endpoints.push(endpoint.value);
    else problems.push(endpoint.error);
  }
  const { name, createdMs } = node;
  return { peer: { name, backendType, endpoints, ...(createdMs !== undefined && { createdMs }) }, problems };
}

/** Undefined when the node has no such family: no public address announced, or no pod subnet. */
function readEndpoint(
  node: NodeRecord,
  keys: AnnotationKeys,
  family: IpFamily,
  backendType: string,
): Result<PeerEndpoint, string> | undefined {
  const publicIpKey = family === 4 ? keys.publicIp : keys.publicIpv6;
  const dataKey = family === 4 ? keys.backendData : keys.backendV6Data;
  const text = node.annotations[publicIpKey];
  const subnet = subnetOf(node, family);
  if (text === undefined || subnet === undefined) return undefined;
  const publicIp = parseIp(text);
  if (!publicIp.ok || ipFamily(publicIp.value) !== family) {
    return err(
      `annotation ${publicIpKey}: ${describeParseError({ input: text, expected: `an IPv${family} address` })}`,
    );
  }
  if (backendType !== 'vxlan') return ok({ family, publicIp: publicIp.value, subnet });
  const vtep = readVtep(node.annotations[dataKey], dataKey);
  return vtep.ok ? ok({ family, publicIp: publicIp.value, subnet, vtep: vtep.value }) : vtep;
}

function subnetOf(node: NodeRecord, family: IpFamily): Cidr | undefined {
  return node.podCidrs.find((cidr) => cidrFamily(cidr) === family);
}

function readVtep(text: string | undefined, key: string): Result<Vtep, string> {
  const vtep = parseVtep(text ?? '');
  return vtep.ok ? vtep : err(`annotation ${key}: ${describeParseError(vtep.error)}`);
}
