import { readdirSync } from 'node:fs';
import { createTestNetns, type TestNetns, waitFor } from '@canal/testing';
import { addressInput, newAddress, newLink, NLM_F, RTM, RTNLGRP, setLink, WireWriter } from 'netlink-ts';
import { type InterfaceAddress, parseInterfaceAddress, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { check, libc } from './libc.ts';
import { openNetlinkConnection, openRtnetlinkMonitor } from './netlink-connection.ts';
import { openNetlinkEventSocket } from './netlink-event-socket.ts';
import { openNetlinkSocket } from './netlink-socket.ts';
import { closeFd, openSocket, SOCK } from './socket.ts';

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

function addresses(count: number): InterfaceAddress[] {
  return Array.from({ length: count }, (_, index) =>
    unwrap(parseInterfaceAddress(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32`)),
  );
}

const linkDump = (): Uint8Array => {
  const writer = new WireWriter();
  const mark = writer.beginMessage(RTM.GETLINK, NLM_F.REQUEST | NLM_F.DUMP, 1);
  writer.zeros(16);
  writer.endMessage(mark);
  return writer.written.slice();
};

test('a socket stays in the namespace that it was opened in', () => {
  using netns = createTestNetns('socket');
  netns.run(['ip', 'link', 'add', 'only-here', 'type', 'bridge']);
  using socket = openNetlinkSocket({ netns: netns.path });
  socket.send(linkDump());
  expect(Buffer.from(socket.receive()).includes('only-here')).toBe(true);
});

test('the port id is the one that answers carry', () => {
  using socket = openNetlinkSocket();
  socket.send(linkDump());
  expect(new Uint32Array(socket.receive().slice(0, 16).buffer)[3]).toBe(socket.portId);
});

test('a datagram larger than the buffer arrives whole', () => {
  using netns = createTestNetns('large');
  // One device whose description goes beyond what dumps usually fill: alternative names of 127 bytes.
  netns.run(['ip', 'link', 'add', 'big', 'type', 'bridge']);
  const names = Array.from({ length: 490 }, (_, index) => `${index}-`.padEnd(126, 'x'));
  netns.run(['ip', '-batch', '-'], {
    stdin: names.map((name) => `link property add dev big altname ${name}\n`).join(''),
  });
  using connection = openNetlinkConnection({ netns: netns.path });
  let length = 0;
  connection.exchange(
    'get link',
    (out, nextSequence) => {
      const mark = out.beginMessage(RTM.GETLINK, NLM_F.REQUEST, nextSequence());
      out.zeros(16);
      const attribute = out.beginAttribute(3);
      out.text('big\0');
      out.endAttribute(attribute);
      out.endMessage(mark);
    },
    (frame) => {
      length = frame.payloadEnd - frame.payloadStart;
      return true;
    },
  );
  expect(length).toBeGreaterThan(64 * 1024);
});

test('no answer is ETIMEDOUT after the given time', () => {
  using socket = openNetlinkSocket({ timeoutMs: 30 });
  expect(() => socket.receive()).toThrow(expect.objectContaining({ code: 'ETIMEDOUT' }));
});

test('closing gives the descriptor back, also of monitors whose read is under way', async () => {
  using netns = createTestNetns('close');
  const once = async (): Promise<void> => {
    openNetlinkSocket({ netns: netns.path })[Symbol.dispose]();
    const events = openNetlinkEventSocket({ netns: netns.path, groups: [RTNLGRP.LINK] });
    const read = events.read();
    events[Symbol.dispose]();
    expect(await read).toBeUndefined();
  };
  await once();
  const before = openDescriptors();
  for (let round = 0; round < 20; round++) await once();
  await waitFor('descriptors to be closed', () => openDescriptors() <= before);
});

test('events arrive whole and in order while many more come than one read takes', async () => {
  using netns = createTestNetns('burst');
  const abort = new AbortController();
  const monitor = openRtnetlinkMonitor({
    netns: netns.path,
    groups: [RTNLGRP.IPV4_IFADDR],
    signal: abort.signal,
    receiveBufferBytes: 64 * 1024 * 1024,
  });
  const wanted = addresses(5000);
  const errors = netns.netlink.batch(wanted.map((address) => newAddress(addressInput(1, address))));
  expect(errors.filter((error) => error !== undefined)).toEqual([]);
  const seen: unknown[] = [];
  for await (const event of monitor) {
    seen.push(event.type === 'address' ? event.address.local : event);
    if (seen.length === wanted.length) abort.abort();
  }
  expect(seen).toEqual(wanted.map(({ ip }) => ip));
});

test('lost events are one resync, and what happens after it is seen', async () => {
  using netns = createTestNetns('overrun');
  const abort = new AbortController();
  const monitor = openRtnetlinkMonitor({
    netns: netns.path,
    groups: [RTNLGRP.LINK, RTNLGRP.IPV4_IFADDR],
    signal: abort.signal,
    receiveBufferBytes: 4096,
  });
  // The event loop does not run during the batch, so nobody reads: the small buffer overflows for certain.
  netns.netlink.batch(addresses(1000).map((address) => newAddress(addressInput(1, address))));
  const before = openDescriptors();
  const seen: string[] = [];
  for await (const event of monitor) {
    if (event.type === 'resync') {
      seen.push(event.type);
      netns.netlink.execute(newLink({ name: 'after', info: { kind: 'bridge' } }));
    } else if (event.type === 'link') {
      seen.push(event.link.name ?? '');
      abort.abort();
    }
  }
  expect(seen).toEqual(['resync', 'after']);
  await waitFor('the overrun socket to be closed', () => openDescriptors() < before);
});

test('a monitor that is not read misses nothing that fits its buffer, from the moment it is made', async () => {
  using netns = createTestNetns('early');
  using monitor = openRtnetlinkMonitor({ netns: netns.path, groups: [RTNLGRP.LINK] });
  netns.netlink.execute(newLink({ name: 'early', info: { kind: 'bridge' } }));
  await new Promise((resolve) => setTimeout(resolve, 20));
  netns.netlink.execute(setLink({ name: 'early', alias: 'later' }));
  for await (const event of monitor) {
    expect(event).toMatchObject({ type: 'link', action: 'new', link: { name: 'early' } });
    break;
  }
});

test('another process cannot speak as the kernel: the socket is connected to port 0', () => {
  using netns = createTestNetns('forge');
  using victim = openNetlinkSocket({ netns: netns.path, timeoutMs: 50 });
  expect(() => forgeDatagram(netns, victim.portId)).toThrow(expect.objectContaining({ code: 'ECONNREFUSED' }));
  expect(() => victim.receive()).toThrow(expect.objectContaining({ code: 'ETIMEDOUT' }));
});

/** Sends to the port of another socket, as root of the same namespace may. */
function forgeDatagram(netns: TestNetns, portId: number): void {
  const AF_NETLINK = 16;
  const fd = netns.within(() => openSocket(AF_NETLINK, SOCK.RAW, 0));
  try {
    const address = new Uint32Array([AF_NETLINK, portId, 0]);
    const datagram = new Uint8Array(36);
    check('sendto', libc().sendto(fd, datagram, datagram.length, 0, address, address.byteLength));
  } finally {
    closeFd(fd);
  }
}
