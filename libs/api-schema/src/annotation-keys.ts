import { err, ok, type ParseError, type Result } from 'net-types';

/** Names of flannel's Node annotations under one prefix. Read and written through the same table, so they agree. */
export interface AnnotationKeys {
  readonly subnetManager: string;
  readonly backendType: string;
  readonly backendData: string;
  readonly backendV6Data: string;
  readonly publicIp: string;
  readonly publicIpv6: string;
  readonly publicIpOverwrite: string;
  readonly publicIpv6Overwrite: string;
  readonly nodePublicIp: string;
  readonly nodePublicIpv6: string;
}

/**
 * PEM of the authorities of the certificates that this node's agents show to the admin API. Under no prefix: flannel has
 * none like it.
 */
export const NODE_API_AUTHORITY = 'canal.io/node-api-authority';

export const DEFAULT_ANNOTATION_PREFIX = 'flannel.alpha.coreos.com';

const DOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const NAME_PART = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?$/;
const LONGEST_NAME = 'public-ipv6-overwrite';

/**
 * flannel's rules for --kube-annotation-prefix: without a slash one is added; with one, what follows it is joined to the
 * names by a dash (`example.com/net` gives `example.com/net-public-ip`), unless it ends in a slash or dash already.
 */
export function annotationKeys(prefix: string): Result<AnnotationKeys, ParseError> {
  const [domain = '', name, ...rest] = prefix.split('/');
  const joined = name === undefined || name === '' || name.endsWith('-') ? (name ?? '') : `${name}-`;
  const fits = joined.length + LONGEST_NAME.length <= 63;
  if (rest.length > 0 || !DOMAIN.test(domain) || !NAME_PART.test(joined) || !fits) {
    const expected = 'a DNS domain, or a domain, a slash and a short name, such as flannel.alpha.coreos.com';
    return err({ input: prefix, expected });
  }
  const key = (suffix: string): string => `${domain}/${joined}${suffix}`;
  return ok({
    subnetManager: key('kube-subnet-manager'),
    backendType: key('backend-type'),
    backendData: key('backend-data'),
    backendV6Data: key('backend-v6-data'),
    publicIp: key('public-ip'),
    publicIpv6: key('public-ipv6'),
    publicIpOverwrite: key('public-ip-overwrite'),
    publicIpv6Overwrite: key('public-ipv6-overwrite'),
    nodePublicIp: key('node-public-ip'),
    nodePublicIpv6: key('node-public-ipv6'),
  });
}
