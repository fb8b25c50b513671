/** Whether drops that others set are found, and whether the cure that is told cures. Verdict by a packet and by nft. */
import type { TrafficKernel } from '@canal/kernel-port';
import { connectNetns, createTestNetns, type TestNetns } from '@canal/testing';
import { type Cidr, parseCidr, unwrap } from 'net-types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createNftTrafficKernel } from './nft-traffic-kernel.ts';

const IPV4 = unwrap(parseCidr('10.244.0.0/16'));
const IPV6 = unwrap(parseCidr('fd00:10:244::/49'));

/** What firewalld 1.x makes of a zone with an interface, shortened to the path that a forwarded packet takes. */
const FIREWALLD = `table inet firewalld {
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    jump filter_FORWARD_POLICIES
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD_POLICIES {
    iifname "eth0" oifname "eth1" jump filter_FWD_public
    jump filter_FWD_sources
  }
  chain filter_FWD_public {
    accept
  }
  chain filter_FWD_sources {
  }
}`;

let host: TestNetns;
let kernel: TrafficKernel;

beforeEach(() => {
  host = createTestNetns('forward');
  kernel = createNftTrafficKernel({ netns: host.path });
});

afterEach(() => {
  kernel.close();
  host[Symbol.dispose]();
});

const nft = (text: string): string => host.run(['nft', '-f', '-'], { stdin: `${text}\n` });
const shell = (command: string): string => host.run(['sh', '-c', command]);
const drops = (networks: readonly Cidr[] = [IPV4, IPV6]) => kernel.findForwardDrops(networks, ['ours']);
/** `family table chain by: traffic` */
const found = async (networks?: readonly Cidr[]): Promise<string[]> =>
  (await drops(networks)).map(
    ({ family, table, chain, by, traffic }) => `${family} ${table} ${chain} ${by}: ${traffic.join(' ')}`,
  );

const ALL = 'pod-to-pod pod-to-outside service-to-pod';
const base = (chain: string, policy: string, priority = 'filter'): string =>
  `add chain inet theirs ${chain} { type filter hook forward priority ${priority}; policy ${policy}; }`;

describe('found', () => {
  test.each<{ name: string; set: () => unknown; drops: readonly string[] }>([
    { name: 'nothing on an empty host', set: () => undefined, drops: [] },
    {
      name: 'an iptables policy, as Docker sets it',
      set: () => shell('iptables-nft -P FORWARD DROP'),
      drops: [`ip filter FORWARD policy: ${ALL}`],
    },
    {
      name: 'both iptables policies',
      set: () => shell('iptables-nft -P FORWARD DROP && ip6tables-nft -P FORWARD DROP'),
      drops: [`ip filter FORWARD policy: ${ALL}`, `ip6 filter FORWARD policy: ${ALL}`],
    },
    {
      name: 'a REJECT at the end of FORWARD, as distributions ship it',
      set: () =>
        shell(
          'iptables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT && iptables-nft -A FORWARD -j REJECT --reject-with icmp-host-prohibited',
        ),
      drops: [`ip filter FORWARD rule: ${ALL}`],
    },
    {
      name: 'firewalld: what no zone accepts is rejected; what a Service has translated is accepted',
      set: () => nft(FIREWALLD),
      drops: [
        'inet firewalld filter_FORWARD rule: pod-to-pod pod-to-outside',
        'inet firewalld filter_FORWARD rule: pod-to-pod pod-to-outside',
      ],
    },
    {
      name: 'a policy of an inet table, for both families',
      set: () => nft(`add table inet theirs\n${base('fw', 'drop')}`),
      drops: [`inet theirs fw policy: ${ALL}`, `inet theirs fw policy: ${ALL}`],
    },
    {
      name: 'a rule two chains down',
      set: () =>
        nft(
          `add table inet theirs\n${base('fw', 'accept')}\nadd chain inet theirs a\nadd chain inet theirs b\nadd rule inet theirs fw jump a\nadd rule inet theirs a meta nfproto ipv4 goto b\nadd rule inet theirs b counter log drop`,
        ),
      drops: [`inet theirs b rule: ${ALL}`],
    },
    {
      name: 'a drop of the pods’ network alone',
      set: () =>
        nft(
          `add table ip theirs\nadd chain ip theirs fw { type filter hook forward priority -5; }\nadd rule ip theirs fw ip saddr 10.0.0.0/8 drop`,
        ),
      drops: ['ip theirs fw rule: pod-to-pod pod-to-outside'],
    },
    {
      name: 'two chains that drop',
      set: () =>
        nft(
          `add table inet theirs\n${base('early', 'drop', '-10')}\n${base('late', 'drop', '10')}\nadd rule inet theirs late meta nfproto ipv6 accept`,
        ),
      drops: [
        `inet theirs early policy: ${ALL}`,
        `inet theirs early policy: ${ALL}`,
        `inet theirs late policy: ${ALL}`,
      ],
    },
  ])('$name', async ({ set, drops: expected }) => {
    set();
    expect(await found()).toEqual(expected);
  });
});

