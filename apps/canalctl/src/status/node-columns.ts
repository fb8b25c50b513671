/** Columns that several commands show of a node. */
import type { AddressPool, Agent, Peer } from '@canal/admin-client';

export const NOTHING = '-';

/** `2/3`: nodes whose pods are reached, of those there are. A node with an address of each family is one. */
export function peersCell(peers: readonly Peer[]): string {
  if (peers.length === 0) return NOTHING;
  const names = new Set(peers.map(({ node }) => node));
  const lost = new Set(peers.filter(({ reachable }) => reachable === false).map(({ node }) => node));
  const tried = new Set(peers.filter(({ reachable }) => reachable !== undefined).map(({ node }) => node));
  if (tried.size === 0) return `?/${names.size}`;
  return `${names.size - lost.size}/${names.size}`;
}

/** `5/253`, and how many of them are leaked; of IPv6 only what is in use. */
export function poolsCell(pools: readonly AddressPool[]): string {
  if (pools.length === 0) return NOTHING;
  return pools
    .map(({ capacity, inUse, leaked }) => {
      const of = capacity.length > MAX_DIGITS ? '' : `/${capacity}`;
      return `${inUse + leaked}${of}${leaked > 0 ? ` (${leaked} leaked)` : ''}`;
    })
    .join(' ');
}

const MAX_DIGITS = 7;

/** `12s`, `3m`, `5h`, `2d`, as kubectl rounds. */
export function ageCell(time: string | undefined, nowMs: number): string {
  if (time === undefined) return NOTHING;
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(time)) / 1_000));
  if (!Number.isFinite(seconds)) return NOTHING;
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 2 * 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3_600) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

export function listCell(items: readonly string[]): string {
  return items.length === 0 ? NOTHING : items.join(' ');
}

export function versionsCell(agents: readonly Agent[]): string {
  return listCell([...new Set(agents.flatMap(({ version }) => version ?? []))]);
}
