import { connectNetns, createTestNetns, probeKernelFeature } from '@canal/testing';
import { type Ip, parseCidr, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { isNotFound } from '../connection/netlink-error.ts';
import { findLinkIndex } from '../link/requests.ts';
import { RTNH_F } from '../route/constants.ts';
import { routeTo } from '../route/message.ts';
import { listRoutes, newRoute } from '../route/requests.ts';
import { NLM_F } from '../wire/message.ts';
import { delNexthop, getNexthop, listNexthops, newNexthop } from './requests.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const feature = probeKernelFeature({
  name: 'nexthop objects',
  since: '5.3',
  use: (netlink) => netlink.execute(newNexthop({ family: 2, id: 1, blackhole: true })),
});

test.skipIf(!feature.available)(
  'objects, groups, blackholes and routes through them, read as `ip -j` reads them',
  () => {
    using netns = createTestNetns('nexthop');
    using other = createTestNetns('other');
    connectNetns(
      { netns, name: 'v', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
      { netns: other, name: 'v', addresses: ['10.0.0.2/24'] },
    );
    const { netlink } = netns;
    const oif = findLinkIndex(netlink, 'v')!;
    netlink.execute(newNexthop({ family: 2, id: 10, gateway: ip('10.0.0.2'), oif, protocol: 203 }));
    netlink.execute(
      newNexthop({ family: 2, id: 11, gateway: ip('192.0.2.9'), oif, flags: RTNH_F.ONLINK, protocol: 203 }),
    );
    netlink.execute(newNexthop({ family: 10, id: 12, gateway: ip('fd00::2'), oif, protocol: 203 }));
    netlink.execute(
      newNexthop({
        id: 13,
        group: [
          { id: 10, weight: 0 },
          { id: 11, weight: 4 },
        ],
      }),
    );
    netlink.execute(newNexthop({ family: 2, id: 14, blackhole: true }));
    netlink.execute(newNexthop({ family: 2, id: 15, gateway: ip('192.0.2.7'), fdb: true }));
    expect(netns.json(['ip', '-j', 'nexthop'])).toMatchObject([
      { id: 10, gateway: '10.0.0.2', dev: 'v', protocol: '203' },
      { id: 11, gateway: '192.0.2.9', dev: 'v', flags: ['onlink'] },
      { id: 12, gateway: 'fd00::2', dev: 'v' },
      { id: 13, group: [{ id: 10 }, { id: 11, weight: 5 }] },
      { id: 14, blackhole: null },
      { id: 15, gateway: '192.0.2.7', fdb: null },
    ]);
    expect(listNexthops(netlink)).toMatchObject([
      { id: 10, family: 2, gateway: ip('10.0.0.2'), oif, protocol: 203 },
      { id: 11, flags: RTNH_F.ONLINK },
      { id: 12, family: 10, gateway: ip('fd00::2') },
      {
        id: 13,
        group: [
          { id: 10, weight: 0 },
          { id: 11, weight: 4 },
        ],
      },
      { id: 14, blackhole: true },
      { id: 15, fdb: true },
    ]);
    expect(listNexthops(netlink, { oif }).map(({ id }) => id)).toEqual([10, 11, 12]);
    expect(listNexthops(netlink, { protocol: 203 }).map(({ id }) => id)).toEqual([10, 11, 12]);
    expect(listNexthops(netlink, { groupsOnly: true }).map(({ id }) => id)).toEqual([13]);
    expect(getNexthop(netlink, 12)).toMatchObject({ gateway: ip('fd00::2') });
  },
);

test.skipIf(!feature.available)('routes follow their object: replaced, then removed with it', () => {
  using netns = createTestNetns('nexthop');
  using other = createTestNetns('other');
  connectNetns({ netns, name: 'v', addresses: ['10.0.0.1/24'] }, { netns: other, name: 'v' });
  const { netlink } = netns;
  const oif = findLinkIndex(netlink, 'v')!;
  const nexthop = { family: 2, id: 10, gateway: ip('10.0.0.2'), oif };
  netlink.execute(newNexthop(nexthop));
  netlink.execute(newRoute({ ...routeTo(unwrap(parseCidr('10.9.0.0/24'))), nexthopId: 10, protocol: 203 }));
  expect(listRoutes(netlink, { protocol: 203 })).toMatchObject([{ nexthopId: 10, gateway: ip('10.0.0.2'), oif }]);
  netlink.execute(newNexthop({ ...nexthop, gateway: ip('10.0.0.3') }, NLM_F.CREATE | NLM_F.REPLACE));
  expect(netns.json(['ip', '-j', 'route', 'show', '10.9.0.0/24'])).toMatchObject([{ nhid: 10, gateway: '10.0.0.3' }]);
  netlink.execute(delNexthop(10));
  expect(listRoutes(netlink, { protocol: 203 })).toEqual([]);
  expect(() => getNexthop(netlink, 10)).toThrow(expect.toSatisfy(isNotFound));
});