describe('not found, because it does not stop every pod', () => {
  test.each<{ name: string; set: () => unknown }>([
    {
      name: 'a policy of our own table',
      set: () =>
        nft('add table inet ours\nadd chain inet ours fw { type filter hook forward priority 0; policy drop; }'),
    },
    { name: 'a policy at another hook', set: () => shell('iptables-nft -P INPUT DROP && iptables-nft -P OUTPUT DROP') },
    {
      name: 'a sleeping table',
      set: () => nft(`add table inet theirs\n${base('fw', 'drop')}\nadd table inet theirs { flags dormant; }`),
    },
    {
      name: 'a drop of invalid packets',
      set: () => shell('iptables-nft -A FORWARD -m conntrack --ctstate INVALID -j DROP'),
    },
    {
      name: 'a drop by interface, as Docker isolates its networks',
      set: () => shell('iptables-nft -A FORWARD -i docker0 ! -o docker0 -j DROP'),
    },
    {
      name: 'a drop of other addresses',
      set: () =>
        nft(
          `add table inet theirs\n${base('fw', 'accept')}\nadd rule inet theirs fw ip saddr 192.0.2.0/24 drop\nadd rule inet theirs fw ip daddr != 10.244.0.0/16 ip saddr != 10.244.0.0/16 drop`,
        ),
    },
    {
      name: 'a chain that is jumped to only by the bridge family',
      set: () =>
        nft(
          'add table bridge theirs\nadd chain bridge theirs fw { type filter hook forward priority 0; policy drop; }',
        ),
    },
    {
      name: 'a policy behind rules that accept the pods',
      set: () =>
        shell(
          'iptables-nft -P FORWARD DROP && iptables-nft -A FORWARD -s 10.244.0.0/16 -j ACCEPT && iptables-nft -A FORWARD -d 10.244.0.0/16 -m comment --comment pods -j ACCEPT',
        ),
    },
    {
      name: 'flannel’s own chain',
      set: () =>
        shell(
          'iptables-nft -P FORWARD DROP && iptables-nft -N FLANNEL-FWD && iptables-nft -A FORWARD -m comment --comment flannel -j FLANNEL-FWD && iptables-nft -A FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT && iptables-nft -A FLANNEL-FWD -d 10.244.0.0/16 -j ACCEPT',
        ),
    },
  ])('$name', async ({ set }) => {
    set();
    expect(await found()).toEqual([]);
  });
});

test('rules on conditions that cannot be judged are counted and told', async () => {
  shell(
    'iptables-nft -P FORWARD DROP && iptables-nft -A FORWARD -i cni0 -j ACCEPT && iptables-nft -A FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT',
  );
  const [drop] = await drops([IPV4]);
  expect(drop).toMatchObject({ undecidedRules: 2, by: 'policy' });
  expect(drop?.message).toBe(
    'table ip filter, chain FORWARD drops new flows of 10.244.0.0/16 (pod-to-pod, pod-to-outside, service-to-pod): its policy is drop; 2 rules with other conditions may let some of it pass',
  );
});

describe('the cure', () => {
  test.each<{ name: string; set: () => unknown; networks: readonly Cidr[] }>([
    { name: 'of an iptables policy', set: () => shell('iptables -P FORWARD DROP'), networks: [IPV4] },
    { name: 'of an ip6tables policy', set: () => shell('ip6tables -P FORWARD DROP'), networks: [IPV6] },
    {
      name: 'beside Docker',
      set: () => shell('iptables -P FORWARD DROP && iptables -N DOCKER-USER && iptables -A FORWARD -j DOCKER-USER'),
      networks: [IPV4],
    },
    {
      name: 'of another inet table',
      set: () => nft(`add table inet theirs\n${base('fw', 'drop')}`),
      networks: [IPV4, IPV6],
    },
    {
      name: 'of a rule',
      set: () => nft(`add table inet theirs\n${base('fw', 'accept')}\nadd rule inet theirs fw reject`),
      networks: [IPV4, IPV6],
    },
  ])('$name makes the finding go away', async ({ set, networks }) => {
    set();
    const before = await drops(networks);
    expect(before).toHaveLength(networks.length);
    for (const { cure } of before) shell(cure.replace(/ \(or.*/, ''));
    expect(await found(networks)).toEqual([]);
  });

  test('of firewalld names its own command', async () => {
    nft(FIREWALLD);
    const [drop] = await drops([IPV4]);
    expect(drop?.cure).toBe(
      'firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16 && firewall-cmd --reload',
    );
    // What that command makes of the zone.
    nft('add rule inet firewalld filter_FWD_sources ip saddr 10.244.0.0/16 accept');
    expect(await found([IPV4])).toEqual([]);
  });
});

test('a packet is dropped where a drop is found, and passes after the cure', async () => {
  using pod = createTestNetns('pod');
  using outside = createTestNetns('outside');
  connectNetns(
    { netns: host, name: 'pod', addresses: ['10.244.1.1/24'] },
    { netns: pod, name: 'eth0', addresses: ['10.244.1.5/24'] },
  );
  connectNetns(
    { netns: host, name: 'outside', addresses: ['192.0.2.254/24'] },
    { netns: outside, name: 'eth0', addresses: ['192.0.2.1/24'] },
  );
  host.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  pod.run(['ip', 'route', 'add', 'default', 'via', '10.244.1.1']);
  outside.run(['ip', 'route', 'add', 'default', 'via', '192.0.2.254']);
  const answered = (): boolean => pod.exec(['ping', '-n', '-c', '1', '-W', '1', '192.0.2.1']).exitCode === 0;
  expect(answered()).toBe(true);
  shell('iptables -P FORWARD DROP');
  expect(answered()).toBe(false);
  const [drop] = await drops([IPV4]);
  shell(drop?.cure ?? 'false');
  expect(answered()).toBe(true);
});

test('looking changes nothing', async () => {
  shell('iptables-nft -P FORWARD DROP');
  nft(FIREWALLD);
  const before = host.run(['nft', '-a', 'list', 'ruleset']);
  await drops();
  expect(host.run(['nft', '-a', 'list', 'ruleset'])).toBe(before);
});
