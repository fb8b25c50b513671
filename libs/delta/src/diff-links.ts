/** Devices: which are missing, which can be changed while they carry traffic, which have to be made anew. */
import {
  type ActualLink,
  type ActualVxlan,
  type DesiredLink,
  type DesiredPort,
  LINK_ALIAS,
  type LinkChange,
} from '@canal/model';
import { formatIp, type InterfaceName, ipFamily } from 'net-types';
import type { NetworkConflict } from './conflict.ts';
import type { DiffOptions, LinkOutcome } from './diff-context.ts';
import type { OperationPlan } from './operation-order.ts';
import { isOwnLink } from './ownership.ts';

export function diffLinks(
  desired: readonly DesiredLink[],
  actual: readonly ActualLink[],
  { inSync, keepLinks }: DiffOptions,
  plan: OperationPlan,
  conflicts: NetworkConflict[],
): LinkOutcome {
  const byName = new Map(actual.map((link) => [link.name, link]));
  const own = new Set<InterfaceName>(desired.map((link) => link.name));
  const taken = new Set<InterfaceName>();
  const fresh = new Set<InterfaceName>();
  const neighboursLost = new Set<InterfaceName>();
  for (const link of desired) {
    const present = byName.get(link.name);
    if (present === undefined) {
      plan.add('links', { type: 'link-add', link });
      fresh.add(link.name);
    } else if (present.vxlan === undefined || present.vxlan.external) {
      conflicts.push(linkTaken(link, present));
      plan.withhold({ type: 'link-add', link });
      taken.add(link.name);
      own.delete(link.name);
    } else if (needsNewDevice(link, present.vxlan)) {
      // Peers that are not known yet still send to the old device; it stays until all of them are.
      if (!inSync) continue;
      plan.add('replaced-links', { type: 'link-delete', name: link.name });
      plan.add('links', { type: 'link-add', link });
      fresh.add(link.name);
    } else {
      const changes = liveChanges(link, present, present.vxlan).filter((change) => inSync || change !== 'mac');
      if (changes.length > 0) plan.add('links', { type: 'link-change', link, changes });
      if (changes.includes('mac')) neighboursLost.add(link.name);
    }
  }
  const kept = new Set<InterfaceName>();
  const added = desired.filter((link) => fresh.has(link.name));
  for (const link of actual) {
    if (own.has(link.name) || taken.has(link.name) || !isOwnLink(link)) continue;
    if (inSync && added.some((other) => excludes(link, other))) {
      plan.add('replaced-links', { type: 'link-delete', name: link.name });
      fresh.add(link.name);
      continue;
    }
    own.add(link.name);
    const deletion = { type: 'link-delete', name: link.name } as const;
    if (keepLinks?.has(link.name) === true) {
      kept.add(link.name);
      plan.withhold(deletion);
    } else if (inSync) plan.add('stale-links', deletion);
  }
  return { own, kept, taken, fresh, neighboursLost };
}

/** One that is not there, or no longer, is its maker's affair. Others' names are never asked for: only hosts' ends of pods. */
export function diffUpLinks(names: readonly InterfaceName[], actual: readonly ActualLink[], plan: OperationPlan): void {
  const down = new Set(actual.filter(({ up }) => !up).map(({ name }) => name));
  for (const name of names) if (down.has(name)) plan.add('links', { type: 'link-up', name });
}

/** What is no port of a bridge (any more) has no such flag. */
export function diffPorts(desired: readonly DesiredPort[], actual: readonly ActualLink[], plan: OperationPlan): void {
  const flags = new Map(actual.map(({ name, isolated }) => [name, isolated]));
  for (const port of desired) {
    const isolated = flags.get(port.name);
    if (isolated !== undefined && isolated !== port.isolated) plan.add('ports', { type: 'port-set', port });
  }
}

/** The kernel refuses to change these (drivers/net/vxlan, vxlan_changelink). */
function needsNewDevice(link: DesiredLink, actual: ActualVxlan): boolean {
  return (
    actual.vni !== link.vni ||
    actual.port !== link.port ||
    actual.gbp !== link.gbp ||
    actual.local === undefined ||
    ipFamily(actual.local) !== ipFamily(link.local)
  );
}

/**
 * The kernel has one device for a VNI, port and outer family (vxlan_vni_in_use): ours under a name that somebody gave it
 * must go before the right one can be made.
 */
function excludes({ vxlan }: ActualLink, link: DesiredLink): boolean {
  if (vxlan?.vni !== link.vni || vxlan.port !== link.port) return false;
  return vxlan.local === undefined || ipFamily(vxlan.local) === ipFamily(link.local);
}

function liveChanges(link: DesiredLink, actual: ActualLink, vxlan: ActualVxlan): LinkChange[] {
  const differs: Record<LinkChange, boolean> = {
    underlay: vxlan.underlay !== link.underlay,
    local: vxlan.local !== link.local,
    learning: vxlan.learning !== link.learning,
    mtu: actual.mtuBytes !== link.mtuBytes,
    mac: actual.mac !== link.mac,
    alias: actual.alias !== LINK_ALIAS,
    up: !actual.up,
  };
  const order: readonly LinkChange[] = ['underlay', 'local', 'learning', 'mtu', 'mac', 'alias', 'up'];
  return order.filter((change) => differs[change]);
}

function linkTaken(link: DesiredLink, actual: ActualLink): NetworkConflict {
  const kind = actual.vxlan === undefined ? (actual.kind ?? 'hardware') : 'metadata vxlan';
  return {
    code: 'LinkTaken',
    subject: `link ${link.name}`,
    link: link.name,
    message: `the name ${link.name} is held by a ${kind} device, so the vxlan device for ${formatIp(link.local)} cannot be made`,
    cure: `rename or delete that device: ip link delete ${link.name}`,
  };
}
