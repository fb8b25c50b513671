/** The Node object to what the agent uses of it: everything else is dropped at parse, so it is never kept in memory. */
import { type Cidr, cidrOf, err, ok, parseInterfaceAddress, type ParseError, type Result } from 'net-types';
import * as z from 'zod/mini';
import { fieldErrors, formatFieldError } from './field-error.ts';
import { orElse, parsedText } from './schema-parts.ts';

export interface NodeRecord {
  readonly name: string;
  readonly uid: string;
  /** metadata.creationTimestamp, since the epoch; absent when the server gives none that parses. */
  readonly createdMs?: number;
  /** Of all prefixes asked for; a peer's annotations are parsed and then dropped. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly podCidrs: readonly Cidr[];
  /** status.addresses of type InternalIP, as written. */
  readonly internalIps: readonly string[];
  /** The NetworkUnavailable condition, when there is one. */
  readonly networkUnavailable?: { readonly status: string; readonly reason: string };
}

const NODE = z.object({
  metadata: z.object({
    name: z.string('a name'),
    uid: orElse(z.string('a text'), ''),
    creationTimestamp: orElse(z.string('a time'), ''),
    annotations: orElse(z.record(z.string(), z.string('a text'), 'texts by name'), {}),
  }),
  spec: orElse(
    z.object({
      podCIDR: orElse(z.string('a CIDR block'), ''),
      podCIDRs: orElse(z.array(parsedText(parsePodCidr, 'a CIDR block'), 'a list of CIDR blocks'), []),
    }),
    { podCIDR: '', podCIDRs: [] },
  ),
  status: orElse(
    z.object({
      addresses: orElse(z.array(z.object({ type: z.string('a text'), address: z.string('a text') })), []),
      conditions: orElse(
        z.array(z.object({ type: z.string('a text'), status: z.string('a text'), reason: orElse(z.string(), '') })),
        [],
      ),
    }),
    { addresses: [], conditions: [] },
  ),
});

/** The record, or one sentence with all that is wrong. `keep` names the annotations to keep. */
export function parseNode(object: unknown, keep: ReadonlySet<string>): Result<NodeRecord, string> {
  const parsed = z.safeParse(NODE, object);
  if (!parsed.success) return err(fieldErrors(parsed.error, object).map(formatFieldError).join('; '));
  const { metadata, spec, status } = parsed.data;
  const podCidrs = readPodCidrs(spec);
  if (!podCidrs.ok) return podCidrs;
  const condition = status.conditions.find(({ type }) => type === 'NetworkUnavailable');
  const createdMs = Date.parse(metadata.creationTimestamp);
  return ok({
    name: metadata.name,
    uid: metadata.uid,
    ...(Number.isFinite(createdMs) && { createdMs }),
    annotations: Object.fromEntries(Object.entries(metadata.annotations).filter(([key]) => keep.has(key))),
    podCidrs: podCidrs.value,
    internalIps: status.addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
    ...(condition && { networkUnavailable: { status: condition.status, reason: condition.reason } }),
  });
}

/** Old objects have podCIDR alone; where both are, the list holds it as its first. */
function readPodCidrs(spec: { podCIDR: string; podCIDRs: readonly Cidr[] }): Result<readonly Cidr[], string> {
  if (spec.podCIDRs.length > 0 || spec.podCIDR === '') return ok(spec.podCIDRs);
  const cidr = parsePodCidr(spec.podCIDR);
  if (cidr.ok) return ok([cidr.value]);
  return err(formatFieldError({ field: 'spec.podCIDR', value: spec.podCIDR, expected: cidr.error.expected }));
}

/** The API server does not ask for cleared host bits, and every reader of it clears them. */
function parsePodCidr(text: string): Result<Cidr, ParseError> {
  const address = parseInterfaceAddress(text);
  return address.ok ? ok(cidrOf(address.value.ip, address.value.prefixLen)) : address;
}
