/**
 * SubnetLen, SubnetMin and SubnetMax: how flannel cuts the network into node subnets in etcd mode. With Kubernetes the
 * subnets come from Node objects; the keys are checked all the same, so that a file is right or wrong in every mode.
 */
import { type Cidr, cidrContains, cidrFamily, cidrOf, compareIp, formatCidr, formatIp, type Ip } from 'net-types';
import type { FieldError } from './field-error.ts';

export interface SubnetRange {
  /** Zero is flannel's default. */
  readonly length: number;
  readonly first: Ip | undefined;
  readonly last: Ip | undefined;
}

/** flannel's figures by family: smallest network, default length of node subnets. */
const LIMITS = { 4: { smallest: 28, usual: 24 }, 6: { smallest: 124, usual: 64 } } as const;

/** A network must hold at least four node subnets. */
const SUBNET_BITS = 2;

/** `prefix` is that of the keys: empty or `IPv6`. */
export function checkSubnetRange(prefix: '' | 'IPv6', network: Cidr, range: SubnetRange): readonly FieldError[] {
  const { smallest, usual } = LIMITS[cidrFamily(network)];
  const longest = network.prefixLen + SUBNET_BITS;
  if (range.length === 0 && network.prefixLen > smallest) {
    const expected = `a network of /${smallest} or larger`;
    return [{ field: `${prefix}Network`, value: formatCidr(network), expected }];
  }
  if (range.length !== 0 && range.length < longest) {
    const expected = `at least ${longest}, so that ${formatCidr(network)} holds four subnets`;
    return [{ field: `${prefix}SubnetLen`, value: range.length, expected }];
  }
  const length = range.length === 0 ? Math.max(usual, longest) : range.length;
  const errors = [
    ...checkEnd(`${prefix}SubnetMin`, network, length, range.first),
    ...checkEnd(`${prefix}SubnetMax`, network, length, range.last),
  ];
  if (range.first !== undefined && range.last !== undefined && compareIp(range.first, range.last) > 0) {
    const expected = `an address not above ${prefix}SubnetMax`;
    errors.push({ field: `${prefix}SubnetMin`, value: formatIp(range.first), expected });
  }
  return errors;
}

function checkEnd(field: string, network: Cidr, length: number, end: Ip | undefined): FieldError[] {
  if (end === undefined) return [];
  const fits = cidrContains(network, end) && cidrOf(end, length).ip === end;
  const expected = `the first address of a /${length} inside ${formatCidr(network)}`;
  return fits ? [] : [{ field, value: formatIp(end), expected }];
}
