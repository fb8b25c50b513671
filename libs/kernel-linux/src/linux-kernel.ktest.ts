import { type ContractRig, describeNetworkKernel } from '@canal/kernel-contract';
import { connectNetns, createTestNetns, type TestNetns } from '@canal/testing';
import { type InterfaceName, parseCidr, parseInterfaceName, unwrap } from 'net-types';
import { expect, test } from 'vitest';
import { createLinuxKernel } from './linux-kernel.ts';

describeNetworkKernel('LinuxKernel', () => Promise.resolve(rig()));

function rig(): ContractRig & { readonly node: TestNetns } {
  const node = createTestNetns('node');
  const wire = createTestNetns('wire');
  connectNetns(
    { netns: node, name: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
    { netns: wire, name: 'w0' },
  );
  connectNetns({ netns: node, name: 'eth1', addresses: ['203.0.113.1/24'] }, { netns: wire, name: 'w1' });
  node.run(['ip', 'route', 'add', 'default', 'via', '192.0.2.254']);
  node.run(['ip', '-6', 'route', 'add', 'default', 'via', '2001:db8::fe']);
  const kernel = createLinuxKernel({ netns: node.path });
  const other = createLinuxKernel({ netns: node.path });
  return {
    node,
    kernel,
    bySomebodyElse: async (...operations) => {
      for (const result of await other.apply(operations)) expect(result).toEqual({ ok: true });
    },
    dispose: () => {
      kernel.close();
      other.close();
      node[Symbol.dispose]();
      wire[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

test('a namespace that is not there, and a file that is none, are errors with a code', () => {
  const thrown = (path: string): unknown => {
    try {
      createLinuxKernel({ netns: path }).close();
      return undefined;
    } catch (error) {
      return error;
    }
  };
  expect(thrown('/run/netns/there-is-none')).toMatchObject({ name: 'KernelError', code: 'namespace' });
  expect(thrown('/etc/hostname')).toMatchObject({ name: 'KernelError', code: 'namespace' });
});

test('what others route in our place is told in words: multipath, unreachable, by a device alone', async () => {
  await using made = disposable(rig());
  const run = (...argv: string[]): string => made.node.run(argv);
  run('ip', 'route', 'add', '10.244.2.0/24', 'nexthop', 'via', '192.0.2.2', 'nexthop', 'dev', 'eth1');
  run('ip', 'route', 'add', 'unreachable', '10.244.3.0/24');
  run('ip', 'route', 'add', '10.244.4.0/24', 'dev', 'eth1');
  run('ip', 'route', 'add', '10.244.5.0/24', 'via', 'inet6', 'fe80::1', 'dev', 'eth0');
  const destinations = [2, 3, 4, 5].map((number) => unwrap(parseCidr(`10.244.${number}.0/24`)));
  const scope = { links: () => false, routeProtocols: [203], foreignDestinations: destinations };
  const { routes } = await made.kernel.readSnapshot(scope);
  const [eth0, eth1] = [link('eth0'), link('eth1')];
  expect(routes.map(({ target }) => target)).toEqual([
    { type: 'other', text: 'via 192.0.2.2 dev eth0 dev eth1', links: [eth0, eth1] },
    { type: 'other', text: 'unreachable', links: [] },
    { type: 'link', link: eth1 },
    { type: 'other', text: 'via fe80::1 dev eth0', links: [eth0] },
  ]);
});

test('the monitor passes over its own routes, and what concerns neither our devices nor our networks', async () => {
  await using made = disposable(rig());
  const stop = new AbortController();
  const scope = { links: () => false, routeProtocols: [203], networks: [unwrap(parseCidr('10.244.0.0/16'))] };
  const events = made.kernel.monitor(scope, stop.signal)[Symbol.asyncIterator]();
  await events.next();
  const destination = unwrap(parseCidr('10.244.1.0/24'));
  const route = { protocol: 203, destination, metric: 7, target: { type: 'blackhole' } } as const;
  await made.kernel.apply([{ type: 'route-add', route }]);
  made.node.run(['ip', 'route', 'add', 'blackhole', '172.31.0.0/16']);
  made.node.run(['ip', 'neigh', 'add', '192.0.2.99', 'lladdr', '02:00:00:00:00:99', 'dev', 'eth0', 'nud', 'permanent']);
  made.node.run(['ip', 'nexthop', 'add', 'id', '7', 'dev', 'eth0']);
  made.node.run(['ip', 'route', 'add', 'blackhole', '10.244.9.0/24']);
  const next = await events.next();
  expect(next.value).toEqual({ type: 'changed', changes: new Set(['foreign-route']) });
  stop.abort();
});

function link(text: string): InterfaceName {
  return unwrap(parseInterfaceName(text));
}

function disposable(made: ReturnType<typeof rig>): ReturnType<typeof rig> & AsyncDisposable {
  return { ...made, [Symbol.asyncDispose]: () => made.dispose() };
}
