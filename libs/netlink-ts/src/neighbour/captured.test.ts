import { parseIp, parseMac, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { capturedMessages } from '../testing/captured.ts';
import { WireSource } from '../wire/wire-source.ts';
import { WireWriter } from '../wire/wire-writer.ts';
import { NTF } from './flags.ts';
import { type Neighbour, neighbourCodec, type NeighbourInput } from './message.ts';
import { permanentNeighbour, vxlanFdbEntry } from './requests.ts';
import { NUD } from './state.ts';

const decodeAll = (hex: string): Neighbour[] =>
  capturedMessages(hex).map(({ source, payloadStart, payloadEnd }) =>
    neighbourCodec.decode(source, payloadStart, payloadEnd),
  );
const ip = (text: string) => unwrap(parseIp(text));
const mac = (text: string) => unwrap(parseMac(text));

function written(input: NeighbourInput): Neighbour {
  const writer = new WireWriter();
  neighbourCodec.encode(writer, input);
  return neighbourCodec.decode(new WireSource(writer.written), 0, writer.length);
}

// `strace -e write=3 ip neigh add 10.1.0.5 lladdr 0a:58:00:00:00:05 dev v0 nud permanent`, iproute2 6.1.
test('a permanent neighbour is what iproute2 makes of it', () => {
  const captured = decodeAll(`30000000 1c000506 4e5f016b 00000000 02000000 03000000 80000000
                              08000100 0a010005 0a000200 0a5800000005 0000`);
  expect(captured).toEqual([written(permanentNeighbour(3, ip('10.1.0.5'), mac('0a:58:00:00:00:05')))]);
});

// `strace -e write=3 bridge fdb append 0a:58:00:00:00:06 dev vx dst 192.0.2.6 self permanent`, iproute2 6.1.
test('a vxlan entry is what bridge makes of it, but for NUD_NOARP, which it adds', () => {
  const [captured] = decodeAll(`30000000 1c00050c 4e5f016b 00000000 07000000 05000000 c0000200
                                0a000200 0a5800000006 0000 08000100 c0000206`);
  const ours = written(vxlanFdbEntry(5, mac('0a:58:00:00:00:06'), ip('192.0.2.6')));
  expect(captured).toEqual({ ...ours, state: NUD.PERMANENT | NUD.NOARP });
});

// Linux 6.18, `strace -e read=3 ip neigh show dev v0`.
test('answers of the kernel: permanent, and multicast that it made up itself', () => {
  expect(
    decodeAll(`
      4c000000 1c002200 655f016b 59180000 02000000 03000000 80000001 08000100 0a010005 0a000200 0a5800000005 0000
      08000400 00000000 14000300 84000000 84000000 84000000 00000000
      58000000 1c002200 655f016b 59180000 0a000000 03000000 40000005 14000100 ff020000000000000000000000000016
      0a000200 333300000016 0000 08000400 00000000 14000300 9a180000 2a010000 2a010000 00000000`),
  ).toMatchObject([
    { family: 2, index: 3, state: NUD.PERMANENT, type: 1, dst: ip('10.1.0.5'), lladdr: mac('0a:58:00:00:00:05') },
    { family: 10, state: NUD.NOARP, type: 5, dst: ip('ff02::16'), probes: 0, cacheInfo: { confirmed: 6298 } },
  ]);
});

// Linux 6.18, `strace -e read=3 bridge fdb show dev vx`.
test('the answer of the kernel: a vxlan entry', () => {
  expect(
    decodeAll(`44000000 1c000200 655f016b 86180000 07000000 05000000 c0000201 0a000200 0a5800000006 0000
               08000100 c0000206 14000300 00000000 81000000 81000000 00000000`),
  ).toMatchObject([{ family: 7, index: 5, flags: NTF.SELF, lladdr: mac('0a:58:00:00:00:06'), dst: ip('192.0.2.6') }]);
});

test('a link-layer address of another length is kept undecoded', () => {
  const neighbour = written({ family: 2, index: 1, unknown: [{ type: 2, bytes: Uint8Array.of(10, 0, 0, 1) }] });
  expect(neighbour).toMatchObject({ unknown: [{ type: 2, bytes: Uint8Array.of(10, 0, 0, 1) }] });
  expect(neighbour.lladdr).toBeUndefined();
});
