/** Whether a node's policy agent has its rules in the kernel, as it says itself. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { decodeAnswer, encodeRequest, LineBuffer, readAgentStatus } from '@canal/agent-protocol';

const ANSWER_TIMEOUT_MS = 1000;
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Throws an Error in words while it is not ready, or does not answer. */
export async function checkPolicyAgent(socketPath: string): Promise<void> {
  const socket = createConnection({ path: socketPath });
  const limit = setTimeout(() => socket.destroy(new Error('the policy agent does not answer')), ANSWER_TIMEOUT_MS);
  try {
    await once(socket, 'connect');
    socket.write(encodeRequest({ op: 'status' }));
    const lines = new LineBuffer(MAX_ANSWER_BYTES);
    for await (const chunk of socket) {
      for (const line of lines.push(chunk as Uint8Array)) {
        checkReady(line);
        return;
      }
    }
    throw new Error('the policy agent ended the connection');
  } finally {
    clearTimeout(limit);
    socket.destroy();
  }
}

function checkReady(line: string): void {
  const answer = decodeAnswer(line);
  if (!answer.ok) throw new Error(answer.error);
  if (!answer.value.ok) throw new Error(answer.value.message);
  const status = readAgentStatus(answer.value.value);
  if (!status.ok) throw new Error(status.error);
  if (!status.value.ready) throw new Error(`the policy agent is not ready: ${status.value.notes.join('; ')}`);
}
