/** net-conf.json to the model: Go's reading rules, flannel's defaults, and its checks always (flannel: in etcd mode alone). */
import type { NetConf } from '@canal/model';
import {
  type Cidr,
  type Cidr4,
  type Cidr6,
  cidrOf,
  err,
  formatCidr,
  isCidr4,
  isCidr6,
  ok,
  parseInterfaceAddress,
  parseIpv4,
  parseIpv6,
  type Result,
} from 'net-types';
import * as z from 'zod/mini';
import { parseBackendConf } from './backend-conf.ts';
import { type FieldError, fieldErrors } from './field-error.ts';
import { readGoObject } from './go-object.ts';
import { checkSubnetRange } from './subnet-range.ts';
import { parsedText, trueOrFalse, wholeNumber } from './schema-parts.ts';

export interface ParsedNetConf {
  readonly netConf: NetConf;
  /** Accepted, but probably not what was meant. */
  readonly warnings: readonly string[];
}

const FIELDS = {
  names: [
    'Network',
    'IPv6Network',
    'EnableIPv4',
    'EnableIPv6',
    'EnableNFTables',
    'SubnetLen',
    'SubnetMin',
    'SubnetMax',
    'IPv6SubnetLen',
    'IPv6SubnetMin',
    'IPv6SubnetMax',
    'Backend',
  ],
  booleans: ['EnableIPv4', 'EnableIPv6', 'EnableNFTables'],
};

const NETWORK_EXPECTED = {
  Network: 'an IPv4 network such as "10.244.0.0/16"',
  IPv6Network: 'an IPv6 network such as "fd00:10:244::/56"',
};

const TOP = z.object({
  Network: z.optional(z.string(NETWORK_EXPECTED.Network)),
  IPv6Network: z.optional(z.string(NETWORK_EXPECTED.IPv6Network)),
  EnableIPv4: z._default(trueOrFalse(), true),
  EnableIPv6: z._default(trueOrFalse(), false),
  // Rules are always nftables here; the key is read so that a wrong value is found.
  EnableNFTables: z._default(trueOrFalse(), false),
  SubnetLen: z._default(wholeNumber(0, 30), 0),
  SubnetMin: z.optional(parsedText(parseIpv4, 'an IPv4 address')),
  SubnetMax: z.optional(parsedText(parseIpv4, 'an IPv4 address')),
  IPv6SubnetLen: z._default(wholeNumber(0, 126), 0),
  IPv6SubnetMin: z.optional(parsedText(parseIpv6, 'an IPv6 address')),
  IPv6SubnetMax: z.optional(parsedText(parseIpv6, 'an IPv6 address')),
});

type Top = z.infer<typeof TOP>;

export function parseNetConf(text: string): Result<ParsedNetConf, readonly FieldError[]> {
  const json = parseJson(text);
  if (!json.ok) return json;
  const warnings: string[] = [];
  const input = readGoObject(json.value, FIELDS, '', warnings);
  if (input === undefined) return err([{ field: '', value: json.value, expected: 'a JSON object' }]);
  const backend = parseBackendConf(input['Backend'], warnings);
  const top = z.safeParse(TOP, input);
  const errors = [...(top.success ? [] : fieldErrors(top.error, input)), ...(backend.ok ? [] : backend.error)];
  if (!top.success) return err(errors);
  const networks = readNetworks(top.data, errors, warnings);
  if (!backend.ok || errors.length > 0) return err(errors);
  const { EnableIPv4: enableIpv4, EnableIPv6: enableIpv6 } = top.data;
  return ok({ netConf: { ...networks, enableIpv4, enableIpv6, backend: backend.value }, warnings });
}

function parseJson(text: string): Result<unknown, readonly FieldError[]> {
  try {
    const value: unknown = JSON.parse(text);
    return ok(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return err([{ field: '', value: text, expected: `JSON (${reason})` }]);
  }
}

/** Networks of the enabled families; a network of a family that is off says nothing. */
function readNetworks(
  top: Top,
  errors: FieldError[],
  warnings: string[],
): { readonly network?: Cidr4; readonly ipv6Network?: Cidr6 } {
  if (!top.EnableIPv4 && !top.EnableIPv6) {
    errors.push({ field: 'EnableIPv4', value: false, expected: 'true, or EnableIPv6 true: no address family is left' });
  }
  if (!top.EnableIPv6 && top.IPv6Network !== undefined) {
    warnings.push('IPv6Network has no effect without "EnableIPv6": true');
  }
  const found = { errors, warnings };
  const network = top.EnableIPv4 ? readNetwork('Network', top.Network, isCidr4, found) : undefined;
  const ipv6Network = top.EnableIPv6 ? readNetwork('IPv6Network', top.IPv6Network, isCidr6, found) : undefined;
  const range = { length: top.SubnetLen, first: top.SubnetMin, last: top.SubnetMax };
  const ipv6Range = { length: top.IPv6SubnetLen, first: top.IPv6SubnetMin, last: top.IPv6SubnetMax };
  if (network !== undefined) errors.push(...checkSubnetRange('', network, range));
  if (ipv6Network !== undefined) errors.push(...checkSubnetRange('IPv6', ipv6Network, ipv6Range));
  return { ...(network !== undefined && { network }), ...(ipv6Network !== undefined && { ipv6Network }) };
}

/** Host bits are cut as flannel cuts them, with a warning. */
function readNetwork<T extends Cidr>(
  field: keyof typeof NETWORK_EXPECTED,
  text: string | undefined,
  isFamily: (cidr: Cidr) => cidr is T,
  found: { readonly errors: FieldError[]; readonly warnings: string[] },
): T | undefined {
  const parsed = parseInterfaceAddress(text ?? '');
  const network = parsed.ok ? cidrOf(parsed.value.ip, parsed.value.prefixLen) : undefined;
  if (!parsed.ok || network === undefined || !isFamily(network)) {
    found.errors.push({ field, value: text, expected: NETWORK_EXPECTED[field] });
    return undefined;
  }
  if (network.ip !== parsed.value.ip) found.warnings.push(`${field} is taken as ${formatCidr(network)}`);
  return network;
}
