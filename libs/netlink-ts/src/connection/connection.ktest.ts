import { createTestNetns } from '@canal/testing';
import { type InterfaceAddress, parseInterfaceAddress, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { addressInput, listAddresses, newAddress } from '../address/requests.ts';
import { newLink } from '../link/requests.ts';
import { createNetlinkConnection } from './connection.ts';
import { isExists } from './netlink-error.ts';
import type { NetlinkTransport } from './transport.ts';

const addresses = (count: number): InterfaceAddress[] =>
  Array.from({ length: count }, (_, index) => unwrap(parseInterfaceAddress(`10.1.${index >> 8}.${index & 255}/32`)));

/** A transport that does something between two datagrams of an answer. */
function interrupted(transport: NetlinkTransport, between: (datagrams: number) => void): NetlinkTransport {
  let datagrams = 0;
  return {
    portId: transport.portId,
    sendBufferBytes: transport.sendBufferBytes,
    receiveBufferBytes: transport.receiveBufferBytes,
    send: (datagram) => {
      transport.send(datagram);
    },
    receive: () => {
      const datagram = transport.receive();
      between(++datagrams);
      return datagram;
    },
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

test('a dump that changes under way is begun anew and complete', () => {
  using netns = createTestNetns('interrupted');
  const wanted = addresses(3000);
  netns.netlink.batch(wanted.map((address) => newAddress(addressInput(1, address))));
  let interruptions = 0;
  const between = (datagrams: number): void => {
    if (datagrams !== 2) return;
    interruptions++;
    // Taken away and put back: the number is right, but what the dump has seen is not what is there.
    netns.run(['ip', 'addr', 'del', '10.1.0.0/32', 'dev', 'lo']);
    netns.run(['ip', 'addr', 'add', '10.1.0.0/32', 'dev', 'lo']);
  };
  let attempts = 0;
  using connection = createNetlinkConnection(() => interrupted(netns.openSocket(), between), {
    trace: (direction) => (attempts += direction === 'sent' ? 1 : 0),
  });
  const found = listAddresses(connection, { family: 4 }).filter(({ prefixLen }) => prefixLen === 32);
  expect(found).toHaveLength(wanted.length);
  expect(new Set(found.map(({ local }) => local)).size).toBe(wanted.length);
  expect([interruptions, attempts]).toEqual([1, 2]);
});

test('a dump that always changes is EINTR after the bounded number of attempts', () => {
  using netns = createTestNetns('restless');
  netns.netlink.batch(addresses(3000).map((address) => newAddress(addressInput(1, address))));
  let count = 0;
  const between = (): void => {
    netns.netlink.execute(newAddress(addressInput(1, unwrap(parseInterfaceAddress(`10.2.0.${count++}/32`)))));
  };
  using connection = createNetlinkConnection(() => interrupted(netns.openSocket(), between), {
    dumpAttempts: 3,
  });
  expect(() => listAddresses(connection, { family: 4 })).toThrow(expect.objectContaining({ code: 'EINTR' }));
});

test('thousands of refusals come through the smallest receive buffer that the kernel allows', () => {
  using netns = createTestNetns('tiny');
  const requests = addresses(2000).map((address) => newAddress(addressInput(1, address)));
  netns.netlink.batch(requests);
  using connection = createNetlinkConnection(() => netns.openSocket({ receiveBufferBytes: 1 }));
  expect(connection.limits.receiveBufferBytes).toBeLessThan(4096);
  expect(connection.batch(requests).filter(isExists)).toHaveLength(requests.length);
});

test('many large requests come through the smallest send buffer', () => {
  using netns = createTestNetns('small');
  using connection = createNetlinkConnection(() => netns.openSocket({ sendBufferBytes: 1 }));
  const requests = Array.from({ length: 50 }, (_, index) =>
    newLink({ name: `b${index}`, alias: 'x'.repeat(200), info: { kind: 'bridge' } }),
  );
  expect(connection.batch(requests).filter((error) => error !== undefined)).toEqual([]);
  expect(netns.json(['ip', '-j', 'link'])).toHaveLength(51);
});

test('without the bound on answers they are lost, and that is noticed', () => {
  using netns = createTestNetns('lost');
  const requests = addresses(2000).map((address) => newAddress(addressInput(1, address)));
  netns.netlink.batch(requests);
  const boastful = (): NetlinkTransport => {
    const transport = netns.openSocket({ receiveBufferBytes: 1, timeoutMs: 100 });
    return { ...interrupted(transport, () => undefined), receiveBufferBytes: 1 << 30 };
  };
  using connection = createNetlinkConnection(boastful);
  expect(() => connection.batch(requests)).toThrow(expect.objectContaining({ code: 'ENOBUFS' }));
});
