/**
 * Gives a leaked address back at once. The node does it, and judges alone whether it may: it is asked by an annotation of
 * its Node object, since the questions that agents answer change nothing.
 */
import { randomUUID } from 'node:crypto';
import {
  ADDRESS_RELEASE_OUTCOME,
  ADDRESS_RELEASE_REQUEST,
  type AddressReleaseOutcome,
  type AddressReleaseRequest,
  parseAddressReleaseOutcome,
  parseAddressReleaseRequest,
} from '@canal/api-schema';
import type { Clock, Logger } from '@canal/runtime-port';
import { NODES, type Store } from '@canal/store-port';
import { formatIp, parseIp } from 'net-types';
import { type Handlers, ProblemError } from '../handler.ts';
import { ADDRESSES, type Addresses } from './agent-questions.ts';
import type { ClusterNodes } from './cluster-nodes.ts';
import type { NodeQuestions } from './node-questions.ts';
import { storeProblem } from './store-objects.ts';

export interface ReleaseDeps {
  readonly store: Store;
  readonly nodes: ClusterNodes;
  readonly questions: NodeQuestions;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly timeMs: () => number;
  readonly log: Logger;
}

interface Holding {
  readonly node: string;
  readonly held: Addresses['addresses']['items'][number];
}

/** How long a node is waited for. */
const WAIT_MS = 5_000;
/** Longer: the clocks of nodes differ. */
const GOOD_FOR_MS = 30_000;

export function releaseHandlers(deps: ReleaseDeps): Pick<Handlers, 'releaseAddress'> {
  /** Nodes that are waited for: one request at a time, there is one annotation. */
  const busy = new Set<string>();
  return {
    async releaseAddress({ params, body, dryRun, signal }) {
      const address = canonical(params.address);
      const { node, held } = await leakedHolding(deps, address, body, signal);
      const { containerId = '', pod } = held;
      const holder = pod === undefined ? '' : ` of pod ${pod.namespace}/${pod.name}`;
      const audit = {
        object: `Address ${address} of Node ${node}`,
        changes: [`- ${address} held by container ${containerId}${holder}`],
      };
      const answer = { address, node, containerId, ...(pod && { pod }) };
      if (dryRun) return { body: { applied: false, ...answer, detail: 'a trial: the node was not asked' }, audit };
      if (busy.has(node)) throw new ProblemError('conflict', `another release is under way on ${node}: try again`);
      busy.add(node);
      try {
        const detail = await askNode(deps, node, { address, containerId }, signal);
        return { body: { applied: true, ...answer, detail }, audit };
      } finally {
        busy.delete(node);
      }
    },
  };
}

/** Texts of one address are one text; the schema has seen that it is one. */
function canonical(text: string): string {
  const ip = parseIp(text);
  return ip.ok ? formatIp(ip.value) : text;
}

/** Throws ProblemError unless there is just one holder that can be asked for. */
async function leakedHolding(
  { nodes, questions }: ReleaseDeps,
  address: string,
  meant: { readonly node?: string | undefined; readonly containerId?: string | undefined },
  signal: AbortSignal,
): Promise<Holding> {
  if (meant.node !== undefined && nodes.get(meant.node) === undefined) {
    const detail = `there is no node ${JSON.stringify(meant.node)}; GET /v1/nodes lists them`;
    throw new ProblemError('invalid', detail, { errors: [{ pointer: '/node', detail }] });
  }
  const names = meant.node === undefined ? nodes.names() : [meant.node];
  // Fresh: what others were told a moment ago may be over.
  const answers = await questions.askAll(names, { ...ADDRESSES, isAlone: true }, signal);
  const holdings = answers.flatMap((answer): Holding[] =>
    answer.ok
      ? answer.value.addresses.items
          .filter((held) => canonical(held.address) === address)
          .map((held) => ({ node: answer.node, held }))
      : [],
  );
  const [first, ...others] = holdings;
  if (first === undefined) {
    const silent = answers.flatMap((answer) => (answer.ok ? [] : [`${answer.node} (${answer.reason})`]));
    if (silent.length === 0) throw new ProblemError('not-found', `nobody holds ${address}`);
    const detail = `nobody who could be asked holds ${address}; not asked: ${silent.slice(0, 5).join(', ')}`;
    throw new ProblemError('unavailable', detail, { retryAfterSeconds: 5 });
  }
  if (others.length > 0) {
    const all = holdings.map(({ node, held }) => `${held.state} on ${node}`).join(', ');
    throw new ProblemError(
      'conflict',
      `${address} is held more than once (${all}): say which node; "${CHECK}" says more`,
    );
  }
  const why = reasonToRefuse(first, meant.containerId);
  if (why !== undefined) throw new ProblemError('conflict', `${address} on ${first.node} stays: ${why}`);
  return first;
}

