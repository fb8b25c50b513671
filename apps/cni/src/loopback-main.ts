/** The loopback plugin, for hosts that have none. */
import { runLoopback } from './loopback.ts';
import { runPluginProcess } from './plugin-process.ts';

/** Arguments are not part of the protocol and are not looked at. Resolves to the exit code. */
export function main(_args: readonly string[] = []): Promise<number> {
  return Promise.resolve(runPluginProcess('loopback', runLoopback));
}
