/** A policy agent that says what a test wants: on a real socket, with the real codec. */
import { rmSync } from 'node:fs';
import {
  type AgentAnswer,
  type AgentRequest,
  type AgentStatusMessage,
  decodeRequest,
  encodeAnswer,
  LineBuffer,
  MAX_REQUEST_BYTES,
} from '@canal/agent-protocol';

/** `hang-up`: the connection is closed; `silence`: nothing is said on it any more. */
export type FakeAnswer = AgentAnswer | 'hang-up' | 'silence';

export const POLICED: AgentAnswer = { ok: true, value: { state: 'policed' } };
export const NOT_READY: AgentAnswer = { ok: false, code: 'not-ready', message: 'pods are not listed yet' };

export function agentStatus(ready: boolean, notes: readonly string[] = []): AgentAnswer {
  const counts = { endpoints: 0, isolated: 0, policies: 0, chains: 0, sets: 0, members: 0 };
  const value: AgentStatusMessage = { version: '1', node: 'n', ready, notes, strict: true, streams: [], counts };
  return { ok: true, value };
}

export class FakePolicyAgent implements Disposable {
  readonly requests: AgentRequest[] = [];
  readonly #path: string;
  readonly #server: Bun.UnixSocketListener<LineBuffer>;

  /** `answer` is called for each request in turn. */
  constructor(path: string, answer: (request: AgentRequest, number: number) => FakeAnswer) {
    this.#path = path;
    this.#server = Bun.listen<LineBuffer>({
      unix: path,
      socket: {
        open(socket) {
          socket.data = new LineBuffer(MAX_REQUEST_BYTES);
        },
        data: (socket, bytes) => {
          for (const line of socket.data.push(bytes)) {
            const request = decodeRequest(line);
            if (!request.ok) throw new Error(request.error);
            const said = answer(request.value, this.requests.push(request.value));
            if (said === 'hang-up') socket.end();
            else if (said !== 'silence') socket.write(encodeAnswer(said));
          }
        },
      },
    });
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
    rmSync(this.#path, { force: true });
  }
}
