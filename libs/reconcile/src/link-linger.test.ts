import type { NetworkSnapshot, NetworkState } from '@canal/model';
import { EMPTY_STATE } from '@canal/network-compile';
import { createFakeClock } from '@canal/testing';
import { type InterfaceName, parseInterfaceName, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { createLinkLinger } from './link-linger.ts';

const FLANNEL = unwrap(parseInterfaceName('flannel.1'));

const having = (...names: InterfaceName[]): NetworkSnapshot => ({
  links: names.map((name) => ({ name, up: true, carrier: true, loopback: false, mtuBytes: 1450 })),
  addresses: [],
  neighbours: [],
  proxies: [],
  fdb: [],
  nexthops: [],
  routes: [],
  sysctls: [],
});
const wanting = (...names: InterfaceName[]): NetworkState => ({
  ...EMPTY_STATE,
  links: names.map((name) => ({ name })) as unknown as NetworkState['links'],
});

test('a device stays for the time after its last need, then not', async () => {
  const clock = createFakeClock();
  const linger = createLinkLinger(clock, 1_000);
  expect([...linger.keep(wanting(FLANNEL), having(FLANNEL))]).toEqual([]);
  await clock.advance(10_000);
  expect([...linger.keep(wanting(), having(FLANNEL))]).toEqual([FLANNEL]);
  await clock.advance(999);
  expect([...linger.keep(wanting(), having(FLANNEL))]).toEqual([FLANNEL]);
  await clock.advance(1);
  expect([...linger.keep(wanting(), having(FLANNEL))]).toEqual([]);
});

test('a need in between begins the time anew, and so does another device of that name', async () => {
  const clock = createFakeClock();
  const linger = createLinkLinger(clock, 1_000);
  linger.keep(wanting(), having(FLANNEL));
  await clock.advance(900);
  linger.keep(wanting(FLANNEL), having(FLANNEL));
  expect([...linger.keep(wanting(), having(FLANNEL))]).toEqual([FLANNEL]);
  await clock.advance(900);
  expect([...linger.keep(wanting(), having(FLANNEL))]).toEqual([FLANNEL]);
  linger.keep(wanting(), having());
  await clock.advance(900);
  expect([...linger.keep(wanting(), having(FLANNEL))]).toEqual([FLANNEL]);
});
