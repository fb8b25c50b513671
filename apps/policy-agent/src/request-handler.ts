/** What each operation of the socket does. */
import {
  type AgentAnswer,
  type AgentRequest,
  type AgentStatusMessage,
  type EndpointAdded,
  type EndpointMessage,
  type EndpointStatusMessage,
  type PolicyStatusMessage,
  type RuleCountMessage,
} from '@canal/agent-protocol';
import { KernelError, type PolicyKernel } from '@canal/kernel-port';
import type { PolicyEndpoint } from '@canal/model';
import type { RequestConnection, RequestHandler } from '@canal/node-api';
import type { EndpointStatus, PolicyEngine } from '@canal/policy-compile';
import type { Clock, Logger } from '@canal/runtime-port';
import { formatIp } from 'net-types';
import type { AgentMetrics } from './agent-metrics.ts';
import { endpointOfMessage, type Endpoints } from './endpoints.ts';
import type { FlowCutter } from './flow-cutter.ts';
import type { FlowLog } from './flow-log.ts';
import type { LocalPods } from './local-pods.ts';
import type { RuleRunner } from './rule-runner.ts';

export interface RequestHandlerDeps {
  readonly engine: Pick<PolicyEngine, 'explain' | 'endpointStatuses' | 'policyStatuses' | 'hits'>;
  readonly kernel: Pick<PolicyKernel, 'isClosed' | 'judgeFlows' | 'limits' | 'counters'>;
  readonly runner: Pick<RuleRunner, 'isOpen' | 'applied' | 'opened'>;
  readonly cutter: Pick<FlowCutter, 'settled'>;
  readonly endpoints: Endpoints;
  readonly pods: Pick<LocalPods, 'lookUp'>;
  readonly flows: FlowLog;
  readonly status: () => AgentStatusMessage;
  /** As FlowCutter's. */
  readonly strict: boolean;
  /** An endpoint stays isolated, for this reason. */
  readonly onIsolated: (endpoint: PolicyEndpoint, reason: string) => void;
  readonly clock: Clock;
  /** When the host was started, since the epoch. */
  readonly bootMs: number;
  readonly log: Logger;
  readonly metrics: AgentMetrics;
}

/** An agent that just starts knows the cluster within a second or two. */
const OPEN_LIMIT_MS = 3_000;
/** The kernel's retries included. With the time for a lookup it is less than the plugin waits. */
const APPLIED_LIMIT_MS = 6_000;

export function createRequestHandler(deps: RequestHandlerDeps): RequestHandler<AgentRequest> {
  return async (request, connection) => {
    const answer = await answerTo(deps, request, connection);
    if (answer !== undefined) connection.send(answer);
  };
}

async function answerTo(
  deps: RequestHandlerDeps,
  request: AgentRequest,
  connection: RequestConnection,
): Promise<AgentAnswer | undefined> {
  switch (request.op) {
    case 'add-endpoint':
      return await addEndpoint(deps, request.endpoint);
    case 'delete-endpoint':
      deps.endpoints.withdraw(request.key);
      return { ok: true, value: {} };
    case 'status':
      return { ok: true, value: deps.status() };
    case 'endpoints':
      return { ok: true, value: [...deps.engine.endpointStatuses()].map(endpointStatusMessage) };
    case 'policies':
      return { ok: true, value: [...deps.engine.policyStatuses()] satisfies readonly PolicyStatusMessage[] };
    case 'counters':
      return await counters(deps);
    case 'explain':
      return explain(deps, request.question);
    case 'flows':
      await tellFlows(deps, request, connection);
      return undefined;
  }
}

async function addEndpoint(deps: RequestHandlerDeps, message: EndpointMessage): Promise<AgentAnswer> {
  const { endpoints } = deps;
  const endpoint = endpointOfMessage(message);
  endpoints.announce(endpoint);
  let isAdded = false;
  try {
    const answer = await admit(deps, endpoint);
    isAdded = answer.ok;
    return answer;
  } finally {
    if (isAdded) endpoints.admit(endpoint);
    else endpoints.refuse(endpoint);
  }
}

