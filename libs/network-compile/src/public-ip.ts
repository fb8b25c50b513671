import { type Cidr, cidrContains, type Ip, parseCidr, unwrap } from 'net-types';

/** Blocks that no node can be reached at, with the word for each (IANA special-purpose registries). */
const UNREACHABLE_BLOCKS: readonly { readonly block: Cidr; readonly kind: string }[] = [
  { block: unwrap(parseCidr('0.0.0.0/8')), kind: 'an address of "this network"' },
  { block: unwrap(parseCidr('127.0.0.0/8')), kind: 'a loopback address' },
  { block: unwrap(parseCidr('224.0.0.0/4')), kind: 'a multicast address' },
  { block: unwrap(parseCidr('255.255.255.255/32')), kind: 'the broadcast address' },
  { block: unwrap(parseCidr('::/128')), kind: 'the unspecified address' },
  { block: unwrap(parseCidr('::1/128')), kind: 'the loopback address' },
  { block: unwrap(parseCidr('::ffff:0:0/96')), kind: 'an IPv4-mapped address' },
  // A vxlan device has no scope for it, and a route through it would need one.
  { block: unwrap(parseCidr('fe80::/10')), kind: 'a link-local address' },
  { block: unwrap(parseCidr('ff00::/8')), kind: 'a multicast address' },
];

/** What is wrong with the address as that of a node, in words that follow "is"; undefined when nothing is. */
export function publicIpFault(ip: Ip): string | undefined {
  return UNREACHABLE_BLOCKS.find(({ block }) => cidrContains(block, ip))?.kind;
}
