import { EMPTY_STATE, mergeStates } from '@canal/network-compile';
import { type DesiredRoute, type NetworkOperation, type NetworkState, NODE_ROUTE_PROTOCOL } from '@canal/model';
import { parseCidr, parseInterfaceAddress, parseInterfaceName, parseIp, parseMac, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { findRepairs } from './drift.ts';

const LINK = unwrap(parseInterfaceName('flannel.1'));
const MAC = unwrap(parseMac('3a:fd:04:5e:b2:1c'));
const OTHER_MAC = unwrap(parseMac('3a:fd:04:5e:b2:1d'));
const IP = unwrap(parseIp('10.244.2.0'));
const REMOTE = unwrap(parseIp('10.0.0.2'));
const OTHER_REMOTE = unwrap(parseIp('10.0.0.3'));

function route(id: number): DesiredRoute {
  const target = { type: 'nexthop', id } as const;
  return { protocol: NODE_ROUTE_PROTOCOL, destination: unwrap(parseCidr('10.244.2.0/24')), metric: 0, target };
}

const POD_LINK = unwrap(parseInterfaceName('cnl00000000001'));

const APPLIED: NetworkState = mergeStates(EMPTY_STATE, {
  ...EMPTY_STATE,
  upLinks: [POD_LINK],
  neighbours: [{ link: LINK, ip: IP, mac: MAC }],
  fdb: [{ link: LINK, mac: MAC, remote: REMOTE }],
  routes: [route(1)],
  addresses: [{ link: LINK, address: unwrap(parseInterfaceAddress('10.244.1.0/32')) }],
});

describe('repairs', () => {
  const table: { name: string; operation: NetworkOperation; repair: boolean }[] = [
    { name: 'what was wanted is added again', operation: { type: 'route-add', route: route(1) }, repair: true },
    {
      name: 'what was wanted is put over something else',
      operation: { type: 'route-replace', route: route(1) },
      repair: true,
    },
    { name: 'the way to a subnet changes', operation: { type: 'route-replace', route: route(2) }, repair: false },
    { name: 'a peer leaves', operation: { type: 'route-delete', route: route(1) }, repair: false },
    {
      name: 'a route that nobody wanted',
      operation: { type: 'route-delete', route: { ...route(1), metric: 7 } },
      repair: true,
    },
    {
      name: 'a neighbour is back',
      operation: { type: 'neighbour-set', neighbour: { link: LINK, ip: IP, mac: MAC } },
      repair: true,
    },
    {
      name: "a peer's MAC changes",
      operation: { type: 'neighbour-set', neighbour: { link: LINK, ip: IP, mac: OTHER_MAC } },
      repair: false,
    },
    {
      name: 'a forwarding entry is back',
      operation: { type: 'fdb-set', entry: { link: LINK, mac: MAC, remote: REMOTE } },
      repair: true,
    },
    {
      name: "a peer's address changes",
      operation: { type: 'fdb-set', entry: { link: LINK, mac: MAC, remote: OTHER_REMOTE } },
      repair: false,
    },
    {
      name: 'a second remote that others appended',
      operation: { type: 'fdb-delete', entry: { link: LINK, mac: MAC, remote: OTHER_REMOTE } },
      repair: true,
    },
    { name: 'a device that nobody wanted', operation: { type: 'link-delete', name: LINK }, repair: true },
    { name: "a pod's device is up again", operation: { type: 'link-up', name: POD_LINK }, repair: true },
    {
      name: 'an address is back',
      operation: {
        type: 'address-add',
        address: { link: LINK, address: unwrap(parseInterfaceAddress('10.244.1.0/32')) },
      },
      repair: true,
    },
  ];
  test.each(table)('$name: $repair', ({ operation, repair }) => {
    expect(findRepairs([operation], APPLIED, undefined)).toHaveLength(repair ? 1 : 0);
  });

  test('are labelled with the kind of object and worded as iproute2 does', () => {
    expect(findRepairs([{ type: 'route-add', route: route(1) }], APPLIED, undefined)).toEqual([
      { kind: 'route', text: 'route add 10.244.2.0/24 nhid 1' },
    ]);
  });

  test('are none as long as nothing was applied: a start is no repair', () => {
    expect(findRepairs([{ type: 'route-add', route: route(1) }], undefined, undefined)).toEqual([]);
  });

  test('after a turn that failed: what was there and is put back, not what it may have added itself', () => {
    const other = { link: LINK, mac: MAC, remote: OTHER_REMOTE };
    const tried = { ...APPLIED, fdb: [...APPLIED.fdb, other] };
    expect(findRepairs([{ type: 'route-add', route: route(1) }], APPLIED, tried)).toHaveLength(1);
    expect(findRepairs([{ type: 'fdb-delete', entry: other }], APPLIED, tried)).toEqual([]);
    expect(findRepairs([{ type: 'fdb-delete', entry: other }], APPLIED, undefined)).toHaveLength(1);
  });
});
