/**
 * What a node has on disk and in its kernel, listed by second tools (ip, find, nft), one line a thing, so that two
 * listings can be compared. Things that live by themselves (resolved neighbours of the underlay, counters) are left out.
 */
import type { NodeControl } from './world.ts';

export interface Residue {
  /** Lines that were not there before. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Each line is `KIND REST`. */
export type NodeListing = ReadonlySet<string>;

interface IpLink {
  readonly ifname: string;
  readonly linkinfo?: { readonly info_kind?: string };
}

interface IpRoute {
  readonly dst: string;
  readonly type?: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly protocol?: string;
  readonly table?: string;
  readonly nhid?: number;
}

interface IpNeighbour {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
}

interface IpNexthop {
  readonly id: number;
  readonly gateway?: string;
  readonly dev?: string;
}

/** canal's records and reservations, libcni's cache, mounts of pods' namespaces. */
const DIRECTORIES = ['/var/lib/cni', '/var/lib/canal', '/run/canal', '/run/flannel', '/run/netns'];

/** Each output ends with a record separator. Arguments: the directories. */
const SCRIPT = `ip -j -d link; printf '\\036'
ip -j -4 route show table all; printf '\\036'
ip -j -6 route show table all; printf '\\036'
ip -j neigh; printf '\\036'
ip -j nexthop; printf '\\036'
ip -j netns list-id; printf '\\036'
nft list tables; printf '\\036'
find "$@" -not -type d 2>/dev/null; true`;

export async function listNode(control: Pick<NodeControl, 'exec'>, node: string): Promise<NodeListing> {
  const { stdout } = await control.exec(node, ['sh', '-c', SCRIPT, 'list', ...DIRECTORIES]);
  const [links, routes4, routes6, neighbours, nexthops, namespaces, nft = '', files = ''] = stdout.split('\x1e');
  return new Set([
    ...(parse(links) as readonly IpLink[]).map(({ ifname, linkinfo }) => `link ${ifname} ${linkinfo?.info_kind ?? ''}`),
    ...[...(parse(routes4) as readonly IpRoute[]), ...(parse(routes6) as readonly IpRoute[])]
      .filter(isLasting)
      .map(describeRoute),
    ...(parse(neighbours) as readonly IpNeighbour[])
      .filter(({ state }) => state.includes('PERMANENT') || state.includes('NOARP'))
      .filter(({ dst }) => !isMulticast(dst))
      .map(({ dst, dev, lladdr, state }) => `neighbour ${dst} ${dev} ${lladdr ?? ''} ${state.join(',')}`),
    ...(parse(nexthops) as readonly IpNexthop[]).map(
      ({ id, gateway, dev }) => `nexthop ${id} ${gateway ?? ''} ${dev ?? ''}`,
    ),
    ...linesOf(files).map((path) => `file ${path}`),
    ...linesOf(nft).map((table) => `nft ${table}`),
    ...(parse(namespaces) as readonly { readonly nsid: number }[]).map(({ nsid }) => `nsid ${nsid}`),
  ]);
}

/** iproute2 prints nothing for an empty list of some kinds. */
function parse(json = ''): unknown {
  return JSON.parse(json.trim() || '[]');
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** Entries of the kernel's own that come and go with traffic on IPv6. */
function isLasting({ dst, type }: IpRoute): boolean {
  return type !== 'multicast' && !isMulticast(dst);
}

function isMulticast(address: string): boolean {
  return /^(?:ff|22[4-9]\.|23\d\.)/u.test(address);
}

function describeRoute({ dst, type, dev, gateway, protocol, table, nhid }: IpRoute): string {
  const parts = [type, dst, gateway && `via ${gateway}`, dev && `dev ${dev}`, nhid !== undefined && `nhid ${nhid}`];
  return ['route', ...parts, table && `table ${table}`, protocol && `proto ${protocol}`].filter(Boolean).join(' ');
}

export function compareListings(before: NodeListing, after: NodeListing): Residue {
  return { added: [...after.difference(before)].toSorted(), removed: [...before.difference(after)].toSorted() };
}

export function describeResidue({ added, removed }: Residue): string {
  return [...added.map((line) => `+ ${line}`), ...removed.map((line) => `- ${line}`)].join('\n');
}
