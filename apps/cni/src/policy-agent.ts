/**
 * What the plugin says to the policy agent. A pod's interface is closed by rules that stay in the kernel until the agent
 * has been told of it, so ADD waits for its answer; DEL and GC tell it and do not wait.
 */
import {
  type AgentAnswer,
  type AgentRequest,
  decodeAnswer,
  encodeRequest,
  endpointKey,
  type EndpointMessage,
  LineBuffer,
  readAgentStatus,
  readEndpointAdded,
} from '@canal/agent-protocol';
import { CNI_ERROR } from '@canal/cni-spec';
import { isLinuxError, LinuxError } from '@canal/linux-ffi';
import type { Attachment } from '@canal/model';
import { formatIp } from 'net-types';
import type { Kernel } from './kernel.ts';
import { PluginError } from './plugin-error.ts';
import type { PluginRequest } from './request.ts';

/** Longest wait of an ADD for its rules. */
const ADD_TIMEOUT_MS = 10_000;
/** Nobody on the socket for so long is no restart: the runtime tries again. */
const ABSENT_TIMEOUT_MS = 2_000;
const STATUS_TIMEOUT_MS = 2_000;
const DELETE_TIMEOUT_MS = 50;
const RETRY_FIRST_MS = 5;
const RETRY_LONGEST_MS = 200;
/** Of an answer to what the plugin asks. */
const ANSWER_MAX_BYTES = 256 * 1024;
const CHUNK_BYTES = 4096;

const CURE =
  'Look at the container policy-agent of this node’s canal pod and its log. "policy": "off" in the CNI configuration does without network policy';

/** Returns when the pod's rules are in the kernel. Code 11 when they are not in time: try again. */
export function admitEndpoint({ kernel, config }: PluginRequest, attachment: Attachment): void {
  const { policySocket } = config;
  if (policySocket === undefined) return;
  const request: AgentRequest = { op: 'add-endpoint', endpoint: endpointOf(attachment) };
  const answer = askUntilReady(kernel, policySocket, request);
  const added = readEndpointAdded(answer);
  if (!added.ok) throw unusable(policySocket, added.error);
}

function endpointOf(attachment: Attachment): EndpointMessage {
  const { containerId, containerInterface, hostInterface, mode, addresses, containerMac, pod } = attachment;
  const isKnown = pod !== undefined && pod.namespace !== '' && pod.uid !== '';
  return {
    containerId,
    containerInterface,
    hostInterface,
    mode,
    addresses: addresses.map(({ ip }) => formatIp(ip)),
    mac: containerMac,
    ...(isKnown && { pod }),
  };
}

/** The value of the answer. */
function askUntilReady(kernel: Kernel, socket: string, request: AgentRequest): unknown {
  const started = performance.now();
  for (let pauseMs = RETRY_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, RETRY_LONGEST_MS)) {
    const elapsed = performance.now() - started;
    const outcome = ask(kernel, socket, request, ADD_TIMEOUT_MS - elapsed);
    if (outcome.type === 'answer' && outcome.answer.ok) return outcome.answer.value;
    const limit = outcome.type === 'absent' ? ABSENT_TIMEOUT_MS : ADD_TIMEOUT_MS;
    const isPassing = outcome.type !== 'answer' || (!outcome.answer.ok && outcome.answer.code === 'not-ready');
    if (!isPassing || performance.now() - started + pauseMs > limit) throw refusal(socket, outcome);
    Bun.sleepSync(pauseMs);
  }
}

/**
 * For STATUS: code 50 while no agent has been ready since the machine started. After that an agent that is away is
 * replaced, and an ADD meanwhile is tried again: 50 would have the kubelet call the node, and with it the pods that run
 * there, not ready for each restart of the agent.
 */
export function requireReadyAgent(request: PluginRequest): void {
  const { kernel, config } = request;
  if (config.policySocket === undefined) return;
  try {
    askWhetherReady(kernel, config.policySocket);
  } catch (error) {
    if (!(error instanceof PluginError) || !kernel.hasPolicyRules()) throw error;
  }
}

