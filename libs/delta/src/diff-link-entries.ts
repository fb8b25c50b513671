/** What sits on a device of ours: addresses, neighbours, forwarding entries. */
import {
  type ActualAddress,
  type ActualFdbEntry,
  type ActualNeighbour,
  type DesiredAddress,
  type DesiredFdbEntry,
  type DesiredNeighbour,
  type DesiredProxy,
  type NetworkSnapshot,
  POD_ROUTE_PROTOCOL,
} from '@canal/model';
import { familyBits, type InterfaceName, ipFamily } from 'net-types';
import { DeltaTracker } from './delta-tracker.ts';
import type { EntryDiffContext, LinkOutcome } from './diff-context.ts';
import { ipKey } from './keys.ts';
import type { OperationPlan, Phase } from './operation-order.ts';
import { isOwnProxy } from './ownership.ts';

/**
 * A device that stays to receive keeps its address: IPv4 with rp_filter drops what comes by a device without address, if
 * the answer does not leave by it (__fib_validate_source).
 */
export function diffAddresses(
  { links, inSync, plan }: EntryDiffContext,
  desired: readonly DesiredAddress[],
  actual: readonly ActualAddress[],
): void {
  const key = ({ link, address }: DesiredAddress): string => `${link} ${ipKey(address.ip)}/${address.prefixLen}`;
  const tracker = new DeltaTracker<string, DesiredAddress>(() => true);
  const [possible, impossible] = splitByLink(desired, links.taken);
  for (const address of impossible) plan.withhold({ type: 'address-add', address });
  tracker.replaceDesired(possible.map((entry) => [key(entry), entry]));
  tracker.replaceActual(
    actual.filter((entry) => !links.fresh.has(entry.link)).map((entry) => [key(entry), entry] as const),
  );
  for (const { desired: address } of tracker.pendingUpdates()) plan.add('addresses', { type: 'address-add', address });
  if (!inSync) return;
  const removable = new Set(actual.filter((entry) => isRemovable(entry, links)).map(key));
  for (const [id, address] of tracker.pendingDeletions()) {
    if (!removable.has(id)) continue;
    if (links.kept.has(address.link)) plan.withhold({ type: 'address-delete', address });
    else plan.add('stale-addresses', { type: 'address-delete', address });
  }
}

/** Host addresses alone: that is the form in which canal and flannel give a tunnel device its address. */
function isRemovable({ link, address, linkScope }: ActualAddress, links: LinkOutcome): boolean {
  return links.own.has(link) && !linkScope && address.prefixLen === familyBits(ipFamily(address.ip));
}

export function diffNeighbours(
  { links, inSync, plan }: EntryDiffContext,
  desired: readonly DesiredNeighbour[],
  actual: readonly ActualNeighbour[],
): void {
  const key = ({ link, ip }: DesiredNeighbour): string => `${link} ${ipKey(ip)}`;
  const tracker = new DeltaTracker<string, DesiredNeighbour>((a, b) => a.mac === b.mac);
  const [possible, impossible] = splitByLink(desired, links.taken);
  for (const neighbour of impossible) plan.withhold({ type: 'neighbour-set', neighbour });
  tracker.replaceDesired(possible.map((entry) => [key(entry), entry]));
  tracker.replaceActual(
    actual
      .filter(({ link }) => !links.fresh.has(link) && !links.neighboursLost.has(link))
      .map((entry) => [key(entry), entry]),
  );
  for (const { desired: neighbour } of tracker.pendingUpdates()) {
    plan.add('neighbours', { type: 'neighbour-set', neighbour });
  }
  if (!inSync) return;
  for (const [, neighbour] of tracker.pendingDeletions()) {
    if (links.own.has(neighbour.link)) plan.add('stale-neighbours', { type: 'neighbour-delete', neighbour });
  }
}

/** On a device of another's (the bridge) there may be others' entries; the mark tells. */
export function diffProxies(
  { inSync, plan }: EntryDiffContext,
  desired: readonly DesiredProxy[],
  actual: Pick<NetworkSnapshot, 'proxies' | 'routes'>,
): void {
  const key = ({ link, ip }: DesiredProxy): string => `${link} ${ipKey(ip)}`;
  const own = actual.proxies.filter(isOwnProxy);
  const [wanted, present] = [new Set(desired.map(key)), new Set(own.map(key))];
  for (const proxy of desired) if (!present.has(key(proxy))) plan.add('proxies', { type: 'proxy-set', proxy });
  if (!inSync) return;
  // As pod routes: one without a record belongs to an ADD that is still at work. Without a route its pod is gone.
  const routed = new Set(
    actual.routes
      .filter((route) => route.protocol === POD_ROUTE_PROTOCOL)
      .map(({ destination }) => ipKey(destination.ip)),
  );
  for (const { link, ip } of own) {
    if (wanted.has(key({ link, ip }))) continue;
    const deletion = { type: 'proxy-delete', proxy: { link, ip } } as const;
    if (routed.has(ipKey(ip))) plan.withhold(deletion);
    else plan.add('stale-proxies', deletion);
  }
}

/**
 * Keyed by device and MAC, because setting an entry swaps the remote under its MAC: the first one, where somebody
 * appended others. Each of those is a copy of every frame sent elsewhere. So one is left to be swapped, the rest goes.
 */
export function diffFdb(
  { links, inSync, plan }: EntryDiffContext,
  desired: readonly DesiredFdbEntry[],
  actual: readonly ActualFdbEntry[],
): void {
  const key = ({ link, mac }: DesiredFdbEntry): string => `${link} ${mac}`;
  const remotes = Map.groupBy(
    actual.filter(({ link }) => links.own.has(link) && !links.fresh.has(link)),
    key,
  );
  const [possible, impossible] = splitByLink(desired, links.taken);
  for (const entry of impossible) plan.withhold({ type: 'fdb-set', entry });
  for (const entry of possible) {
    const present = remotes.get(key(entry)) ?? [];
    remotes.delete(key(entry));
    const wrong = present.filter(({ remote }) => remote !== entry.remote);
    if (wrong.length === present.length) {
      plan.add('forwarding', { type: 'fdb-set', entry });
      if (inSync) removeEntries(plan, 'surplus-forwarding', wrong.slice(1));
    } else if (inSync) removeEntries(plan, 'stale-forwarding', wrong);
  }
  if (inSync) removeEntries(plan, 'stale-forwarding', [...remotes.values()].flat());
}

/** What can be on its device, and what cannot because somebody else's has the name. */
function splitByLink<T extends { readonly link: InterfaceName }>(
  entries: readonly T[],
  taken: ReadonlySet<InterfaceName>,
): readonly [possible: readonly T[], impossible: readonly T[]] {
  return [entries.filter(({ link }) => !taken.has(link)), entries.filter(({ link }) => taken.has(link))];
}

function removeEntries(plan: OperationPlan, phase: Phase, entries: readonly ActualFdbEntry[]): void {
  for (const entry of entries) plan.add(phase, { type: 'fdb-delete', entry });
}
