import { createTestNetns } from '@canal/testing';
import { formatInterfaceAddress, parseInterfaceAddress, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { isExists, isNotFound } from '../connection/netlink-error.ts';
import { findLinkIndex, newLink } from '../link/requests.ts';
import { NLM_F } from '../wire/message.ts';
import { IFA_F, RT_SCOPE } from './constants.ts';
import { interfaceAddressOf } from './message.ts';
import { addressInput, delAddress, listAddresses, newAddress } from './requests.ts';

interface IpAddress {
  readonly ifindex: number;
  readonly addr_info: readonly { local: string; prefixlen: number; scope: string; label?: string }[];
}

const SCOPES = new Map<number, string>([
  [RT_SCOPE.UNIVERSE, 'global'],
  [RT_SCOPE.LINK, 'link'],
  [RT_SCOPE.HOST, 'host'],
]);
const address = (text: string) => unwrap(parseInterfaceAddress(text));

test('every address reads as `ip -j` reads it', () => {
  using netns = createTestNetns('addresses');
  netns.run(['ip', '-batch', '-'], {
    stdin: `link add v0 up type veth peer name v1
            addr add 10.1.0.1/24 dev v0 label v0:first
            addr add 10.1.0.2/24 dev v0
            addr add 10.2.0.1 peer 10.2.0.2/32 dev v0
            addr add fd00::1/64 dev v0 nodad
            addr add fd00::2 peer fd00::3/128 dev v0 nodad`,
  });
  const shown = (netns.json(['ip', '-j', 'addr']) as IpAddress[]).flatMap(({ ifindex, addr_info }) =>
    addr_info.map(({ local, prefixlen, scope, label }) => ({ ifindex, local: `${local}/${prefixlen}`, scope, label })),
  );
  const read = listAddresses(netns.netlink).map((found) => ({
    ifindex: found.index,
    local: formatInterfaceAddress(interfaceAddressOf(found)!),
    scope: SCOPES.get(found.scope),
    label: found.label,
  }));
  const byText = (a: { local: string }, b: { local: string }): number => (a.local < b.local ? -1 : 1);
  expect(read.sort(byText)).toEqual(shown.sort(byText));
});

test('adding, listing by family and device, replacing, removing', () => {
  using netns = createTestNetns('address');
  const { netlink } = netns;
  netlink.execute(newLink({ name: 'a', info: { kind: 'bridge' } }));
  const index = findLinkIndex(netlink, 'a')!;
  const wanted = [address('10.1.0.1/24'), address('fd00::1/64')];
  for (const one of wanted) netlink.execute(newAddress({ ...addressInput(index, one), flags: IFA_F.NODAD }));
  expect(netns.json(['ip', '-j', 'addr', 'show', 'dev', 'a'])).toMatchObject([
    {
      addr_info: [
        { family: 'inet', local: '10.1.0.1', prefixlen: 24 },
        { family: 'inet6', local: 'fd00::1', prefixlen: 64, nodad: true },
      ],
    },
  ]);
  expect(listAddresses(netlink, { index }).map(interfaceAddressOf)).toEqual(wanted);
  expect(listAddresses(netlink, { index, family: 6 }).map(interfaceAddressOf)).toEqual([wanted[1]]);
  const first = addressInput(index, wanted[0]!);
  expect(() => netlink.execute(newAddress(first))).toThrow(expect.toSatisfy(isExists));
  netlink.execute(
    newAddress(
      { ...first, cacheInfo: { preferredSeconds: 50, validSeconds: 100, created: 0, updated: 0 } },
      NLM_F.CREATE | NLM_F.REPLACE,
    ),
  );
  expect(listAddresses(netlink, { index, family: 4 })).toMatchObject([{ cacheInfo: { validSeconds: 100 } }]);
  netlink.execute(delAddress(first));
  expect(() => netlink.execute(delAddress(first))).toThrow(expect.toSatisfy(isNotFound));
  expect(listAddresses(netlink, { index, family: 4 })).toEqual([]);
});

test('a broadcast address and a metric for the connected route', () => {
  using netns = createTestNetns('metric');
  netns.netlink.execute(
    newAddress({
      ...addressInput(1, address('10.1.0.1/24')),
      broadcast: unwrap(parseIp('10.1.0.255')),
      routePriority: 77,
    }),
  );
  expect(netns.json(['ip', '-j', '-4', 'addr', 'show', 'dev', 'lo'])).toMatchObject([
    { addr_info: [{ local: '127.0.0.1' }, { local: '10.1.0.1', broadcast: '10.1.0.255', metric: 77 }] },
  ]);
});
