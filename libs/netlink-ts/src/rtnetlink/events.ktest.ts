import { createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import type { RtnetlinkEvent } from './events.ts';
import { RTNLGRP } from './message-types.ts';

/** The first events of the groups that the predicate wants, while the commands run. */
async function eventsOf(
  netns: TestNetns,
  groups: readonly number[],
  commands: readonly string[],
  wanted: (event: RtnetlinkEvent) => boolean,
  count: number,
): Promise<RtnetlinkEvent[]> {
  using monitor = netns.monitor(groups, AbortSignal.timeout(30_000));
  for (const command of commands) netns.run(command.split(' '));
  const seen: RtnetlinkEvent[] = [];
  for await (const event of monitor) {
    if (event.type !== 'resync' && wanted(event)) seen.push(event);
    if (seen.length === count) break;
  }
  return seen;
}

test('what another tool does to each kind of object is seen', async () => {
  using netns = createTestNetns('events');
  netns.run(['ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1']);
  netns.run(['ip', 'link', 'set', 'v1', 'up']);
  netns.run(['ip', 'link', 'set', 'v0', 'up']);
  // The kernel settles that in its own time, with an event of the device.
  const operState = (): string =>
    (netns.json(['ip', '-j', 'link', 'show', 'v0']) as { operstate: string }[])[0]?.operstate ?? '';
  await waitFor('a carrier', () => operState() === 'UP');
  const groups = [
    RTNLGRP.LINK,
    RTNLGRP.IPV4_IFADDR,
    RTNLGRP.IPV4_ROUTE,
    RTNLGRP.NEIGH,
    RTNLGRP.IPV4_RULE,
    RTNLGRP.NEXTHOP,
    RTNLGRP.IPV6_ROUTE,
  ];
  const commands = [
    'ip addr add 10.0.0.1/24 dev v0',
    'ip nexthop add id 7 via 10.0.0.2 dev v0 proto 203',
    'ip route add 10.9.0.0/24 nhid 7 proto 203',
    'ip -6 route add blackhole fd09::/64 proto 203',
    'ip neigh add 10.0.0.5 lladdr 0a:58:00:00:00:05 dev v0 nud permanent',
    'ip rule add fwmark 7 lookup 7 pref 7',
    'ip link set v0 alias seen',
    'ip rule del pref 7',
    'ip route del 10.9.0.0/24',
    'ip link del v0',
  ];
  const interesting = (event: RtnetlinkEvent): boolean => {
    if (event.type === 'route') return event.route.protocol === 203;
    if (event.type === 'neighbour') return event.neighbour.state === 0x80 && event.action === 'new';
    if (event.type === 'link')
      return event.link.name === 'v0' && (event.link.alias === 'seen' || event.action === 'del');
    return event.action === 'new' || event.type === 'rule';
  };
  const events = await eventsOf(netns, groups, commands, interesting, 11);
  expect(events.map(({ action, type }) => `${action} ${type}`)).toEqual([
    'new address',
    'new nexthop',
    'new route',
    'new route',
    'new neighbour',
    'new rule',
    'new link',
    'del rule',
    'del route',
    // Deleting the device brings it down first.
    'new link',
    'del link',
  ]);
});
