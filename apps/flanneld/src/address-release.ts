/**
 * Follows requests in this node's object to give a leaked address back at once. Whether it is leaked is judged here and
 * nowhere else, so that who may write the annotation can take no address from a pod.
 */
import {
  ADDRESS_RELEASE_OUTCOME,
  ADDRESS_RELEASE_REQUEST,
  type AddressReleaseOutcome,
  type AddressReleaseRequest,
  parseAddressReleaseRequest,
} from '@canal/api-schema';
import { createReconciler, type Reconciler } from '@canal/reconcile';
import type { Clock, Logger } from '@canal/runtime-port';
import type { EventSink } from '@canal/store-kube';
import { NODES, type Store } from '@canal/store-port';
import { withoutProgress } from '@canal/telemetry';
import { formatIp, parseIp } from 'net-types';
import type { AddressGarbage } from './address-garbage.ts';
import type { NodeTable } from './node-table.ts';

export interface AddressReleaseDeps {
  readonly store: Pick<Store, 'mergePatch'>;
  readonly nodes: Pick<NodeTable, 'own'>;
  readonly garbage: Pick<AddressGarbage, 'releaseNow'>;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
}

export class AddressRelease {
  readonly #deps: AddressReleaseDeps;
  readonly #loop: Reconciler<'request'>;
  /** Of the last request: its outcome stands, also when it could not be written at first. */
  #last: { readonly text: string; readonly outcome: AddressReleaseOutcome | undefined; isWritten: boolean } | undefined;

  constructor(deps: AddressReleaseDeps) {
    this.#deps = deps;
    this.#loop = createReconciler<'request'>(
      { clock: deps.clock, log: withoutProgress(deps.log) },
      {
        items: ['request'],
        turn: async () => {
          await this.#follow();
          return { failures: new Map() };
        },
        minIntervalMs: 50,
        resyncIntervalMs: 60_000,
        retryFirstMs: 250,
        retryLongestMs: 10_000,
      },
    );
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  /** The Node object changed. */
  nodeChanged(): void {
    if (this.#deps.nodes.own?.annotations[ADDRESS_RELEASE_REQUEST] !== undefined) this.#loop.markDirty('request');
  }

  async #follow(): Promise<void> {
    const { nodes, store } = this.#deps;
    const node = nodes.own;
    const text = node?.annotations[ADDRESS_RELEASE_REQUEST];
    if (node === undefined || text === undefined) return;
    if (this.#last?.text !== text) this.#last = { text, outcome: await this.#outcomeOf(text), isWritten: false };
    const last = this.#last;
    // The watch has not told yet that the request is gone.
    if (last.isWritten) return;
    const outcome = last.outcome && { [ADDRESS_RELEASE_OUTCOME]: JSON.stringify(last.outcome) };
    const annotations = { [ADDRESS_RELEASE_REQUEST]: null, ...outcome };
    await store.mergePatch(NODES, node.name, { metadata: { annotations } }, { subresource: 'status' });
    last.isWritten = true;
  }

  /** Undefined for what nobody can wait for: it is no request. */
  async #outcomeOf(text: string): Promise<AddressReleaseOutcome | undefined> {
    const { log, events } = this.#deps;
    const request = parseAddressReleaseRequest(text);
    if (request === undefined) {
      log.warn({ annotation: ADDRESS_RELEASE_REQUEST, text: text.slice(0, 80) }, 'no request to release an address');
      return undefined;
    }
    const outcome = { id: request.id, ...(await this.#release(request)) };
    log.info({ request, outcome }, 'asked to release an address');
    if (outcome.result === 'released') {
      events.emit({ type: 'Normal', reason: 'AddressReleased', message: `on request: ${outcome.detail}` });
    }
    return outcome;
  }

  async #release(request: AddressReleaseRequest): Promise<Omit<AddressReleaseOutcome, 'id'>> {
    const { garbage, timeMs } = this.#deps;
    const { address, containerId, until } = request;
    if (timeMs() > Date.parse(until)) {
      return { result: 'kept', detail: `the request was good until ${until}, and it is later on this node` };
    }
    const ip = parseIp(address);
    if (!ip.ok) return { result: 'kept', detail: 'it is no address' };
    const released = await garbage.releaseNow(ip.value, containerId);
    if (released.result === 'kept') return { result: 'kept', detail: released.why };
    if (released.result === 'absent') return { result: 'absent', detail: 'nobody holds it' };
    const addresses = released.released.map(formatIp).join(', ');
    return {
      result: 'released',
      detail: `${addresses} of container ${containerId.slice(0, 64)}, whose sandbox is gone`,
    };
  }
}
