/** Namespaces and links of a cluster: a bridge in the control plane's namespace, a veth into it from each member. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { folders, hostLink, underlay } from './plan.ts';
import { attempt, cleanEnvironment, shell } from './process.ts';
import type { ClusterState } from './state.ts';

const CONTROL_PLANE = 'control-plane';
const OUTSIDE = 'outside';

export function netnsPath(cluster: string, member: string): string {
  return join(folders(cluster).netns, member);
}

/** Commands that run another in a network namespace kept by a file. */
export function inNetns(path: string): readonly string[] {
  return ['nsenter', `--net=${path}`, '--'];
}

/** The bridge, the link into the machine's namespace and the client outside. */
export async function createUnderlay(state: ClusterState): Promise<void> {
  const { name: cluster, underlay: number } = state;
  const plan = underlay(number, state.shape.ipFamily);
  const control = netnsPath(cluster, CONTROL_PLANE);
  const host = hostLink(number);
  await shell(
    `
mkdir -p '${folders(cluster).netns}'
${makeNetns(control)}
${within(control)} ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
${within(control)} ip link set br0 up
${addresses(within(control), 'br0', plan.controlPlane, plan)}
ip link add ${host} type veth peer name host netns '${control}'
${within(control)} ip link set host master br0 up
ip link set ${host} up
${addresses('', host, plan.host, plan)}
`,
    { env: cleanEnvironment(state.id) },
  );
  await createMember(state, OUTSIDE, plan.outside);
}

/** A namespace on the underlay: its link is `eth0`, its default route the bridge's address (which forwards nothing). */
export async function createMember(state: ClusterState, member: string, ips: readonly string[]): Promise<void> {
  const { name: cluster } = state;
  const plan = underlay(state.underlay, state.shape.ipFamily);
  const path = netnsPath(cluster, member);
  const control = netnsPath(cluster, CONTROL_PLANE);
  const port = bridgePort(ips);
  // What an administrator prepares on a node before Kubernetes comes.
  const prepared = member === OUTSIDE ? [] : ['net.ipv4.ip_forward=1'];
  if (member !== OUTSIDE && state.shape.ipFamily === 'dual') prepared.push('net.ipv6.conf.all.forwarding=1');
  await shell(
    `
${makeNetns(path)}
ip link add eth0 netns '${path}' address ${hardwareAddress(ips)} type veth peer name ${port} netns '${control}'
${within(control)} ip link set ${port} master br0 up
${within(path)} ip link set eth0 up
${addresses(within(path), 'eth0', ips, plan)}
${plan.controlPlane.map((gateway) => `${within(path)} ip route add default via ${gateway}`).join('\n')}
${prepared.map((setting) => `${within(path)} sysctl -qw ${setting}`).join('\n')}
`,
    { env: cleanEnvironment(state.id) },
  );
}

/** Takes a member's link and namespace away; other namespaces may keep the namespace itself alive a little longer. */
export async function removeMember(cluster: string, member: string, ips: readonly string[]): Promise<void> {
  const control = netnsPath(cluster, CONTROL_PLANE);
  await attempt('nsenter', [`--net=${control}`, '--', 'ip', 'link', 'del', bridgePort(ips)]);
  await removeNetns(netnsPath(cluster, member));
}

export async function removeNetns(path: string): Promise<void> {
  if (!existsSync(path)) return;
  await shell(`while umount '${path}' 2>/dev/null; do :; done; rm -f '${path}'`);
}

export async function removeHostLink(number: number): Promise<void> {
  await attempt('ip', ['link', 'del', hostLink(number)]);
}

/** The same over a reboot, as a network card's. */
function hardwareAddress(ips: readonly string[]): string {
  const bytes = (ips[0] ?? '').split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '00', ...bytes].join(':');
}

/** Name of a member's port at the bridge, from the last part of its address. */
function bridgePort(ips: readonly string[]): string {
  return `port${ips[0]?.split('.').at(-1) ?? ''}`;
}

function within(path: string): string {
  return `nsenter --net='${path}' --`;
}

function makeNetns(path: string): string {
  return `touch '${path}'\nunshare --net='${path}' true\n${within(path)} ip link set lo up`;
}

function addresses(
  prefix: string,
  link: string,
  ips: readonly string[],
  lengths: { readonly prefix4: number; readonly prefix6: number },
): string {
  return ips
    .map((ip) =>
      ip.includes(':')
        ? `${prefix} ip addr add ${ip}/${lengths.prefix6} dev ${link} nodad`
        : `${prefix} ip addr add ${ip}/${lengths.prefix4} dev ${link}`,
    )
    .join('\n');
}
