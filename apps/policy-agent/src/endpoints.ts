/**
 * The pods' interfaces on this node: from the records that the CNI plugin keeps (those of before the agent started, and
 * the end of each), and from its announcements, which come when the pod waits.
 */
import { endpointKey, type EndpointMessage } from '@canal/agent-protocol';
import type { Attachment, PolicyEndpoint } from '@canal/model';
import type { PolicyEngine } from '@canal/policy-compile';
import type { Logger } from '@canal/runtime-port';
import { formatIp, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';

export interface EndpointsDeps {
  readonly engine: Pick<PolicyEngine, 'putEndpoint' | 'deleteEndpoint'>;
  readonly log: Logger;
  /** Records of earlier boots are of interfaces that are gone. */
  readonly bootId: string;
  readonly onChange: () => void;
}

interface Entry {
  readonly endpoint: PolicyEndpoint;
  /** What an ADD before was given, or the record said: it is there again if this one is refused. */
  readonly before?: PolicyEndpoint;
  /** A record has been seen: then its end is the endpoint's. */
  recorded: boolean;
}

export class Endpoints {
  readonly #deps: EndpointsDeps;
  readonly #entries = new Map<string, Entry>();
  /** Ended while their record was, or may have been, there still: DEL removes it last. */
  readonly #ended = new Set<string>();

  constructor(deps: EndpointsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): PolicyEndpoint | undefined {
    return this.#entries.get(key)?.endpoint;
  }

  /** What the plugin says counts: whoever had one of the addresses before is gone. */
  announce(endpoint: PolicyEndpoint): void {
    this.#ended.delete(endpoint.key);
    for (const other of this.#holdersOf(endpoint)) {
      const addresses = other.addresses.map(formatIp);
      this.#deps.log.warn({ endpoint: other.key, addresses, now: endpoint.key }, 'an address has a new owner');
      this.withdraw(other.key);
    }
    const known = this.#entries.get(endpoint.key);
    this.#put({ endpoint, ...(known?.before && { before: known.before }), recorded: known?.recorded ?? false });
    this.#deps.onChange();
  }

  /** What was announced is wired: it stays whatever becomes of a later ADD. */
  admit(endpoint: PolicyEndpoint): void {
    const entry = this.#entries.get(endpoint.key);
    if (entry?.endpoint === endpoint) this.#entries.set(endpoint.key, { ...entry, before: endpoint });
  }

  /**
   * The ADD that announced it is refused: the plugin takes it back, but not what an earlier ADD of the same container
   * gave. Where there is a record its end says that; one that has not been read yet is not in doubt.
   */
  refuse(endpoint: PolicyEndpoint): void {
    const entry = this.#entries.get(endpoint.key);
    // A later ADD counts, or DEL.
    if (entry?.endpoint !== endpoint) return;
    if (entry.before !== undefined) this.#put({ ...entry, endpoint: entry.before });
    else if (entry.recorded) return;
    else this.#remove(endpoint.key);
    this.#deps.onChange();
  }

  /** DEL. Harmless for what is not known. */
  withdraw(key: string): void {
    this.#ended.add(key);
    if (this.#remove(key)) this.#deps.onChange();
  }

  /** The device is gone, and with it the sandbox, whatever became of the record. */
  linkGone(name: string): void {
    for (const [key, { endpoint }] of this.#entries) {
      if (endpoint.hostInterface === name) this.withdraw(key);
    }
  }

  /** All records as they are now; `unreadable` names those that are there and say nothing. */
  setRecorded(attachments: readonly Attachment[], unreadable: ReadonlySet<string>): void {
    const current = attachments.filter(({ bootId }) => bootId === this.#deps.bootId);
    const recorded = new Map(current.map((attachment) => [endpointKey(attachment), attachment]));
    let changed = false;
    for (const key of this.#ended) if (!recorded.has(key) && !unreadable.has(key)) this.#ended.delete(key);
    for (const [key, entry] of this.#entries) {
      if (entry.recorded && !recorded.has(key) && !unreadable.has(key)) changed = this.#remove(key) || changed;
    }
    for (const [key, attachment] of recorded) {
      const known = this.#entries.get(key);
      if (known !== undefined) known.recorded = true;
      else if (!this.#ended.has(key)) {
        const endpoint = endpointOfAttachment(attachment);
        this.#put({ endpoint, before: endpoint, recorded: true });
        changed = true;
      }
    }
    if (changed) this.#deps.onChange();
  }

  #holdersOf(endpoint: PolicyEndpoint): PolicyEndpoint[] {
    const others = [...this.#entries.values()].map((entry) => entry.endpoint);
    return others.filter(
      ({ key, addresses }) => key !== endpoint.key && addresses.some((ip) => endpoint.addresses.includes(ip)),
    );
  }

  #put(entry: Entry): void {
    this.#entries.set(entry.endpoint.key, entry);
    this.#deps.engine.putEndpoint(entry.endpoint);
  }

  #remove(key: string): boolean {
    if (!this.#entries.delete(key)) return false;
    this.#deps.engine.deleteEndpoint(key);
    return true;
  }
}

/** Of a decoded message: its texts parse. */
export function endpointOfMessage(message: EndpointMessage): PolicyEndpoint {
  return {
    key: endpointKey(message),
    ...podOf(message.pod),
    hostInterface: unwrap(parseInterfaceName(message.hostInterface)),
    mode: message.mode,
    addresses: message.addresses.map((text) => unwrap(parseIp(text))),
    mac: unwrap(parseMac(message.mac)),
  };
}

function endpointOfAttachment(attachment: Attachment): PolicyEndpoint {
  return {
    key: endpointKey(attachment),
    ...podOf(attachment.pod),
    hostInterface: attachment.hostInterface,
    mode: attachment.mode,
    addresses: attachment.addresses.map(({ ip }) => ip),
    mac: attachment.containerMac,
  };
}

/** A runtime that gives no uid does not say which of all pods of that name it is. */
function podOf(pod: PolicyEndpoint['pod']): Pick<PolicyEndpoint, 'pod'> {
  return pod === undefined || pod.uid === '' ? {} : { pod };
}
