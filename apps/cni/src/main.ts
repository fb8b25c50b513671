/** The CNI plugin. */
import { runPluginProcess } from './plugin-process.ts';
import { runPlugin } from './plugin.ts';

/** Arguments are not part of the protocol and are not looked at. Resolves to the exit code. */
export function main(_args: readonly string[] = []): Promise<number> {
  return Promise.resolve(runPluginProcess('canal', runPlugin));
}
