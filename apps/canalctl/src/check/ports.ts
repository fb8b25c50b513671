/** Whether the ports that agents use are free, or theirs, from /proc/net (proc(5)). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type Observation, ok, trouble } from './observation.ts';

const VXLAN_PORT = 8472;
const TCP_PORTS = [
  [9096, 'health and metrics of flanneld'],
  [9097, 'health and metrics of the policy agent'],
  [9098, 'node API of flanneld'],
  [9099, 'node API of the policy agent'],
] as const;

export interface BoundSocket {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** 0: the kernel's own. */
  readonly inode: number;
}

export interface VxlanDevice {
  readonly name: string;
  readonly id: number | undefined;
  readonly port: number | undefined;
}

/** TCP_LISTEN, and what UDP sockets that are not connected have (include/net/tcp_states.h). */
const STATE = { tcp: '0A', udp: '07' } as const;

/** One of /proc/net/tcp, tcp6, udp and udp6. */
export function parseSockets(text: string, protocol: BoundSocket['protocol']): readonly BoundSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local = '', , state] = fields;
      const port = parseInt(local.slice(local.lastIndexOf(':') + 1), 16);
      const inode = Number(fields[9]);
      return state === STATE[protocol] && Number.isInteger(port) ? [{ protocol, port, inode }] : [];
    });
}

export function readSockets(): readonly BoundSocket[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    [protocol, `${protocol}6`].flatMap((file) => parseSockets(textOf(`/proc/self/net/${file}`), protocol)),
  );
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Without IPv6 there is none.
    return '';
  }
}

/** Names of the processes that hold these sockets, by inode. */
export function socketOwners(inodes: ReadonlySet<number>): ReadonlyMap<number, string> {
  const owners = new Map<number, string>();
  if (inodes.size === 0) return owners;
  for (const pid of namesIn('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of namesIn(`/proc/${pid}/fd`)) {
      const inode = Number(/^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? NaN);
      if (inodes.has(inode)) owners.set(inode, `${textOf(`/proc/${pid}/comm`).trim()} (pid ${pid})`);
    }
  }
  return owners;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

export function judgePorts(
  sockets: readonly BoundSocket[],
  owners: ReadonlyMap<number, string>,
  vxlans: readonly VxlanDevice[],
): readonly Observation[] {
  return [judgeVxlan(sockets, owners, vxlans), ...TCP_PORTS.map(([port, use]) => judgeTcp(port, use, sockets, owners))];
}

function judgeTcp(
  port: number,
  use: string,
  sockets: readonly BoundSocket[],
  owners: ReadonlyMap<number, string>,
): Observation {
  const [id, what] = [`port-${port}-tcp`, `TCP port ${port}`];
  const taken = sockets.filter((one) => one.protocol === 'tcp' && one.port === port);
  if (taken.length === 0) return ok(id, what, 'free');
  const names = [...new Set(taken.flatMap(({ inode }) => owners.get(inode) ?? []))];
  const see = `"ss -ltnp sport = :${port}" shows it; 9099 is also Calico's`;
  if (names.length === 0) {
    const cause = `a process that cannot be seen from here listens on the port of ${use}: canal's own agent, or another program`;
    return trouble(
      'warn',
      { id, what, found: 'taken' },
      cause,
      `run it where all processes are seen, on the node itself (${see})`,
    );
  }
  const found = names.join(', ');
  if (names.every((name) => name.startsWith('canal '))) return ok(id, what, `canal's own: ${found}`);
  const cause = `another program listens there, and it is the port of ${use}`;
  return trouble('fail', { id, what, found }, cause, `end that program, or let it listen elsewhere (${see})`);
}

/** The kernel lets several vxlan devices have one port as long as their network identifiers differ. */
function judgeVxlan(
  sockets: readonly BoundSocket[],
  owners: ReadonlyMap<number, string>,
  vxlans: readonly VxlanDevice[],
): Observation {
  const [id, what] = [`port-${VXLAN_PORT}-udp`, `UDP port ${VXLAN_PORT}`];
  const taken = sockets.filter(({ protocol, port }) => protocol === 'udp' && port === VXLAN_PORT);
  const programs = taken.flatMap(({ inode }) => owners.get(inode) ?? []);
  if (programs.length > 0) {
    const cause = 'another program has the port of vxlan: packets of peers end there';
    const next = 'end that program, or set another Backend.Port in net-conf.json of the whole cluster';
    return trouble('fail', { id, what, found: programs.join(', ') }, cause, next);
  }
  const there = vxlans.filter(({ port }) => port === VXLAN_PORT);
  const found = there.map(({ name, id: vni }) => `${name} (VNI ${vni ?? '?'})`).join(', ');
  const foreign = there.filter(({ name }) => !/^flannel(?:-v6)?\.\d+$/.test(name));
  const sameId = foreign.some((device) => device.id === 1);
  if (foreign.length > 0) {
    return trouble(
      sameId ? 'fail' : 'warn',
      { id, what, found },
      sameId
        ? 'a vxlan device of another program has port and VNI of canal: the kernel makes no second one'
        : 'a vxlan device of another program has the port: they go along as long as their VNIs differ',
      'remove the network that made the device from this node, or set another Backend.VNI or Backend.Port',
    );
  }
  if (there.length > 0) return ok(id, what, `of ${found}`);
  return ok(id, what, taken.length > 0 ? "the kernel's" : 'free');
}
