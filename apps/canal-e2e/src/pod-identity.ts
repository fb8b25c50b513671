/** What must stay as it is when an agent, a kubelet or a runtime goes away and comes back: sandbox, process, veth. */
import { netnsIdentity, withNetns } from '@canal/linux-ffi';
import { sandboxOf } from './node-containers.ts';
import type { Pod } from './pods.ts';
import type { TrafficEndpoint } from './traffic-stream.ts';
import type { NodeControl } from './world.ts';

export interface PodIdentity {
  readonly pod: string;
  readonly node: string;
  readonly sandbox: string;
  readonly sandboxPid: number;
  readonly netns: string;
  /** Index of eth0 inside, and of its other end on the node. */
  readonly interfaceIndex: number;
  readonly hostInterfaceIndex: number;
  readonly hostInterface: string;
}

interface IpLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly link_index?: number;
}

export async function identifyPods(control: NodeControl, pods: readonly Pod[]): Promise<readonly PodIdentity[]> {
  return await Promise.all(pods.map((pod) => identifyPod(control, pod)));
}

async function identifyPod(control: NodeControl, pod: Pod): Promise<PodIdentity> {
  const sandbox = await sandboxOf(control, pod);
  const netns = netnsOf(sandbox.pid);
  const [inside] = ipLinks(
    withNetns(netns, () => Bun.spawnSync(['ip', '-j', 'link', 'show', 'dev', 'eth0']).stdout.toString()),
  );
  const { stdout } = await control.exec(pod.node, ['ip', '-j', 'link']);
  const outside = ipLinks(stdout).find(({ ifindex }) => ifindex === inside?.link_index);
  if (inside === undefined || outside === undefined) {
    throw new Error(`eth0 of ${pod.name} has no other end on ${pod.node}: ${JSON.stringify(inside)}`);
  }
  return {
    pod: pod.name,
    node: pod.node,
    sandbox: sandbox.id,
    sandboxPid: sandbox.pid,
    netns: netnsIdentity(netns) ?? 'gone',
    interfaceIndex: inside.ifindex,
    hostInterfaceIndex: outside.ifindex,
    hostInterface: outside.ifname,
  };
}

function ipLinks(json: string): IpLink[] {
  return JSON.parse(json === '' ? '[]' : json) as IpLink[];
}

export function netnsOf(pid: number): string {
  return `/proc/${pid}/ns/net`;
}

/** Ends of traffic, one for each pod, named after pod and node. */
export async function trafficEndpoints(
  control: NodeControl,
  pods: readonly Pod[],
): Promise<readonly TrafficEndpoint[]> {
  return await Promise.all(
    pods.map(async (pod) => ({
      name: `${pod.name} on ${pod.node}`,
      netns: netnsOf((await sandboxOf(control, pod)).pid),
      ips: pod.ips,
    })),
  );
}
