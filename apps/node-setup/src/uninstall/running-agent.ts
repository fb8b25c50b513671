/** Agents that run in this network: they would make anew what is taken away. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Their process ids, in the host's count. In a container this process may not look at the namespaces of others: then none
 * is found, and the second look of the uninstall tells.
 */
export function runningAgents(hostRoot: string): readonly number[] {
  const proc = join(hostRoot, 'proc');
  const own = read(() => readlinkSync('/proc/self/ns/net'));
  return (read(() => readdirSync(proc)) ?? [])
    .filter((name) => /^[0-9]+$/.test(name) && isAgent(join(proc, name)))
    .filter((pid) => own !== undefined && read(() => readlinkSync(join(proc, pid, 'ns/net'))) === own)
    .map(Number);
}

const AGENTS = ['flanneld', 'policy-agent'];

/** `…/canal flanneld …` or a link of that name; `flanneld cleanup` ends by itself. */
function isAgent(directory: string): boolean {
  const [program = '', ...args] = (read(() => readFileSync(join(directory, 'cmdline'), 'utf8')) ?? '').split('\0');
  const name = program.slice(program.lastIndexOf('/') + 1);
  const words = name === 'canal' ? args : [name, ...args];
  return AGENTS.includes(words[0] ?? '') && words[1] !== 'cleanup';
}

/** Processes end while they are looked at, and not all may be looked at. */
function read<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
