/**
 * A request to a node to give a leaked address back at once, in an annotation of its Node object; what became of it is in
 * another. The admin API writes the one, the node agent the other, and takes the request away.
 */
export const ADDRESS_RELEASE_REQUEST = 'canal.io/ipam-release';
export const ADDRESS_RELEASE_OUTCOME = 'canal.io/ipam-release-outcome';

export interface AddressReleaseRequest {
  readonly id: string;
  /** As formatIp has it. */
  readonly address: string;
  /** Who holds it: what another has been given since stays. */
  readonly containerId: string;
  /** ISO 8601: then it ends, for a node that was away for long must not act on what nobody waits for. */
  readonly until: string;
}

export interface AddressReleaseOutcome {
  readonly id: string;
  readonly result: 'released' | 'kept' | 'absent';
  /** For people: what was released, or why not. */
  readonly detail: string;
}

const MAX_TEXT = 1024;
const MAX_DETAIL = 500;

/** Undefined for what is no request. */
export function parseAddressReleaseRequest(text: string): AddressReleaseRequest | undefined {
  const { id, address, containerId, until } = fieldsOf(text);
  if (!isText(id) || !isText(address) || !isText(containerId) || !isText(until)) return undefined;
  return Number.isNaN(Date.parse(until)) ? undefined : { id, address, containerId, until };
}

/** Undefined for what is no outcome. */
export function parseAddressReleaseOutcome(text: string): AddressReleaseOutcome | undefined {
  const { id, result, detail } = fieldsOf(text);
  if (result !== 'released' && result !== 'kept' && result !== 'absent') return undefined;
  return isText(id) && typeof detail === 'string' ? { id, result, detail: detail.slice(0, MAX_DETAIL) } : undefined;
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  if (text.length > MAX_TEXT) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
