/** Network tools in a pod's namespace: those of its node, or where that has none (kind's has no ping) of agnhost's image. */
import type { Pod } from './pods.ts';
import type { CommandResult, World } from './world.ts';

export interface PodPingOptions {
  /** Behind the 8 bytes of the ICMP header. */
  readonly payloadBytes: number;
  readonly dontFragment?: boolean;
}

/** Throws when an echo stays without answer. */
export async function pingFrom(world: World, pod: Pod, to: string, options: PodPingOptions): Promise<void> {
  const { payloadBytes, dontFragment = false } = options;
  const end = ['-W3', `-s${payloadBytes}`, to];
  const result = await execInPod(world, pod, {
    node: ['ping', '-n', '-c2', '-i0.01', ...(dontFragment ? ['-Mdo'] : []), ...end],
    // BusyBox knows no interval below 1 s and no -M.
    image: ['ping', '-c1', ...end],
  });
  if (result.status === 0 && result.stdout.includes(' 0% packet loss')) return;
  throw new Error(`ping ${pod.name} to ${to}, ${payloadBytes} bytes: ${result.stdout}${result.stderr}`);
}

/** Of eth0. */
export async function mtuOf(world: World, pod: Pod): Promise<number> {
  const command = ['ip', '-o', 'link', 'show', 'dev', 'eth0'];
  const { stdout, stderr } = await execInPod(world, pod, { node: command, image: command });
  const mtu = / mtu (\d+) /.exec(stdout)?.[1];
  if (mtu === undefined) throw new Error(`no MTU of eth0 of ${pod.name}: ${stdout}${stderr}`);
  return Number(mtu);
}

/** Finds the namespace among those of the node by the pod's address, not by anything that canal has written. */
const IN_NAMESPACE = `ip="$1"; shift
for netns in /run/netns/*; do
  if nsenter --net="$netns" ip -o addr 2>/dev/null | grep -qF " $ip/"; then exec nsenter --net="$netns" "$@"; fi
done
echo "no namespace has the address $ip" >&2; exit 1`;

/** What nsenter and shells answer for a program that is not there. */
const NOT_FOUND = 127;

async function execInPod(
  world: World,
  pod: Pod,
  command: { readonly node: readonly string[]; readonly image: readonly string[] },
): Promise<CommandResult> {
  const options = { allowFailure: true };
  if (world.nodeExec !== undefined) {
    const onNode = ['sh', '-c', IN_NAMESPACE, 'in-namespace', pod.ip(), ...command.node];
    const result = await world.nodeExec(pod.node, onNode, options);
    if (result.status !== NOT_FOUND) return result;
  }
  return await pod.exec(command.image, options);
}
