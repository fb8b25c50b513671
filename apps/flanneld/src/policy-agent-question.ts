/** Asks the policy agent how it is, over its unix socket. */
import { decodeAnswer, encodeRequest, LineBuffer, readAgentStatus } from '@canal/agent-protocol';

const ANSWER_TIMEOUT_MS = 2_000;
const ANSWER_MAX_BYTES = 256 * 1024;

/** Undefined when it is ready; else why not, for people. Never rejects. */
export async function askPolicyAgent(path: string): Promise<string | undefined> {
  const answer = Promise.withResolvers<string>();
  const fail = (error: unknown): void => answer.reject(error instanceof Error ? error : new Error(String(error)));
  const timer = setTimeout(() => fail('no answer in time'), ANSWER_TIMEOUT_MS);
  let socket: Bun.Socket | undefined;
  try {
    const lines = new LineBuffer(ANSWER_MAX_BYTES);
    socket = await Bun.connect({
      unix: path,
      socket: {
        data(_socket, bytes) {
          const [line] = lines.push(bytes);
          if (line !== undefined) answer.resolve(line);
          else if (lines.overflowed) fail('the answer is too long');
        },
        close: () => fail('it closed the connection without an answer'),
        error: (_socket, error) => fail(error),
      },
    });
    socket.write(encodeRequest({ op: 'status' }));
    return judge(await answer.promise);
  } catch (error) {
    // Nobody has waited for it if the connection failed.
    answer.promise.catch(() => undefined);
    return `it does not answer on ${path}: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    clearTimeout(timer);
    socket?.end();
  }
}

function judge(line: string): string | undefined {
  const answer = decodeAnswer(line);
  if (!answer.ok) return answer.error;
  if (!answer.value.ok) return answer.value.message;
  const status = readAgentStatus(answer.value.value);
  if (!status.ok) return status.error;
  const { ready, notes } = status.value;
  return ready ? undefined : notes.join('; ') || 'it is not ready and does not say why';
}
