/** Drops set with iptables-legacy are found, and their cure cures. Skipped where the kernel has no iptables-legacy. */
import { readLegacyTable } from '@canal/linux-ffi';
import { createTestNetns, type TestNetns } from '@canal/testing';
import { type Cidr, parseCidr, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listLegacyChains } from './legacy-chains.ts';
import { findLegacyForwardDrops } from './legacy-forward-drops.ts';

const IPV4 = unwrap(parseCidr('10.244.0.0/16'));
const IPV6 = unwrap(parseCidr('fd00:10:244::/49'));
const ALL = 'pod-to-pod pod-to-outside service-to-pod';

/** A kernel may be built without it; whether this one is, its own tool tells. */
const available = ((): boolean => {
  using netns = createTestNetns('legacy');
  return netns.exec(['iptables-legacy', '-S', 'FORWARD']).exitCode === 0;
})();

let host: TestNetns;
beforeEach(() => {
  host = createTestNetns('legacy');
});
afterEach(() => {
  host[Symbol.dispose]();
});

const shell = (command: string): string => host.run(['sh', '-ec', command]);
const drops = (networks: readonly Cidr[] = [IPV4, IPV6]) => findLegacyForwardDrops(networks, host.path);
const found = (): string[] =>
  drops().map(
    ({ family, table, chain, by, traffic, undecidedRules }) =>
      `${family} ${table} ${chain} ${by} ${undecidedRules}: ${traffic.join(' ')}`,
  );

test('looking does not make a table', () => {
  expect(found()).toEqual([]);
  expect(listLegacyChains(host.path)).toEqual([]);
  expect(readLegacyTable(4, 'filter', host.path)).toBeUndefined();
  expect(host.run(['sh', '-c', 'cat /proc/net/ip_tables_names 2>/dev/null || true'])).toBe('');
});

describe.skipIf(!available)('iptables-legacy', () => {
  test('chains that were added are listed by table', () => {
    shell('iptables-legacy -N cali-FORWARD; iptables-legacy -t nat -N KUBE-SERVICES');
    expect(listLegacyChains(host.path)).toEqual([
      { family: 'legacy-ip', table: 'filter', chains: ['cali-FORWARD'] },
      { family: 'legacy-ip', table: 'nat', chains: ['KUBE-SERVICES'] },
    ]);
  });

  test.each<{ name: string; set: string; drops: readonly string[] }>([
    { name: 'an empty table', set: 'iptables-legacy -S', drops: [] },
    { name: 'a policy', set: 'iptables-legacy -P FORWARD DROP', drops: [`legacy-ip filter FORWARD policy 0: ${ALL}`] },
    {
      name: 'an IPv6 policy',
      set: 'ip6tables-legacy -P FORWARD DROP',
      drops: [`legacy-ip6 filter FORWARD policy 0: ${ALL}`],
    },
    { name: 'another hook', set: 'iptables-legacy -P INPUT DROP; iptables-legacy -P OUTPUT DROP', drops: [] },
    {
      name: 'a REJECT at the end',
      set: 'iptables-legacy -A FORWARD -j REJECT',
      drops: [`legacy-ip filter FORWARD rule 0: ${ALL}`],
    },
    {
      name: 'rules that accept, by address',
      set: 'iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -s 10.0.0.0/8 -j ACCEPT; iptables-legacy -A FORWARD -d 10.244.0.0/16 -m comment --comment x -j ACCEPT',
      drops: [],
    },
    {
      name: 'rules that accept, IPv6',
      set: 'ip6tables-legacy -P FORWARD DROP; ip6tables-legacy -A FORWARD -s fd00:10:244::/49 -j ACCEPT; ip6tables-legacy -A FORWARD -d fd00::/8 -j ACCEPT',
      drops: [],
    },
    {
      name: 'a rule that accepts everything else',
      set: 'iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD ! -s 10.244.0.0/16 -j ACCEPT',
      drops: [`legacy-ip filter FORWARD policy 1: ${ALL}`],
    },
    {
      name: 'conditions that cannot be judged',
      set: 'iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -i cni0 -j ACCEPT; iptables-legacy -A FORWARD -p tcp -j ACCEPT; iptables-legacy -A FORWARD -m mark --mark 1 -j ACCEPT; iptables-legacy -A FORWARD -f -j ACCEPT',
      drops: [`legacy-ip filter FORWARD policy 4: ${ALL}`],
    },
    {
      name: 'a chain that accepts',
      set: 'iptables-legacy -P FORWARD DROP; iptables-legacy -N A; iptables-legacy -N B; iptables-legacy -A FORWARD -j A; iptables-legacy -A A -g B; iptables-legacy -A B -m limit --limit 1/s; iptables-legacy -A B -j ACCEPT',
      drops: [],
    },
    {
      name: 'a chain that drops',
      set: 'iptables-legacy -N A; iptables-legacy -A A -s 192.0.2.1 -j RETURN; iptables-legacy -A A -j LOG; iptables-legacy -A A -j DROP; iptables-legacy -A FORWARD -j A',
      drops: [`legacy-ip filter A rule 0: ${ALL}`],
    },
    {
      name: 'a chain that returns',
      set: 'iptables-legacy -N A; iptables-legacy -A A -j RETURN; iptables-legacy -A A -j DROP; iptables-legacy -A FORWARD -j A',
      drops: [],
    },
    {
      name: 'a goto that does not come back',
      set: 'iptables-legacy -N A; iptables-legacy -A FORWARD -g A; iptables-legacy -A FORWARD -j DROP',
      drops: [],
    },
    { name: 'a rule without a target', set: 'iptables-legacy -A FORWARD -s 10.244.0.0/16', drops: [] },
  ])('$name', ({ set, drops: expected }) => {
    shell(set);
    expect(found()).toEqual(expected);
  });

  test.each([
    { name: 'IPv4', set: 'iptables-legacy -P FORWARD DROP', network: IPV4 },
    { name: 'IPv6', set: 'ip6tables-legacy -P FORWARD DROP', network: IPV6 },
    {
      name: 'beside Docker',
      set: 'iptables-legacy -P FORWARD DROP; iptables-legacy -N DOCKER-USER; iptables-legacy -A FORWARD -j DOCKER-USER',
      network: IPV4,
    },
  ])('the cure makes the finding go away: $name', ({ set, network }) => {
    shell(set);
    const [drop] = drops([network]);
    shell(drop?.cure.replace(/ \(or.*/, '') ?? 'false');
    expect(drops([network])).toEqual([]);
  });

  test('thousands of rules are read whole', () => {
    const rules = Array.from(
      { length: 3000 },
      (_, index) => `-A FORWARD -s 192.0.${index >>> 8}.${index & 255} -j DROP`,
    );
    host.run(['iptables-legacy-restore'], { stdin: ['*filter', ':FORWARD DROP', ...rules, 'COMMIT', ''].join('\n') });
    expect(found()).toEqual([`legacy-ip filter FORWARD policy 0: ${ALL}`]);
  });
});
