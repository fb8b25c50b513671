/**
 * Network tools in a pod's namespace: this machine's where it has the nodes, else those of agnhost's image (a cluster of
 * tools/cluster has agnhost's program alone, a node of kind has no ping).
 */
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
  // BusyBox's ping, which the image has, knows no interval below 1 s and no -M.
  const flags = world.control === undefined ? ['-c1'] : ['-n', '-c2', '-i0.01', ...(dontFragment ? ['-Mdo'] : [])];
  const result = await execInPod(world, pod, ['ping', ...flags, '-W3', `-s${payloadBytes}`, to]);
  if (result.status === 0 && result.stdout.includes(' 0% packet loss')) return;
  throw new Error(`ping ${pod.name} to ${to}, ${payloadBytes} bytes: ${result.stdout}${result.stderr}`);
}

/** Of eth0. */
export async function mtuOf(world: World, pod: Pod): Promise<number> {
  const { stdout, stderr } = await execInPod(world, pod, ['ip', '-o', 'link', 'show', 'dev', 'eth0']);
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

function execInPod(world: World, pod: Pod, command: readonly string[]): Promise<CommandResult> {
  const options = { allowFailure: true };
  if (world.control === undefined) return pod.exec(command, options);
  return world.control.exec(pod.node, ['sh', '-c', IN_NAMESPACE, 'in-namespace', pod.ip(), ...command], options);
}
