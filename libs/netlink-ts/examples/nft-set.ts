/** A set of addresses, a map from addresses to chains, and a rule that asks each: filled, asked, changed. Needs root. */
import { ipToBytes, parseIp, unwrap } from 'net-types';
import {
  appendNftRule,
  changeNftables,
  createNetlinkConnection,
  delNftElements,
  delNftTable,
  findNftElement,
  listNftElements,
  matchFamily,
  matchSet,
  newNftChain,
  newNftElements,
  newNftSet,
  newNftTable,
  NFPROTO,
  NFT_FIELD,
  NFT_VERDICT,
  nftSet,
  verdict,
  verdictData,
  verdictMap,
} from 'netlink-ts';
import { openTransport } from './bun-transport.ts';

const NETLINK_NETFILTER = 12;
const table = { family: NFPROTO.INET, table: 'demo' };
const address = (text: string): Uint8Array => ipToBytes(unwrap(parseIp(text)));

using connection = createNetlinkConnection(() => openTransport(NETLINK_NETFILTER));
changeNftables(connection, [
  newNftTable({ family: table.family, name: 'demo' }),
  newNftChain({ ...table, name: 'guests' }),
  newNftChain({ ...table, name: 'all' }),
  newNftSet(nftSet({ ...table, name: 'banned', key: 'ipv4_addr', size: 1000, comment: 'out of here' })),
  newNftSet(nftSet({ ...table, name: 'rooms', key: 'ipv4_addr', data: 'verdict' })),
  ...newNftElements(
    { ...table, name: 'banned' },
    ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((text) => ({ key: address(text) })),
  ),
  ...newNftElements({ ...table, name: 'rooms' }, [
    { key: address('192.0.2.9'), data: verdictData(NFT_VERDICT.JUMP, 'guests') },
  ]),
  appendNftRule({
    ...table,
    chain: 'all',
    expressions: [...matchFamily(4), ...matchSet('banned', [NFT_FIELD.ipSaddr]), verdict(NFT_VERDICT.DROP)],
  }),
  appendNftRule({
    ...table,
    chain: 'all',
    expressions: [...matchFamily(4), ...verdictMap('rooms', [NFT_FIELD.ipSaddr])],
  }),
]);

const banned = { ...table, name: 'banned' };
changeNftables(connection, delNftElements(banned, [{ key: address('192.0.2.2') }]));
console.log(listNftElements(connection, banned).length, 'banned');
console.log(findNftElement(connection, banned, { key: address('192.0.2.2') }) ?? 'not banned any more');
console.log('jump to', listNftElements(connection, { ...table, name: 'rooms' })[0]?.data?.verdict?.chain);
changeNftables(connection, [delNftTable({ family: table.family, name: 'demo' })]);
