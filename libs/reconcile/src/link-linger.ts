/**
 * How long a device of ours outlives the last need for it. A peer that has not heard yet of our change of backend still
 * sends to the old device, and nothing in the cluster's state tells when the last one has heard; so the receiving side
 * stays for a while, device and address; what was on it for sending is gone at once.
 */
import type { NetworkSnapshot, NetworkState } from '@canal/model';
import type { Clock } from '@canal/runtime-port';
import type { InterfaceName } from 'net-types';

export interface LinkLinger {
  /** To be asked in every turn: which devices that are no longer wanted have to stay for now. */
  keep(desired: NetworkState, actual: NetworkSnapshot): ReadonlySet<InterfaceName>;
}

/**
 * A process that starts does not know how long a device has been unneeded, so it counts from its start. A device that is
 * never seen as needed is removed by the first turn after `lingerMs`; the loop's resync brings that turn.
 */
export function createLinkLinger(clock: Clock, lingerMs: number): LinkLinger {
  const unneededSinceMs = new Map<InterfaceName, number>();
  return {
    keep: (desired, actual) => {
      const needed = new Set(desired.links.map(({ name }) => name));
      const present = actual.links.map(({ name }) => name).filter((name) => !needed.has(name));
      const unneeded = new Set(present);
      for (const name of unneededSinceMs.keys()) if (!unneeded.has(name)) unneededSinceMs.delete(name);
      const nowMs = clock.nowMs();
      const kept = new Set<InterfaceName>();
      for (const name of unneeded) {
        const sinceMs = unneededSinceMs.get(name) ?? nowMs;
        unneededSinceMs.set(name, sinceMs);
        if (nowMs - sinceMs < lingerMs) kept.add(name);
      }
      return kept;
    },
  };
}