function askWhetherReady(kernel: Kernel, policySocket: string): void {
  const outcome = ask(kernel, policySocket, { op: 'status' }, STATUS_TIMEOUT_MS);
  if (outcome.type !== 'answer' || !outcome.answer.ok) throw refusal(policySocket, outcome, CNI_ERROR.notAvailable);
  const status = readAgentStatus(outcome.answer.value);
  if (!status.ok) throw unusable(policySocket, status.error, CNI_ERROR.notAvailable);
  const { ready, notes } = status.value;
  if (ready) return;
  throw new PluginError(CNI_ERROR.notAvailable, 'the policy agent is not ready: new pods would have no rules yet', {
    details: notes.join('; '),
  });
}

/** Best effort: an agent that does not hear of it finds out by the records, which go right after. */
export function forgetEndpoints(
  { kernel, config }: PluginRequest,
  keys: readonly Pick<EndpointMessage, 'containerId' | 'containerInterface'>[],
): void {
  const { policySocket } = config;
  if (policySocket === undefined) return;
  for (const key of keys) {
    try {
      using stream = kernel.connectUnixStream(policySocket, DELETE_TIMEOUT_MS);
      stream.send(encode({ op: 'delete-endpoint', key: endpointKey(key) }));
    } catch {
      // The others would wait as long for nothing.
      return;
    }
  }
}

type Outcome =
  | { readonly type: 'answer'; readonly answer: AgentAnswer }
  /** Nobody takes connections. */
  | { readonly type: 'absent'; readonly reason: string }
  /** It has ended in mid-conversation, or takes too long. */
  | { readonly type: 'silent'; readonly reason: string };

function ask(kernel: Kernel, socket: string, request: AgentRequest, timeoutMs: number): Outcome {
  const deadline = performance.now() + timeoutMs;
  try {
    using stream = kernel.connectUnixStream(socket, timeoutMs);
    stream.send(encode(request));
    const buffer = new LineBuffer(ANSWER_MAX_BYTES);
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      const length = stream.receive(chunk, deadline - performance.now());
      if (length === 0) return { type: 'silent', reason: 'it closed the connection without an answer' };
      if (length === undefined && performance.now() >= deadline) return { type: 'silent', reason: 'no answer in time' };
      const [line] = buffer.push(chunk.subarray(0, length ?? 0));
      if (line !== undefined) return answered(line);
      if (buffer.overflowed) return answered('');
    }
  } catch (error) {
    if (isLinuxError(error, 'EAGAIN', 'EPIPE', 'ECONNRESET')) return { type: 'silent', reason: error.message };
    if (error instanceof LinuxError) return { type: 'absent', reason: error.message };
    throw error;
  }
}

function answered(line: string): Outcome {
  const answer = decodeAnswer(line);
  if (answer.ok) return { type: 'answer', answer: answer.value };
  return { type: 'answer', answer: { ok: false, code: 'internal', message: answer.error } };
}

function encode(request: AgentRequest): Uint8Array {
  return new TextEncoder().encode(encodeRequest(request));
}

function refusal(socket: string, outcome: Outcome, code: number = CNI_ERROR.tryAgainLater): PluginError {
  if (outcome.type === 'absent') {
    return new PluginError(code, `the policy agent does not run: ${outcome.reason}`, { details: CURE });
  }
  if (outcome.type === 'silent') {
    return new PluginError(code, `the policy agent does not answer on ${socket}: ${outcome.reason}`, { details: CURE });
  }
  const words = outcome.answer.ok ? 'no reason given' : `${outcome.answer.code}: ${outcome.answer.message}`;
  return new PluginError(code, `the policy agent has not made the pod’s rules: ${words}`, { details: CURE });
}

function unusable(socket: string, problem: string, code: number = CNI_ERROR.tryAgainLater): PluginError {
  const message = `what answers on ${socket} is no policy agent of this version: ${problem}`;
  return new PluginError(code, message, { details: CURE });
}
