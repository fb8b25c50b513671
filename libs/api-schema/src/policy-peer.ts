/** One item of `from` or `to`. What cannot be read matches nobody: an item never becomes wider than it was written. */
import type { LabelSelector, PolicyPeer } from '@canal/model';
import {
  type Cidr,
  cidrContainsCidr,
  cidrOf,
  err,
  formatCidr,
  ok,
  parseCidr,
  parseInterfaceAddress,
  type Result,
  unwrap,
} from 'net-types';
import type { FieldError } from './field-error.ts';
import { isAbsent, isJsonObject, type JsonObject } from './json-object.ts';
import { parseLabelSelector } from './label-selector.ts';

/** An absent selector is not `{}`: it narrows nothing, `{}` selects all. */
export function parsePolicyPeer(item: unknown, field: string): Result<PolicyPeer, FieldError> {
  if (!isJsonObject(item)) return err({ field, value: item, expected: 'podSelector, namespaceSelector or ipBlock' });
  const { podSelector, namespaceSelector, ipBlock } = item;
  const selects = !isAbsent(podSelector) || !isAbsent(namespaceSelector);
  if (!isAbsent(ipBlock)) {
    if (!selects) return parseIpBlock(ipBlock, `${field}.ipBlock`);
    return err({ field, value: item, expected: 'ipBlock or selectors, not both in one item' });
  }
  if (!selects) return err({ field, value: item, expected: 'podSelector, namespaceSelector or ipBlock' });
  const namespaces = readSelector(namespaceSelector, `${field}.namespaceSelector`);
  if (!namespaces.ok) return namespaces;
  const pods = readSelector(podSelector, `${field}.podSelector`);
  if (!pods.ok) return pods;
  return ok({ type: 'pods', namespaces: namespaces.value ?? 'own', pods: pods.value ?? [] });
}

function readSelector(selector: unknown, field: string): Result<LabelSelector | undefined, FieldError> {
  return isAbsent(selector) ? ok(undefined) : parseLabelSelector(selector, field);
}

function parseIpBlock(block: unknown, field: string): Result<PolicyPeer, FieldError> {
  if (!isJsonObject(block)) return err({ field, value: block, expected: 'an object with cidr' });
  const cidr = readBlock(block['cidr'], `${field}.cidr`);
  if (!cidr.ok) return cidr;
  const except = readExcept(block, cidr.value, `${field}.except`);
  return except.ok ? ok({ type: 'block', cidr: cidr.value, except: except.value }) : except;
}

/** Each must be a strict part of the block, as the API server asks: one that is mistyped would exclude nothing. */
function readExcept(block: JsonObject, cidr: Cidr, field: string): Result<Cidr[], FieldError> {
  const items = block['except'];
  if (isAbsent(items)) return ok([]);
  if (!Array.isArray(items)) return err({ field, value: items, expected: 'a list of CIDR blocks' });
  const except: Cidr[] = [];
  for (const [index, item] of (items as unknown[]).entries()) {
    const hole = readBlock(item, `${field}[${index}]`);
    if (!hole.ok) return hole;
    if (!cidrContainsCidr(cidr, hole.value) || hole.value.prefixLen === cidr.prefixLen) {
      return err({ field: `${field}[${index}]`, value: item, expected: `a part of ${formatCidr(cidr)}` });
    }
    except.push(hole.value);
  }
  return ok(except);
}

/**
 * Host bits are cleared: API servers before 1.36 accept them (validation.IsValidCIDRForLegacyField), and every reader
 * clears them. They accept leading zeros as well, but readers disagree whether those are octal, so nobody is matched.
 */
function readBlock(text: unknown, field: string): Result<Cidr, FieldError> {
  if (typeof text !== 'string') return err({ field, value: text, expected: 'a CIDR block such as 10.244.0.0/16' });
  const address = parseInterfaceAddress(text);
  if (!address.ok) {
    const expected = 'a CIDR block such as 10.244.0.0/16 or fd00:10:244::/56, without leading zeros';
    return err({ field, value: text, expected });
  }
  const cidr = cidrOf(address.value.ip, address.value.prefixLen);
  if (!cidrContainsCidr(MAPPED_IPV4, cidr)) return ok(cidr);
  return err({ field, value: text, expected: 'an IPv4 block in dotted decimal: no packet has mapped addresses' });
}

/** IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2). */
const MAPPED_IPV4 = unwrap(parseCidr('::ffff:0.0.0.0/96'));
