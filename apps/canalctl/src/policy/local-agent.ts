/** Whether a command asks the policy agent of this machine instead of the admin API, and where that listens. */
import { existsSync } from 'node:fs';
import { DEFAULT_POLICY_SOCKET } from '@canal/agent-protocol';
import { userKubeconfigPaths } from '@canal/store-kube';
import type { CommandContext } from '../command-context.ts';
import { UsageError } from '../report-error.ts';
import type { PolicyFlags } from './policy-flags.ts';

/** The socket to ask; undefined: the admin API is asked. `isThere`: whether a path is. Throws UsageError. */
export function localAgent(
  { terminal }: CommandContext,
  flags: PolicyFlags & { readonly node?: string },
  isThere: (path: string) => boolean = existsSync,
): string | undefined {
  const { socket, lab, kubeconfig, context, asRole, adminServer, node } = flags;
  const names = { '--lab': lab, '--node': node, '--kubeconfig': kubeconfig, '--context': context, '--as-role': asRole };
  const [other] = Object.entries(names).find(([, value]) => value !== undefined) ?? [];
  if (socket !== undefined) {
    if (other === undefined) return socketPath(socket);
    throw new UsageError(`--socket and ${other} exclude each other`, 'leave out one of them');
  }
  if (other !== undefined || adminServer !== undefined) return undefined;
  if (userKubeconfigPaths(process.env).some((path) => isThere(path)) || !isThere(DEFAULT_POLICY_SOCKET)) {
    return undefined;
  }
  terminal.err(`note: there is no kubeconfig: asking the agent of this node alone, at ${DEFAULT_POLICY_SOCKET}\n`);
  return DEFAULT_POLICY_SOCKET;
}

/** sun_path of unix(7) without its NUL. */
const MAX_SOCKET_PATH = 107;

function socketPath(path: string): string {
  if (path !== '' && Buffer.byteLength(path) <= MAX_SOCKET_PATH) return path;
  throw new UsageError(
    `--socket: ${JSON.stringify(path.slice(0, 60))} is no path of a socket`,
    `give one of 1 to ${MAX_SOCKET_PATH} bytes`,
  );
}
