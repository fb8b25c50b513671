import { type NetnsRef, readLegacyTable } from '@canal/linux-ffi';
import { legacyChainNames } from './legacy-rules.ts';

/** A table of iptables-legacy with the chains that somebody has added to it. */
export interface LegacyChains {
  readonly family: 'legacy-ip' | 'legacy-ip6';
  readonly table: string;
  readonly chains: readonly string[];
}

const TABLES = ['filter', 'nat', 'mangle', 'raw'] as const;

/** Of those that are there; looking makes none. Throws LinuxError. */
export function listLegacyChains(netns?: NetnsRef): readonly LegacyChains[] {
  return ([4, 6] as const).flatMap((family) =>
    TABLES.flatMap((name): LegacyChains[] => {
      const table = readLegacyTable(family, name, netns);
      if (table === undefined) return [];
      const chains = legacyChainNames(family, table);
      return [{ family: family === 4 ? 'legacy-ip' : 'legacy-ip6', table: name, chains }];
    }),
  );
}
