import { createTestNetns, type TestNetns } from '@canal/testing';
import { formatIp, type Ip, type Mac, parseIp, parseMac, unwrap } from 'net-types';
import { describe, expect, test } from 'vitest';
import { isNotFound } from '../connection/netlink-error.ts';
import { IFF } from '../link/constants.ts';
import { findLinkIndex, newLink, setLink } from '../link/requests.ts';
import { AF } from '../rtnetlink/family.ts';
import { NLM_F } from '../wire/message.ts';
import { NTF } from './flags.ts';
import { delNeighbour, listFdb, listNeighbours, newNeighbour, permanentNeighbour, vxlanFdbEntry } from './requests.ts';
import { NUD } from './state.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const mac = (text: string): Mac => unwrap(parseMac(text));
const MAC_A = mac('0a:58:0a:00:00:0a');
const MAC_B = mac('0a:58:0a:00:00:0b');

/** A device of the kind that is up, with its index. */
function device(netns: TestNetns, name: string, info: object): number {
  netns.netlink.execute(newLink({ name, info }));
  netns.netlink.execute(setLink({ name, flags: IFF.UP, change: IFF.UP }));
  return findLinkIndex(netns.netlink, name)!;
}

describe('neighbours', () => {
  test('permanent entries of both families, read as `ip -j` reads them', () => {
    using netns = createTestNetns('neigh');
    const { netlink } = netns;
    const index = device(netns, 'br0', { kind: 'bridge' });
    const second = device(netns, 'br1', { kind: 'bridge' });
    netlink.execute(newNeighbour(permanentNeighbour(index, ip('10.0.0.5'), MAC_A)));
    netlink.execute(newNeighbour({ ...permanentNeighbour(index, ip('fd00::5'), MAC_A), protocol: 203 }));
    netlink.execute(newNeighbour(permanentNeighbour(second, ip('10.0.0.6'), MAC_B)));
    expect(netns.json(['ip', '-j', '-4', 'neigh', 'show', 'dev', 'br0'])).toMatchObject([
      { dst: '10.0.0.5', lladdr: MAC_A, state: ['PERMANENT'] },
    ]);
    const permanent = listNeighbours(netlink, { index }).filter(({ state }) => state === NUD.PERMANENT);
    expect(permanent.map(({ dst, lladdr, protocol }) => [formatIp(dst!), lladdr, protocol])).toEqual([
      ['10.0.0.5', MAC_A, undefined],
      ['fd00::5', MAC_A, 203],
    ]);
    const devices = listNeighbours(netlink, { family: 4 }).flatMap((one) =>
      one.state === NUD.PERMANENT ? [one.index] : [],
    );
    expect(devices.sort()).toEqual([index, second]);
  });

  test('adding again replaces; removing twice is not found', () => {
    using netns = createTestNetns('neigh');
    const { netlink } = netns;
    const index = device(netns, 'br0', { kind: 'bridge' });
    netlink.execute(newNeighbour(permanentNeighbour(index, ip('10.0.0.5'), MAC_A)));
    netlink.execute(newNeighbour(permanentNeighbour(index, ip('10.0.0.5'), MAC_B)));
    const found = listNeighbours(netlink, { index, family: 4 }).filter(({ state }) => state === NUD.PERMANENT);
    expect(found).toMatchObject([{ lladdr: MAC_B }]);
    netlink.execute(delNeighbour({ family: AF.INET, index, dst: ip('10.0.0.5') }));
    expect(() => netlink.execute(delNeighbour({ family: AF.INET, index, dst: ip('10.0.0.5') }))).toThrow(
      expect.toSatisfy(isNotFound),
    );
  });
});

describe('forwarding entries', () => {
  test('vxlan: remotes of both families, several for one address, read as `bridge -j` reads them', () => {
    using netns = createTestNetns('fdb');
    const { netlink } = netns;
    const index = device(netns, 'vx', { kind: 'vxlan', vxlan: { id: 1, port: 8472, learning: false } });
    netlink.execute(newNeighbour(vxlanFdbEntry(index, MAC_A, ip('192.0.2.1'))));
    netlink.execute(newNeighbour(vxlanFdbEntry(index, MAC_B, ip('192.0.2.2'))));
    const flood = mac('00:00:00:00:00:00');
    for (const remote of ['192.0.2.3', '192.0.2.4']) {
      netlink.execute(newNeighbour(vxlanFdbEntry(index, flood, ip(remote)), NLM_F.CREATE | NLM_F.APPEND));
    }
    const shown = netns.json(['bridge', '-j', 'fdb', 'show', 'dev', 'vx']) as {
      mac: string;
      dst?: string;
      state: string;
    }[];
    const read = listFdb(netlink, { index }).map(({ lladdr, dst }) => `${lladdr} ${formatIp(dst!)}`);
    expect(read.sort()).toEqual(shown.map((entry) => `${entry.mac} ${entry.dst}`).sort());
    expect(read).toContain(`${MAC_A} 192.0.2.1`);
    netlink.execute(delNeighbour(vxlanFdbEntry(index, MAC_A, ip('192.0.2.1'))));
    expect(listFdb(netlink, { index })).toHaveLength(3);
  });

  test('vxlan over IPv6', () => {
    using netns = createTestNetns('fdb6');
    const { netlink } = netns;
    const index = device(netns, 'vx', {
      kind: 'vxlan',
      vxlan: { id: 1, port: 8472, learning: false, local6: ip('fd00::1') },
    });
    netlink.execute(newNeighbour(vxlanFdbEntry(index, MAC_A, ip('fd00::2'))));
    expect(netns.json(['bridge', '-j', 'fdb', 'show', 'dev', 'vx'])).toMatchObject([{ mac: MAC_A, dst: 'fd00::2' }]);
    expect(listFdb(netlink, { index })).toMatchObject([{ dst: ip('fd00::2'), flags: NTF.SELF }]);
  });

  test('bridge: entries of all ports, by the bridge', () => {
    using netns = createTestNetns('bridge');
    const { netlink } = netns;
    const bridge = device(netns, 'br0', { kind: 'bridge' });
    const port = device(netns, 'p0', { kind: 'veth' });
    netlink.execute(setLink({ index: port, master: bridge }));
    netlink.execute(
      newNeighbour({ family: AF.BRIDGE, index: port, state: NUD.NOARP, flags: NTF.MASTER | NTF.STICKY, lladdr: MAC_A }),
    );
    expect(netns.json(['bridge', '-j', 'fdb', 'show', 'br', 'br0', 'brport', 'p0'])).toEqual(
      expect.arrayContaining([expect.objectContaining({ mac: MAC_A, flags: ['sticky'], state: 'static' })]),
    );
    const found = listFdb(netlink, { master: bridge }).filter(({ lladdr }) => lladdr === MAC_A);
    expect(found).toMatchObject([{ index: port, master: bridge, flags: NTF.STICKY }]);
  });
});
