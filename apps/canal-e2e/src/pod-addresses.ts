/**
 * Who holds a node's pod addresses by each of three accounts: the reservations on disk, the running sandboxes' own eth0,
 * and the API server. A leak is an address that is reserved and on no sandbox; a double one is on two.
 */
import { readlinkSync } from 'node:fs';
import { withNetns } from '@canal/linux-ffi';
import { listContainers } from './node-containers.ts';
import { netnsOf } from './pod-identity.ts';
import type { NodeControl, World } from './world.ts';

export interface AddressAccount {
  /** Reserved address -> container id, of network "canal" and any other in the directory. */
  readonly reserved: ReadonlyMap<string, string>;
  /** Address on eth0 -> sandboxes that have it. Sandboxes in the node's own namespace are left out. */
  readonly used: ReadonlyMap<string, readonly string[]>;
}

const RESERVATIONS = `cd /var/lib/cni/networks 2>/dev/null || exit 0
for file in */*; do case "$file" in */lock|*/last_reserved_ip.*) ;; *) printf '%s %s\\n' "$file" "$(head -n1 "$file" | tr -d '\\r')";; esac; done`;

interface IpAddress {
  readonly addr_info: readonly { readonly local: string; readonly scope: string }[];
}

export async function accountOf(control: NodeControl, node: string): Promise<AddressAccount> {
  const [{ stdout }, { stdout: ownNetns }, sandboxes] = await Promise.all([
    control.exec(node, ['sh', '-c', RESERVATIONS]),
    control.exec(node, ['readlink', '/proc/self/ns/net']),
    listContainers(control, node, { kind: 'sandbox' }),
  ]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  const reserved = lines.map((line) => {
    const [file = '', container = ''] = line.split(' ');
    return [file.slice(file.indexOf('/') + 1), container] as const;
  });
  const used = new Map<string, string[]>();
  for (const { id, pid } of sandboxes) {
    if (pid === undefined || readlinkSync(netnsOf(pid)) === ownNetns.trim()) continue;
    for (const ip of addressesIn(netnsOf(pid))) used.set(ip, [...(used.get(ip) ?? []), id]);
  }
  return { reserved: new Map(reserved), used };
}

function addressesIn(netns: string): string[] {
  const { stdout, exitCode } = withNetns(netns, () => Bun.spawnSync(['ip', '-j', 'addr', 'show', 'dev', 'eth0']));
  if (exitCode !== 0) return [];
  const links = JSON.parse(stdout.toString()) as readonly IpAddress[];
  return links.flatMap(({ addr_info }) =>
    addr_info.filter(({ scope }) => scope === 'global').map(({ local }) => local),
  );
}

export interface AddressFault {
  /** Reserved, and on no running sandbox. */
  readonly leaked: readonly string[];
  /** On a sandbox, and not reserved for it. */
  readonly unreserved: readonly string[];
  /** On more than one sandbox. */
  readonly doubled: readonly string[];
}

export function faultsOf({ reserved, used }: AddressAccount): AddressFault {
  return {
    leaked: [...reserved].filter(([ip, id]) => !(used.get(ip) ?? []).includes(id)).map(([ip, id]) => `${ip} ${id}`),
    unreserved: [...used]
      .filter(([ip, ids]) => !ids.includes(reserved.get(ip) ?? ''))
      .map(([ip, ids]) => `${ip} ${ids.join(' ')}`),
    doubled: [...used].filter(([, ids]) => ids.length > 1).map(([ip, ids]) => `${ip} ${ids.join(' ')}`),
  };
}

/** Addresses that more than one living pod has by the API server; hostNetwork pods share their node's. */
export async function doubledInApi(world: World): Promise<readonly string[]> {
  const { stdout } = await world.kubectl(['get', 'pods', '-A', '-o', 'json']);
  const { items } = JSON.parse(stdout) as {
    readonly items: readonly {
      readonly metadata: { readonly namespace: string; readonly name: string };
      readonly spec: { readonly hostNetwork?: boolean };
      readonly status: { readonly phase: string; readonly podIPs?: readonly { readonly ip: string }[] };
    }[];
  };
  const holders = new Map<string, string[]>();
  for (const { metadata, spec, status } of items) {
    if (spec.hostNetwork === true || status.phase === 'Succeeded' || status.phase === 'Failed') continue;
    for (const { ip } of status.podIPs ?? []) {
      holders.set(ip, [...(holders.get(ip) ?? []), `${metadata.namespace}/${metadata.name}`]);
    }
  }
  return [...holders].filter(([, pods]) => pods.length > 1).map(([ip, pods]) => `${ip}: ${pods.join(', ')}`);
}
