/** Which policy agents a command asks: that of this node, one of a lab's nodes, or all of them. */
import { DEFAULT_POLICY_SOCKET } from '@canal/agent-protocol';
import { type Lab, LabError, type PodRecord } from '@canal/lab';
import type { CommandContext } from '../command-context.ts';
import { onOpenLab } from '../lab/lab-flags.ts';
import { UsageError } from '../report-error.ts';

export interface AgentFlags {
  readonly socket?: string;
  readonly lab?: string;
  readonly node?: string;
  readonly stateRoot: string;
}

export interface AgentSocket {
  /** Absent: of this machine. */
  readonly node?: string;
  readonly path: string;
}

/** One or more. Throws UsageError and LabError. */
export async function agentSockets(context: CommandContext, flags: AgentFlags): Promise<readonly AgentSocket[]> {
  const { socket, lab, node } = flags;
  if (lab === undefined) {
    if (node !== undefined) throw new UsageError('--node names a node of a lab', 'give --lab as well, or leave it out');
    return [{ path: socketPath(socket ?? DEFAULT_POLICY_SOCKET) }];
  }
  if (socket !== undefined) throw new UsageError('--socket and --lab exclude each other', 'leave out one of them');
  return await onOpenLab(context, { name: lab, stateRoot: flags.stateRoot }, (open) => {
    if (open.spec.policy === 'off') {
      throw new LabError('not-found', `the lab "${lab}" runs no policy agents`, {
        hint: 'it was made with --no-policy: end it ("canalctl lab down"), and make it without that',
      });
    }
    const nodes = node === undefined ? open.nodes().map(({ name }) => name) : [node];
    return Promise.resolve(nodes.map((name) => socketOf(open, name)));
  });
}

/** That of the node on which one of these pods runs, the first that does; any when none does. */
export async function agentSocketNear(
  context: CommandContext,
  flags: AgentFlags,
  isNear: readonly ((pod: PodRecord) => boolean)[],
): Promise<AgentSocket> {
  const { lab, node, socket } = flags;
  if (lab !== undefined && node === undefined && socket === undefined) {
    const near = await onOpenLab(context, { name: lab, stateRoot: flags.stateRoot }, (open) => {
      const pods = open.pods();
      return Promise.resolve(isNear.map((test) => pods.find(test)?.node).find((name) => name !== undefined));
    });
    if (near !== undefined) return await agentSocketNear(context, { ...flags, node: near }, []);
  }
  const [first] = await agentSockets(context, flags);
  if (first === undefined) throw new UsageError('the lab has no node', 'add one with "canalctl lab node add"');
  return first;
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

function socketOf(lab: Lab, node: string): AgentSocket {
  return { node, path: lab.pathsOf(node).policySocket };
}
