/**
 * Kernels that lack something. In what is asked of this one the thing that shall be lacking has a name or number that no kernel
 * knows; so the answers are the kernel's own.
 */
import type * as linuxFfi from '@canal/linux-ffi';
import { NFPROTO, type NetlinkTransport } from 'netlink-ts';
import { afterEach, expect, test, vi } from 'vitest';
import { probeKernel } from './kernel-probes.ts';

const lacking = vi.hoisted(() => ({ families: new Set<number>(), expression: '', device: '' }));

vi.mock('@canal/linux-ffi', async (original) => {
  const real = await original<typeof linuxFfi>();
  const { createNetlinkConnection } = await import('netlink-ts');
  const NFTABLES = 10;
  /** Nobody's number. */
  const NO_FAMILY = 4;

  /** Messages: length, type (two bytes), flags, sequence, port, family. */
  function spoilt(datagram: Uint8Array, word: string): Uint8Array {
    const bytes = datagram.slice();
    const view = new DataView(bytes.buffer);
    for (let at = 0, length = 0; at + 20 <= bytes.length; at += (length + 3) & ~3) {
      length = view.getUint32(at, true);
      const isNft = view.getUint16(at + 4, true) >>> 8 === NFTABLES;
      if (isNft && lacking.families.has(bytes[at + 16] ?? 0)) bytes[at + 16] = NO_FAMILY;
    }
    const place = word === '' ? -1 : Buffer.from(bytes.buffer).indexOf(`${word}\0`);
    if (place >= 0) bytes.fill('x'.charCodeAt(0), place, place + word.length);
    return bytes;
  }

  function open(options: Parameters<typeof real.openNetlinkSocket>[0]): NetlinkTransport {
    const socket = real.openNetlinkSocket(options);
    const { portId, sendBufferBytes, receiveBufferBytes } = socket;
    return {
      portId,
      sendBufferBytes,
      receiveBufferBytes,
      send: (datagram) =>
        socket.send(spoilt(datagram, options?.protocol === undefined ? lacking.device : lacking.expression)),
      receive: () => socket.receive(),
      [Symbol.dispose]: () => socket[Symbol.dispose](),
    };
  }
  const openNetlinkConnection: typeof real.openNetlinkConnection = (options) =>
    createNetlinkConnection(() => open(options));
  const openKnownConnection: typeof real.openKnownConnection = (options) => ({
    connection: openNetlinkConnection(options),
    isOwnPort: () => false,
  });
  return { ...real, openNetlinkConnection, openKnownConnection };
});

afterEach(() => {
  lacking.families.clear();
  lacking.expression = '';
  lacking.device = '';
});

async function troubles(backend: 'vxlan' | 'host-gw' = 'vxlan'): Promise<readonly string[]> {
  const found = (await probeKernel(backend)).filter(({ verdict }) => verdict !== 'ok');
  for (const { cause = '', next = '' } of found) expect([cause, next]).not.toContain('');
  return found.map(({ id, verdict }) => `${id}: ${verdict}`);
}

test('this one lacks nothing', async () => {
  expect(await troubles()).toEqual([]);
});

test.each([
  ['inet', NFPROTO.INET, ['nft-network: fail', 'nft-policy: fail']],
  ['arp', NFPROTO.ARP, ['nft-arp: warn']],
  ['bridge', NFPROTO.BRIDGE, ['nft-bridge: warn']],
])('without the family %s', async (_name, family, expected) => {
  lacking.families.add(family);
  expect(await troubles()).toEqual(expected);
});

test.each([
  ['vxlan', ['device-vxlan: fail']],
  ['veth', ['device-veth: fail']],
  ['bridge', ['device-bridge: warn']],
])('without devices of kind %s', async (kind, expected) => {
  lacking.device = kind;
  expect(await troubles()).toEqual(expected);
});

test.each([
  ['masq', ['nft-network: fail']],
  ...['fib', 'numgen', 'limit', 'log', 'ct'].map((name) => [name, ['nft-policy: fail']] as const),
] as const)('without the expression %s', async (name, expected) => {
  lacking.expression = name;
  expect(await troubles()).toEqual(expected);
});

test('vxlan devices are no matter where vxlan is not used', async () => {
  lacking.device = 'vxlan';
  expect(await troubles('host-gw')).toEqual(['device-vxlan: warn']);
});
