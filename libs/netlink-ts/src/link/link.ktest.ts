import { closeSync, openSync, readFileSync } from 'node:fs';
import { createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { parseIp, parseMac, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { isExists, isNotFound } from '../connection/netlink-error.ts';
import { getNetnsId } from '../netns-id/requests.ts';
import { IN6_ADDR_GEN_MODE, IPV4_DEVCONF } from './af-spec.ts';
import { IF_OPER, IFF } from './constants.ts';
import type { Link } from './message.ts';
import {
  delLink,
  findLink,
  findLinkIndex,
  getLink,
  listBridgePorts,
  listLinks,
  newAltName,
  newLink,
  setLink,
} from './requests.ts';

/** What `ip -j -d link show` prints of a device, as far as it is compared. */
interface IpLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly mtu: number;
  readonly operstate: string;
  readonly address: string;
  readonly flags: readonly string[];
  readonly linkinfo?: { info_kind?: string; info_data?: Record<string, unknown>; info_slave_kind?: string };
  readonly stats64?: { rx: { packets: number; bytes: number } };
}

const ipLinks = (netns: TestNetns, ...args: string[]): IpLink[] =>
  netns.json(['ip', '-j', '-d', '-s', 'link', 'show', ...args]) as IpLink[];
const ipLink = (netns: TestNetns, name: string): IpLink => ipLinks(netns, 'dev', name)[0]!;

/** Our reading in the words of `ip -j`. */
function inWordsOfIp(link: Link): object {
  return {
    ifindex: link.index,
    ifname: link.name,
    mtu: link.mtu,
    operstate: Object.entries(IF_OPER).find(([, value]) => value === link.operState)?.[0],
    address: link.address,
    up: (link.flags & IFF.UP) !== 0,
    kind: link.info?.kind,
    slaveKind: link.info?.slaveKind,
  };
}

const fromIp = ({ ifindex, ifname, mtu, operstate, address, flags, linkinfo }: IpLink): object => ({
  ifindex,
  ifname,
  mtu,
  operstate,
  address,
  up: flags.includes('UP'),
  kind: linkinfo?.info_kind,
  slaveKind: linkinfo?.info_slave_kind,
});

describe('listing', () => {
  test('every device reads as `ip -j` reads it', async () => {
    using netns = createTestNetns('links');
    netns.run(['ip', '-batch', '-'], {
      stdin: `link add br0 type bridge
              link add v0 mtu 1400 type veth peer name v1
              link set v0 master br0 up
              link set br0 up
              link add vx type vxlan id 7 dstport 8472 local 10.0.0.1`,
    });
    // The kernel settles the state of a device that was set up in its own time.
    await waitFor('both to read the same', () => {
      expect(listLinks(netns.netlink).map(inWordsOfIp)).toEqual(ipLinks(netns).map(fromIp));
      return true;
    });
  });

  test('filters by master and by kind', () => {
    using netns = createTestNetns('filter');
    netns.run(['ip', '-batch', '-'], {
      stdin: `link add br0 type bridge
              link add v0 master br0 type veth peer name v1`,
    });
    const master = findLinkIndex(netns.netlink, 'br0')!;
    expect(listLinks(netns.netlink, { master }).map(({ name }) => name)).toEqual(['v0']);
    expect(
      listLinks(netns.netlink, { kind: 'veth' })
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['v0', 'v1']);
  });

  test('counters are those of the kernel', () => {
    using netns = createTestNetns('stats');
    netns.run(['ping', '-c3', '-i0.01', '127.0.0.1']);
    const lo = getLink(netns.netlink, { name: 'lo' }, { stats: true });
    expect(lo.stats64?.rxPackets).toBe(BigInt(ipLink(netns, 'lo').stats64!.rx.packets));
    expect(lo.stats64?.rxBytes).toBe(BigInt(ipLink(netns, 'lo').stats64!.rx.bytes));
    expect(lo.stats64!.rxPackets).toBeGreaterThanOrEqual(6n);
  });
});

describe('devices', () => {
  test('a veth is born with both ends in place: names, addresses, MTU, the peer in another namespace', () => {
    using host = createTestNetns('host');
    using pod = createTestNetns('pod');
    using fd = openFile(pod.path);
    host.netlink.execute(
      newLink({
        name: 'outside',
        mtu: 1400,
        address: unwrap(parseMac('02:00:00:00:00:01')),
        info: {
          kind: 'veth',
          veth: { peer: { name: 'eth0', mtu: 1400, address: unwrap(parseMac('02:00:00:00:00:02')), netnsFd: fd.fd } },
        },
      }),
    );
    expect(ipLink(pod, 'eth0')).toMatchObject({
      mtu: 1400,
      address: '02:00:00:00:00:02',
      linkinfo: { info_kind: 'veth' },
    });
    expect(ipLink(host, 'outside')).toMatchObject({ mtu: 1400, address: '02:00:00:00:00:01' });
    const [outside, eth0] = [getLink(host.netlink, { name: 'outside' }), getLink(pod.netlink, { name: 'eth0' })];
    // Each end names the other by the other's index and the number of its namespace.
    expect([outside.link, eth0.link]).toEqual([eth0.index, outside.index]);
    expect(outside.linkNetnsId).toBe(getNetnsId(host.netlink, { fd: fd.fd }));
  });

  test('a bridge and its port take settings and tell them', () => {
    using netns = createTestNetns('bridge');
    const { netlink } = netns;
    netlink.execute(
      newLink({
        name: 'br0',
        info: { kind: 'bridge', bridge: { ageingTime: 12_300, stpState: 0, forwardDelay: 400 } },
      }),
    );
    const { index } = getLink(netlink, { name: 'br0' });
    netlink.execute(newLink({ name: 'p0', master: index, info: { kind: 'veth' } }));
    netlink.execute(
      setLink({
        name: 'p0',
        info: { slaveKind: 'bridge', bridgePort: { hairpin: true, isolated: true, learning: false } },
      }),
    );
    expect(ipLink(netns, 'br0').linkinfo?.info_data).toMatchObject({
      ageing_time: 12_300,
      stp_state: 0,
      forward_delay: 400,
    });
    expect(netns.json(['bridge', '-j', '-d', 'link', 'show', 'dev', 'p0'])).toMatchObject([
      { master: 'br0', hairpin: true, isolated: true, learning: false },
    ]);
    const port = { hairpin: true, isolated: true, learning: false };
    expect(getLink(netlink, { name: 'p0' }).info).toMatchObject({ slaveKind: 'bridge', bridgePort: port });
    expect(listBridgePorts(netlink)).toMatchObject([{ name: 'p0', master: index, bridgePort: port }]);
    expect(getLink(netlink, { name: 'br0' }).info?.bridge?.ageingTime).toBe(12_300);
    netlink.execute(setLink({ name: 'p0', master: 0 }));
    expect(listBridgePorts(netlink)).toEqual([]);
  });

  test.each([
    { family: 'IPv4', vxlan: { local: unwrap(parseIp('10.0.0.1')) }, shown: { local: '10.0.0.1' } },
    { family: 'IPv6', vxlan: { local6: unwrap(parseIp('fd00::1')) }, shown: { local6: 'fd00::1' } },
  ])('a vxlan device over $family', ({ vxlan, shown }) => {
    using netns = createTestNetns('vxlan');
    const { netlink } = netns;
    netlink.execute(newLink({ name: 'under', info: { kind: 'veth' } }));
    const link = findLinkIndex(netlink, 'under')!;
    const wanted = { id: 5, port: 8472, learning: false, link, ...vxlan } as object;
    netlink.execute(newLink({ name: 'vx', mtu: 1350, info: { kind: 'vxlan', vxlan: { ...wanted, gbp: true } } }));
    const shownByIp = ipLink(netns, 'vx');
    expect(shownByIp).toMatchObject({ mtu: 1350, linkinfo: { info_kind: 'vxlan' } });
    expect(shownByIp.linkinfo?.info_data).toMatchObject({
      id: 5,
      port: 8472,
      learning: false,
      link: 'under',
      gbp: true,
      ...shown,
    });
    expect(getLink(netlink, { name: 'vx' }).info?.vxlan).toMatchObject({ ...wanted, gbp: true });
  });

  test('a device made with a chosen index, group and queue count; a group removed at once', () => {
    using netns = createTestNetns('group');
    const { netlink } = netns;
    netlink.execute(newLink({ name: 'a', index: 4242, group: 9, numTxQueues: 2, info: { kind: 'veth' } }));
    netlink.execute(newLink({ name: 'b', group: 9, info: { kind: 'bridge' } }));
    expect(getLink(netlink, { index: 4242 })).toMatchObject({ name: 'a', group: 9, numTxQueues: 2 });
    netlink.execute(delLink({ group: 9 }));
    expect(ipLinks(netns).map(({ ifname }) => ifname)).toEqual(['lo']);
  });
});

describe('changing and finding', () => {
  test('up, down, rename, alias, MTU, another namespace', () => {
    using netns = createTestNetns('set');
    using other = createTestNetns('other');
    using fd = openFile(other.path);
    const { netlink } = netns;
    netlink.execute(newLink({ name: 'a', info: { kind: 'bridge' } }));
    const { index } = getLink(netlink, { name: 'a' });
    netlink.execute(setLink({ index, flags: IFF.UP, change: IFF.UP, mtu: 1300, alias: 'hello' }));
    expect(netns.json(['ip', '-j', 'link', 'show', 'a'])).toMatchObject([{ mtu: 1300, ifalias: 'hello' }]);
    expect(getLink(netlink, { index })).toMatchObject({ mtu: 1300, alias: 'hello' });
    netlink.execute(setLink({ index, flags: 0, change: IFF.UP }));
    netlink.execute(setLink({ index, name: 'b' }));
    expect(getLink(netlink, { index }).flags & IFF.UP).toBe(0);
    netlink.execute(newLink({ name: 'mover', info: { kind: 'veth' } }));
    netlink.execute(setLink({ name: 'mover', netnsFd: fd.fd }));
    expect(findLink(netlink, { name: 'mover' })).toBeUndefined();
    expect(ipLink(other, 'mover')).toMatchObject({ ifname: 'mover' });
  });

  test('a long name is an alternative one', () => {
    using netns = createTestNetns('altname');
    const { netlink } = netns;
    netlink.execute(newLink({ name: 'short', info: { kind: 'bridge' } }));
    const { index } = getLink(netlink, { name: 'short' });
    const long = 'a-name-that-no-device-could-bear';
    netlink.execute(newAltName(index, long));
    expect(netns.json(['ip', '-j', 'link', 'show', 'short'])).toMatchObject([{ altnames: [long] }]);
    expect(getLink(netlink, { name: long })).toMatchObject({ index, altNames: [long] });
    expect(findLinkIndex(netlink, long)).toBe(index);
  });

  test('what is not there is not found, what is there exists', () => {
    using netns = createTestNetns('errors');
    const { netlink } = netns;
    expect(findLink(netlink, { name: 'nowhere' })).toBeUndefined();
    expect(findLinkIndex(netlink, 'nowhere')).toBeUndefined();
    expect(() => getLink(netlink, { index: 999 })).toThrow(expect.toSatisfy(isNotFound));
    expect(() => netlink.execute(delLink({ name: 'nowhere' }))).toThrow(expect.toSatisfy(isNotFound));
    netlink.execute(newLink({ name: 'a', info: { kind: 'bridge' } }));
    expect(() => netlink.execute(newLink({ name: 'a', info: { kind: 'bridge' } }))).toThrow(expect.toSatisfy(isExists));
    netlink.execute(delLink({ name: 'a' }));
    expect(ipLinks(netns).map(({ ifname }) => ifname)).toEqual(['lo']);
  });
});

describe('per-device sysctls without /proc', () => {
  test('IPv4 values are set and read; the IPv6 address mode keeps a device without link-local address', () => {
    using netns = createTestNetns('sysctl');
    const { netlink } = netns;
    netlink.execute(newLink({ name: 'a', info: { kind: 'bridge' } }));
    const { index } = getLink(netlink, { name: 'a' });
    const conf = { [IPV4_DEVCONF.FORWARDING]: 1, [IPV4_DEVCONF.RP_FILTER]: 2, [IPV4_DEVCONF.PROXY_ARP]: 1 };
    netlink.execute(setLink({ index, afSpec: { inet: { conf }, inet6: { addrGenMode: IN6_ADDR_GEN_MODE.NONE } } }));
    const file = (name: string): string =>
      netns.within(() => readFileSync(`/proc/sys/net/ipv4/conf/a/${name}`, 'utf8').trim());
    expect([file('forwarding'), file('rp_filter'), file('proxy_arp')]).toEqual(['1', '2', '1']);
    expect(getLink(netlink, { index }).afSpec?.inet?.conf).toMatchObject(conf);
    netlink.execute(setLink({ index, flags: IFF.UP, change: IFF.UP }));
    expect(netns.json(['ip', '-j', '-6', 'addr', 'show', 'dev', 'a'])).toEqual([]);
    expect(getLink(netlink, { index }).afSpec?.inet6?.addrGenMode).toBe(IN6_ADDR_GEN_MODE.NONE);
  });
});

test('a tun device made by another tool is read', () => {
  using netns = createTestNetns('tun');
  netns.run(['ip', 'tuntap', 'add', 'tun0', 'mode', 'tun', 'multi_queue']);
  expect(getLink(netns.netlink, { name: 'tun0' }).info).toMatchObject({
    kind: 'tun',
    tun: { type: 1, persist: true, multiQueue: true, pi: false },
  });
});

test('VLANs of bridge ports', ({ skip }) => {
  using netns = createTestNetns('vlan');
  // Bridge VLAN filtering may be compiled out; iproute2 reports the kernel's EOPNOTSUPP.
  const made = netns.exec(['ip', 'link', 'add', 'br0', 'type', 'bridge', 'vlan_filtering', '1']);
  if (made.stderr.includes('not supported')) skip('the kernel has no bridge VLAN filtering');
  netns.run(['ip', '-batch', '-'], { stdin: 'link add p0 master br0 type veth peer name p1' });
  netns.run(['bridge', 'vlan', 'add', 'dev', 'p0', 'vid', '10']);
  const [port] = listBridgePorts(netns.netlink, { vlans: true });
  expect(port?.bridgeAfSpec?.vlans?.map(({ vid }) => vid)).toEqual([1, 10]);
});

/** A namespace file that stays open for the block. */
function openFile(path: string): { fd: number } & Disposable {
  const fd = openSync(path, 'r');
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}
