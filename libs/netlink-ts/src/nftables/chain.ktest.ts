/** Base chains of the families beside inet, as nft -j lists them; those of inet are in nftables.ktest.ts. */
import { createTestNetns } from '@canal/testing';
import { newLink } from '../link/requests.ts';
import { expect, test } from 'vitest';
import { createNetlinkConnection } from '../connection/connection.ts';
import { NF_INET, NFPROTO } from '../nfnetlink/header.ts';
import { NF_ARP, NF_BR_PRI, NF_IP_PRI, NF_NETDEV, type NftHook } from './chain.ts';
import { changeNftables, findNftChain, newNftChain, newNftTable } from './requests.ts';

const NETLINK_NETFILTER = 12;

interface Case {
  readonly name: string;
  readonly family: number;
  readonly hook: NftHook;
  readonly listed: object;
  /** In its text: nft 1.0.6 leaves devices out of its JSON. */
  readonly text?: string;
}

const CASES: readonly Case[] = [
  {
    name: 'bridge',
    family: NFPROTO.BRIDGE,
    hook: { number: NF_INET.PRE_ROUTING, priority: NF_BR_PRI.NAT_DST },
    listed: { hook: 'prerouting', prio: -300 },
  },
  {
    name: 'bridge',
    family: NFPROTO.BRIDGE,
    hook: { number: NF_INET.FORWARD, priority: NF_BR_PRI.FILTER },
    listed: { hook: 'forward', prio: -200 },
  },
  { name: 'arp', family: NFPROTO.ARP, hook: { number: NF_ARP.IN, priority: 0 }, listed: { hook: 'input', prio: 0 } },
  { name: 'arp', family: NFPROTO.ARP, hook: { number: NF_ARP.OUT, priority: 7 }, listed: { hook: 'output', prio: 7 } },
  {
    name: 'netdev',
    family: NFPROTO.NETDEV,
    hook: { number: NF_NETDEV.INGRESS, priority: -10, device: 'left' },
    listed: { hook: 'ingress', prio: -10 },
    text: 'ingress device "left" priority filter - 10',
  },
  {
    name: 'netdev',
    family: NFPROTO.NETDEV,
    hook: { number: NF_NETDEV.INGRESS, priority: 0, devices: ['left', 'right'] },
    listed: { hook: 'ingress', prio: 0 },
    text: 'ingress devices = { left, right } priority filter',
  },
  {
    name: 'inet',
    family: NFPROTO.INET,
    hook: { number: NF_INET.PRE_ROUTING, priority: NF_IP_PRI.CONNTRACK - 110 },
    listed: { hook: 'prerouting', prio: -310 },
  },
  {
    name: 'inet',
    family: NFPROTO.INET,
    hook: { number: NF_INET.INGRESS, priority: 0, device: 'left' },
    listed: { hook: 'ingress', prio: 0 },
    text: 'ingress device "left" priority filter',
  },
];

test.each(CASES)('$name $listed', ({ name, family, hook, listed, text = '' }) => {
  using netns = createTestNetns('nft-chain');
  using connection = createNetlinkConnection(() => netns.openSocket({ protocol: NETLINK_NETFILTER }));
  netns.netlink.execute(newLink({ name: 'left', info: { kind: 'veth', veth: { peer: { name: 'right' } } } }));
  changeNftables(connection, [
    newNftTable({ family, name: 't' }),
    newNftChain({ family, table: 't', name: 'c', type: 'filter', hook }),
  ]);
  const { nftables } = netns.json(['nft', '-j', 'list', 'ruleset']) as { nftables: { chain?: object }[] };
  const chains = nftables.flatMap(({ chain }) => (chain === undefined ? [] : [chain]));
  expect(chains).toMatchObject([{ family: name, table: 't', name: 'c', type: 'filter', policy: 'accept', ...listed }]);
  expect(netns.run(['nft', 'list', 'ruleset'])).toContain(text);
  const { devices, ...rest } = hook;
  const found = findNftChain(connection, { family, table: 't', name: 'c' })?.hook;
  expect(found).toMatchObject(rest);
  if (devices !== undefined) expect([...(found?.devices ?? [])].sort()).toEqual(devices);
});
