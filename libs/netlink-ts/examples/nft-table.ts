/** Makes an nftables table in one transaction, reads it back, and hears somebody else delete it. Needs root. */
import { parseCidr, unwrap } from 'net-types';
import {
  appendNftRule,
  changeNftables,
  commentOf,
  commentUserData,
  counter,
  createNetlinkConnection,
  createNftMonitor,
  delNftTable,
  listNftRules,
  masquerade,
  matchAddress,
  matchFamily,
  newNftChain,
  newNftTable,
  NF_INET,
  NF_IP_PRI,
  NFNLGRP,
  NFPROTO,
} from 'netlink-ts';
import { openEventTransport, openTransport } from './bun-transport.ts';

const NETLINK_NETFILTER = 12;
const family = NFPROTO.INET;

using connection = createNetlinkConnection(() => openTransport(NETLINK_NETFILTER));
changeNftables(connection, [
  newNftTable({ family, name: 'demo' }),
  newNftChain({
    family,
    table: 'demo',
    name: 'out',
    type: 'nat',
    hook: { number: NF_INET.POST_ROUTING, priority: NF_IP_PRI.NAT_SRC },
  }),
  appendNftRule({
    family,
    table: 'demo',
    chain: 'out',
    expressions: [
      ...matchFamily(4),
      ...matchAddress('saddr', unwrap(parseCidr('192.0.2.0/24'))),
      counter(),
      masquerade({ fullyRandom: true }),
    ],
    userData: commentUserData('hide the lab'),
  }),
]);
for (const { expressions = [], userData } of listNftRules(connection, { family, table: 'demo' })) {
  console.log(commentOf(userData), ...expressions.map(({ type }) => type));
}

using monitor = createNftMonitor(() => openEventTransport([NFNLGRP.NFTABLES], NETLINK_NETFILTER));
// Somebody else's work, for the sake of the example.
using other = createNetlinkConnection(() => openTransport(NETLINK_NETFILTER));
changeNftables(other, [delNftTable({ family, name: 'demo' })]);
for await (const event of monitor) {
  if (event.type === 'table') console.log(event.action, event.table.name);
  if (event.type === 'generation') break;
}