const CHECK = 'canalctl ipam check';

function reasonToRefuse({ held }: Holding, meant: string | undefined): string | undefined {
  const { state, containerId, pod, releasable = false } = held;
  if (state !== 'leaked') {
    return pod === undefined ? 'it is in use' : `it is in use by pod ${pod.namespace}/${pod.name}`;
  }
  if (meant !== undefined && containerId !== meant) return `container ${containerId ?? 'nobody'} holds it`;
  if (releasable && containerId !== undefined) return undefined;
  return 'its node cannot tell for sure that nobody uses it; it gives it back by itself after some minutes of that';
}

/** What the node has released. Throws ProblemError for what it has not. */
async function askNode(
  deps: ReleaseDeps,
  node: string,
  what: Pick<AddressReleaseRequest, 'address' | 'containerId'>,
  signal: AbortSignal,
): Promise<string> {
  const { nodes, timeMs, log } = deps;
  const present = parseAddressReleaseRequest(nodes.get(node)?.record?.annotations[ADDRESS_RELEASE_REQUEST] ?? '');
  if (present !== undefined && Date.parse(present.until) > timeMs()) {
    throw new ProblemError('conflict', `another release is under way on ${node}: try again`);
  }
  const until = new Date(timeMs() + GOOD_FOR_MS).toISOString();
  const request: AddressReleaseRequest = { id: randomUUID(), ...what, until };
  await annotate(deps, node, JSON.stringify(request));
  const outcome = await outcomeOf(deps, node, request.id, signal);
  if (outcome === undefined) {
    await annotate(deps, node, null).catch((error: unknown) =>
      log.warn({ node, error }, 'a request to release an address stays until its time is over'),
    );
    const detail = `${node} has not answered within ${WAIT_MS / 1000} s; "${CHECK}" says whether it has released ${what.address}`;
    throw new ProblemError('unavailable', detail, { retryAfterSeconds: 5 });
  }
  if (outcome.result === 'released') return outcome.detail;
  if (outcome.result === 'absent') throw new ProblemError('not-found', `nobody holds ${what.address} any more`);
  throw new ProblemError('conflict', `${what.address} on ${node} stays: ${outcome.detail}`);
}

async function annotate({ store }: ReleaseDeps, node: string, text: string | null): Promise<void> {
  const patch = { metadata: { annotations: { [ADDRESS_RELEASE_REQUEST]: text } } };
  await store.mergePatch(NODES, node, patch, { subresource: 'status' }).catch((error: unknown) => {
    throw storeProblem(`Node ${node} cannot be written`, error);
  });
}

/** Undefined when there is none in time. */
async function outcomeOf(
  { nodes, clock }: ReleaseDeps,
  node: string,
  id: string,
  signal: AbortSignal,
): Promise<AddressReleaseOutcome | undefined> {
  const end = new AbortController();
  const either = AbortSignal.any([signal, end.signal]);
  const found = Promise.withResolvers<AddressReleaseOutcome | undefined>();
  const look = (): void => {
    const text = nodes.get(node)?.record?.annotations[ADDRESS_RELEASE_OUTCOME] ?? '';
    const outcome = parseAddressReleaseOutcome(text);
    if (outcome?.id === id) found.resolve(outcome);
  };
  nodes.listen(look, either);
  look();
  const over = (): void => found.resolve(undefined);
  clock.sleep(WAIT_MS, either).then(over, over);
  try {
    return await found.promise;
  } finally {
    end.abort();
  }
}
