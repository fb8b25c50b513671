import { type Ip, parseIp, unwrap } from 'net-types';
import { conntrackCodec, type ConntrackInput, ConntrackScan, conntrackTuple, type TupleProtocol } from 'netlink-ts';
import { capturedMessages, encodeReply } from 'netlink-ts/testing';
import { describe, expect, test } from 'vitest';
import { firstPacketAt } from './first-packet.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const CLIENT = ip('10.0.0.1');
const SERVICE = ip('10.96.0.1');
const POD = ip('10.0.0.9');
/** What masquerade made of the client. */
const NODE = ip('192.168.0.1');

function entry(protocol: number, others: ConntrackInput = {}): ConntrackInput {
  const there: TupleProtocol = { number: protocol, sourcePort: 4000, destinationPort: 80 };
  const back: TupleProtocol = { number: protocol, sourcePort: 8080, destinationPort: 4001 };
  return { original: conntrackTuple(CLIENT, SERVICE, there), reply: conntrackTuple(POD, NODE, back), ...others };
}

function flowAt(input: ConntrackInput, addresses: ReadonlySet<Ip>) {
  const datagram = encodeReply({ type: 0x0100 }, (writer) => conntrackCodec.encode(writer, input));
  const [frame] = capturedMessages(datagram.toHex());
  const scan = new ConntrackScan();
  if (frame !== undefined) scan.read(frame);
  return firstPacketAt(scan, addresses);
}

describe('the packet that policy judged', () => {
  test.each([6, 17, 132])('protocol %i: from the client, to the pod and port behind the Service', (protocol) => {
    expect(flowAt(entry(protocol), new Set([POD]))).toEqual({
      source: CLIENT,
      destination: POD,
      protocol,
      destinationPort: 8080,
    });
  });

  test.each([1, 47, 58])('protocol %i has no ports', (protocol) => {
    expect(flowAt(entry(protocol), new Set([POD]))).toEqual({ source: CLIENT, destination: POD, protocol });
  });

  test('of IPv6', () => {
    const [client, server] = [ip('fd00::1'), ip('fd00::2')];
    const original = conntrackTuple(client, server, { number: 6, sourcePort: 1, destinationPort: 80 });
    const reply = conntrackTuple(server, client, { number: 6, sourcePort: 80, destinationPort: 1 });
    const packet = { source: client, destination: server, protocol: 6, destinationPort: 80 };
    expect(flowAt({ original, reply }, new Set([server]))).toEqual(packet);
  });
});

describe('which entries', () => {
  test.each([CLIENT, SERVICE, POD, NODE])('one with the address %i at any of its four ends', (address) => {
    expect(flowAt(entry(6), new Set([address]))).toBeDefined();
  });

  test('none without', () => {
    expect(flowAt(entry(6), new Set([ip('10.0.0.2')]))).toBeUndefined();
    expect(flowAt(entry(6), new Set())).toBeUndefined();
  });

  test.each<{ name: string; others: ConntrackInput }>([
    { name: 'the entry', others: { zone: 3 } },
    { name: 'its first direction', others: { original: { ...entry(6).original, zone: 3 } } },
    { name: 'its second direction', others: { reply: { ...entry(6).reply, zone: 3 } } },
  ])('none of another zone: of $name', ({ others }) => {
    expect(flowAt(entry(6, others), new Set([POD]))).toBeUndefined();
  });

  test('those that say that they are in zone 0', () => {
    expect(flowAt(entry(6, { zone: 0 }), new Set([POD]))).toBeDefined();
  });

  test('none without addresses', () => {
    expect(flowAt({}, new Set([POD]))).toBeUndefined();
    expect(flowAt(entry(6, { reply: { protocol: { number: 6 } } }), new Set([CLIENT]))).toBeUndefined();
    expect(flowAt(entry(6, { original: { ip: {} } }), new Set([POD]))).toBeUndefined();
  });
});