async function admit(deps: RequestHandlerDeps, endpoint: PolicyEndpoint): Promise<AgentAnswer> {
  const { clock, kernel, pods, runner, cutter, metrics, onIsolated } = deps;
  const startedMs = clock.nowMs();
  if (!runner.isOpen && !(await within(clock, OPEN_LIMIT_MS, () => runner.opened))) {
    return await addUnjudged(deps, endpoint);
  }
  // A pod that is not known is isolated by its endpoint alone: looking it up may take its time.
  const lookup = await pods.lookUp(endpoint.pod);
  const progress = { isWritten: false };
  const written = async (signal: AbortSignal): Promise<void> => {
    await runner.applied();
    progress.isWritten = true;
    await cutter.settled(endpoint.addresses, signal);
  };
  try {
    if (!(await within(clock, APPLIED_LIMIT_MS, written))) {
      return {
        ok: false,
        code: 'kernel',
        message: progress.isWritten ? unsettled(endpoint) : 'the kernel did not take the rules in time',
      };
    }
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { ok: false, code: 'kernel', message: error.message };
  }
  // It would stay isolated for ever: who asked for it is told, and may make it elsewhere.
  const limit = kernel.limits().find(({ code }) => code === 'bridge-isolated');
  if (endpoint.mode === 'bridge' && limit !== undefined) return { ok: false, code: 'kernel', message: limit.message };
  metrics.endpointReady.observe((clock.nowMs() - startedMs) / 1000);
  if (lookup.known) return added({ state: 'policed' });
  onIsolated(endpoint, lookup.reason);
  return added({ state: 'isolated', reason: lookup.reason });
}

function unsettled({ addresses }: PolicyEndpoint): string {
  return (
    `flows of the pod that had ${addresses.map(formatIp).join(', ')} before could not be judged in time, and the new one must not have them; ` +
    'the status of the policy agent says why'
  );
}

/**
 * The cluster is not known yet. Where the rules of an agent before this one are in force, they isolate an interface that
 * nobody told of; where there are none, nothing would. Flows that are open at its addresses are of a pod that had them
 * before: an isolated one has none.
 */
async function addUnjudged(deps: RequestHandlerDeps, endpoint: PolicyEndpoint): Promise<AgentAnswer> {
  const reason = ['not all objects of the API server are known yet', ...deps.status().notes].join('; ');
  let isClosed: boolean;
  try {
    isClosed = await deps.kernel.isClosed();
    if (isClosed && deps.strict) await deps.kernel.judgeFlows(new Set(endpoint.addresses), () => false);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    isClosed = false;
    deps.log.warn({ error }, 'whether a pod that is not known is isolated cannot be told');
  }
  if (!isClosed) return { ok: false, code: 'not-ready', message: reason };
  deps.onIsolated(endpoint, reason);
  return added({ state: 'isolated', reason });
}

function added(value: EndpointAdded): AgentAnswer {
  return { ok: true, value };
}

/** False when the time is over first: the signal aborts, and what then becomes of the work is nobody's. */
async function within(clock: Clock, limitMs: number, work: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  const over = new AbortController();
  const limit = clock.sleep(limitMs, over.signal).then(() => false);
  limit.catch(() => undefined);
  const done = work(over.signal).then(() => true);
  done.catch(() => undefined);
  try {
    return await Promise.race([done, limit]);
  } finally {
    over.abort();
  }
}

/** The kernel is read once for each who asks; before all policies are known their counters would look like nobody's. */
async function counters({ engine, kernel, runner, bootMs }: RequestHandlerDeps): Promise<AgentAnswer> {
  if (!runner.isOpen) {
    return { ok: false, code: 'not-ready', message: 'not all objects of the API server are known yet' };
  }
  try {
    const readings = await kernel.counters();
    return {
      ok: true,
      value: Array.from(
        engine.hits(readings),
        // What a kernel does not know the beginning of has begun after its own.
        ({ sinceMs = bootMs, ...hits }): RuleCountMessage => ({ ...hits, since: new Date(sinceMs).toISOString() }),
      ),
    };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { ok: false, code: 'kernel', message: error.message };
  }
}

function explain({ engine }: RequestHandlerDeps, question: Parameters<PolicyEngine['explain']>[0]): AgentAnswer {
  const explained = engine.explain(question);
  if (explained.ok) return { ok: true, value: explained.value };
  const { code, message } = explained.error;
  return { ok: false, code, message };
}

async function tellFlows(
  { flows }: RequestHandlerDeps,
  { last, denied, follow }: Extract<AgentRequest, { op: 'flows' }>,
  connection: RequestConnection,
): Promise<void> {
  for (const value of flows.last(last, denied)) {
    while (!connection.signal.aborted && !connection.send({ ok: true, value })) await connection.drained();
  }
  if (!follow) return;
  let skipped = 0;
  flows.listen((record) => {
    if (denied && record.verdict !== 'deny') return;
    const sent = connection.send({ ok: true, value: { ...record, lost: record.lost + skipped } });
    skipped = sent ? 0 : skipped + record.lost + 1;
  }, connection.signal);
  await new Promise<void>((resolve) => {
    if (connection.signal.aborted) resolve();
    connection.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function endpointStatusMessage({ endpoint, state, ingress, egress }: EndpointStatus): EndpointStatusMessage {
  const { key, hostInterface, mode, addresses, pod } = endpoint;
  return { key, hostInterface, mode, addresses: addresses.map(formatIp), ...(pod && { pod }), state, ingress, egress };
}
