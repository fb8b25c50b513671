/** One question to a policy agent over its unix socket, and the answers to it. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { type AgentRequest, decodeAnswer, encodeRequest, LineBuffer } from '@canal/agent-protocol';
import { PolicyAgentError, type PolicyAgentErrorCode } from './agent-error.ts';

/** A list of endpoints is one line. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** An agent that is well answers within milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;

/** The one answer. Throws PolicyAgentError. */
export async function askOnce(path: string, request: AgentRequest, signal: AbortSignal): Promise<unknown> {
  for await (const value of ask(path, request, signal)) return value;
  signal.throwIfAborted();
  throw new PolicyAgentError('broken', `${path}: the policy agent ended the connection without an answer`);
}

/** Each answer's value, until the agent has said all or the signal aborts. Throws PolicyAgentError. */
export async function* ask(path: string, request: AgentRequest, signal: AbortSignal): AsyncGenerator {
  const isAborted = (): boolean => signal.aborted;
  if (isAborted()) return;
  const follows = request.op === 'flows' && request.follow;
  const socket = createConnection({ path });
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  const limit = setTimeout(
    () => socket.destroy(new PolicyAgentError('timeout', `${path}: no answer within ${ANSWER_TIMEOUT_MS / 1000} s`)),
    ANSWER_TIMEOUT_MS,
  );
  try {
    await once(socket, 'connect');
    if (follows) clearTimeout(limit);
    socket.write(encodeRequest(request));
    const lines = new LineBuffer(MAX_ANSWER_BYTES);
    for await (const chunk of socket) {
      for (const line of lines.push(chunk as Uint8Array)) yield readValue(path, line);
      if (lines.overflowed)
        throw new PolicyAgentError('broken', `${path}: an answer of over ${MAX_ANSWER_BYTES} bytes`);
    }
  } catch (error) {
    if (isAborted()) return;
    throw asAgentError(path, error);
  } finally {
    clearTimeout(limit);
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function readValue(path: string, line: string): unknown {
  const answer = decodeAnswer(line);
  if (!answer.ok) throw new PolicyAgentError('broken', `${path}: ${answer.error}`);
  if (answer.value.ok) return answer.value.value;
  throw new PolicyAgentError(answer.value.code, answer.value.message);
}

const BY_SYSTEM_ERROR: ReadonlyMap<string, PolicyAgentErrorCode> = new Map([
  ['ENOENT', 'unreachable'],
  ['ENOTDIR', 'unreachable'],
  ['ENOTSOCK', 'unreachable'],
  ['ECONNREFUSED', 'unreachable'],
  ['EACCES', 'forbidden'],
  ['EPERM', 'forbidden'],
]);

function asAgentError(path: string, error: unknown): PolicyAgentError {
  if (error instanceof PolicyAgentError) return error;
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  const known = BY_SYSTEM_ERROR.get(String(code));
  if (known === 'unreachable') {
    return new PolicyAgentError(known, `no policy agent listens at ${path}`, { cause: error });
  }
  if (known === 'forbidden') return new PolicyAgentError(known, `${path} is for root alone`, { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new PolicyAgentError('broken', `${path}: ${message}`, { cause: error });
}
