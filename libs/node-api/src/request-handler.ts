/** What answers a request, whichever way it came. */
import type { AgentAnswer } from '@canal/agent-protocol';

/** One client's way back. */
export interface RequestConnection {
  /** False: so much waits for the client already that this was left out. */
  send(answer: AgentAnswer): boolean;
  /** Resolves when nothing waits for the client any more, or the client is gone. */
  drained(): Promise<void>;
  /** Aborts when the client is gone or the server ends. */
  readonly signal: AbortSignal;
}

/** Answers one request; the connection is closed when it resolves. A rejection is answered as `internal`. */
export type RequestHandler<Request> = (request: Request, connection: RequestConnection) => Promise<void>;
