import { type ContractRig, describeNetworkKernel } from '@canal/kernel-contract';
import type { InterfaceFacts } from '@canal/kernel-port';
import { parseCidr, parseInterfaceAddress, parseInterfaceName, parseIp, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { FakeKernel } from './fake-kernel.ts';

describeNetworkKernel('FakeKernel', () => Promise.resolve(rig()));

function rig(): ContractRig {
  const kernel = machine();
  return {
    kernel,
    bySomebodyElse: (...operations) => {
      kernel.bySomebodyElse(...operations);
      return Promise.resolve();
    },
    dispose: () => Promise.resolve(),
  };
}

function machine(): FakeKernel {
  const kernel = new FakeKernel();
  kernel.addInterface({ ...interfaceOf('lo', [], []), loopback: true });
  kernel.addInterface(interfaceOf('eth0', ['192.0.2.1/24', '2001:db8::1/64'], ['192.0.2.0/24', '2001:db8::/64']));
  kernel.addInterface(interfaceOf('eth1', ['203.0.113.1/24'], ['203.0.113.0/24']));
  const link = unwrap(parseInterfaceName('eth0'));
  kernel.defaultRoutes = [
    { family: 4, link, gateway: unwrap(parseIp('192.0.2.254')), metric: 0 },
    { family: 6, link, gateway: unwrap(parseIp('2001:db8::fe')), metric: 1024 },
  ];
  return kernel;
}

function interfaceOf(name: string, addresses: readonly string[], networks: readonly string[]): InterfaceFacts {
  const facts = { linkScope: false, permanent: true, temporary: false, deprecated: false, tentative: false };
  return {
    name: unwrap(parseInterfaceName(name)),
    up: true,
    carrier: true,
    loopback: false,
    pointToPoint: false,
    mtuBytes: 1500,
    addresses: addresses.map((text) => ({ address: unwrap(parseInterfaceAddress(text)), ...facts })),
    onLinkNetworks: networks.map((text) => unwrap(parseCidr(text))),
  };
}

test('failNext refuses as often as asked, then performs; what is refused is not written down', async () => {
  const kernel = machine();
  kernel.failNext('route-add', 'EINTR', 2);
  const route = {
    protocol: 203,
    destination: unwrap(parseCidr('10.244.1.0/24')),
    metric: 0,
    target: { type: 'blackhole' },
  } as const;
  const results: string[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    const [result] = await kernel.apply([{ type: 'route-add', route }]);
    results.push(result?.ok === false ? result.error.code : 'ok');
  }
  expect(results).toEqual(['EINTR', 'EINTR', 'ok']);
  expect(kernel.written).toHaveLength(1);
});

test('lost events are a resync', async () => {
  const kernel = machine();
  const stop = new AbortController();
  const scope = { links: () => true, routeProtocols: [], networks: [] };
  const events = kernel.monitor(scope, stop.signal)[Symbol.asyncIterator]();
  await events.next();
  kernel.loseEvents();
  expect((await events.next()).value).toEqual({ type: 'resync' });
  stop.abort();
});
