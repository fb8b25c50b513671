import type { NodeRequest } from '@canal/agent-protocol';
import type { RequestHandler } from '../request-handler.ts';
import type { ScriptedAgent } from './scripted-agent.ts';

/** A scripted agent behind a real server. */
export function handlerOf(script: ScriptedAgent): RequestHandler<NodeRequest> {
  return async (request, connection) => {
    for await (const answer of script(request, connection.signal)) {
      while (!connection.signal.aborted && !connection.send(answer)) await connection.drained();
    }
  };
}
