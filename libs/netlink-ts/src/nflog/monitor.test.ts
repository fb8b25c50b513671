import { describe, expect, test } from 'vitest';
import { createFakeEventPeer } from '../testing/fake-event-peer.ts';
import { encodeReply } from '../testing/fake-peer.ts';
import { NLMSG } from '../wire/message.ts';
import { nflogConfigCodec } from './config.ts';
import { createNflogMonitor, type NflogEvent, type NflogMonitorOptions, type NflogTransport } from './monitor.ts';
import { nflogPacketCodec } from './packet.ts';
import { capturedMessages } from '../testing/captured.ts';

const packet = (sequence: number, prefix = 'x'): Uint8Array =>
  encodeReply({ type: 0x0400 }, (writer) => nflogPacketCodec.encode(writer, { sequence, prefix }));
const refusal = (errno: number): Uint8Array =>
  encodeReply({ type: NLMSG.ERROR }, (writer) => {
    writer.u32(-errno);
    writer.zeros(16);
  });
const broken = Uint8Array.of(1, 2, 3);
const brokenPacket = encodeReply({ type: 0x0400 }, (writer) => writer.zeros(2));

function peer() {
  const events = createFakeEventPeer();
  const sent: Uint8Array[] = [];
  /** Open sockets at the moment of each opening: a group has one listener. */
  const openBefore: number[] = [];
  const open = (): NflogTransport => {
    openBefore.push(events.openTransports);
    const transport = events.open();
    return { ...transport, send: (datagram) => sent.push(datagram.slice()) };
  };
  return { ...events, transports: () => events.openTransports, open, sent, openBefore };
}

async function take(monitor: AsyncIterable<NflogEvent>, count: number): Promise<[number | undefined, number][]> {
  const seen: [number | undefined, number][] = [];
  for await (const event of monitor) {
    seen.push([event.packet.sequence, event.lost]);
    if (seen.length === count) break;
  }
  return seen;
}

const options: NflogMonitorOptions = { group: 20, copyBytes: 64 };

describe('an nflog monitor', () => {
  test('binds its group before anything is read, with numbers switched on', () => {
    const { open, sent } = peer();
    using _monitor = createNflogMonitor(open, { ...options, bufferBytes: 8192, threshold: 3, timeoutCentiseconds: 5 });
    const configs = sent.flatMap((datagram) =>
      capturedMessages(datagram.toHex()).map(({ source, payloadStart, payloadEnd }) =>
        nflogConfigCodec.decode(source, payloadStart, payloadEnd),
      ),
    );
    expect(configs).toMatchObject([
      {
        resourceId: 20,
        command: 1,
        flags: 1,
        mode: { copyRange: 64, copyMode: 2 },
        bufferBytes: 8192,
        threshold: 3,
        timeoutCentiseconds: 5,
      },
    ]);
  });

  test('gives packets in order and counts those whose numbers are missing', async () => {
    const { open, push, transports } = peer();
    const monitor = createNflogMonitor(open, options);
    push(Buffer.concat([refusal(0), packet(0), packet(1)]));
    push(packet(5));
    push(Buffer.concat([packet(6), packet(0xffff_ffff), packet(0)]));
    expect(await take(monitor, 6)).toEqual([
      [0, 0],
      [1, 0],
      [5, 3],
      [6, 0],
      [0xffff_ffff, 0xffff_fff8],
      [0, 0],
    ]);
    expect(transports()).toBe(0);
  });

  test('counts packets that are broken or behind broken ones', async () => {
    const { open, push } = peer();
    const monitor = createNflogMonitor(open, options);
    push(Buffer.concat([packet(0), brokenPacket, packet(2), broken]));
    push(packet(4));
    expect(await take(monitor, 3)).toEqual([
      [0, 0],
      [2, 1],
      [4, 1],
    ]);
  });

  test('does not decode what is not admitted, and counts it', async () => {
    const { open, push } = peer();
    let asked = 0;
    const monitor = createNflogMonitor(open, { ...options, admit: () => ++asked % 3 === 1 });
    push(Buffer.concat([0, 1, 2, 3, 4, 5, 6].map((sequence) => packet(sequence))));
    expect(await take(monitor, 3)).toEqual([
      [0, 0],
      [3, 2],
      [6, 2],
    ]);
  });

  test('an overrun ends the socket, then the group is bound anew, and something was lost', async () => {
    const { open, push, overrun, sent, openBefore, transports } = peer();
    const monitor = createNflogMonitor(open, options);
    const taken = take(monitor, 3);
    push(Buffer.concat([packet(0), packet(1)]));
    overrun();
    while (sent.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    push(packet(0));
    expect(await taken).toEqual([
      [0, 0],
      [1, 0],
      [0, 1],
    ]);
    expect(openBefore).toEqual([0, 0]);
    // Bind, unbind, bind, unbind.
    expect(sent.map((datagram) => datagram[24])).toEqual([1, 2, 1, 2]);
    expect(transports()).toBe(0);
  });

  test.each([
    { errno: 1, code: 'EPERM' },
    { errno: 16, code: 'EBUSY' },
  ])('a refusal ($code) ends the iteration with a NetlinkError', async ({ errno, code }) => {
    const { open, push, transports } = peer();
    const monitor = createNflogMonitor(open, options);
    push(refusal(errno));
    await expect(take(monitor, 1)).rejects.toMatchObject({ name: 'NetlinkError', code, operation: 'bind nflog group' });
    expect(transports()).toBe(0);
  });

  test('another failure of the socket is thrown', async () => {
    const { open, fail } = peer();
    const monitor = createNflogMonitor(open, options);
    fail('EIO');
    await expect(take(monitor, 1)).rejects.toMatchObject({ name: 'NetlinkError', code: 'EIO' });
  });

  test('ends with its signal, also while it waits or before it begins', async () => {
    for (const early of [true, false]) {
      const { open, transports } = peer();
      const abort = new AbortController();
      if (early) abort.abort();
      const monitor = createNflogMonitor(open, { ...options, signal: abort.signal });
      const taken = take(monitor, 1);
      if (!early) setTimeout(() => abort.abort(), 5);
      expect(await taken).toEqual([]);
      expect(transports()).toBe(0);
    }
  });
});
