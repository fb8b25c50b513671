import { createTestNetns } from '@canal/testing';
import { expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { createPolicyWorld } from './testing/policy-world.ts';
import { addresses, addressPorts, blocks, chain, delta, endpointOf, GUARD, viewOf } from './testing/rules.ts';

const POD = { hostInterface: 'cnl00000000001', mac: '02:00:00:00:00:01', ip4: '10.244.1.11', ip6: 'fd00:10:244:1::b' };

const RULES = {
  endpoints: [endpointOf(POD as never, { ingress: 'in-000000000001', egress: 'eg-000000000001' })],
  chains: [
    chain(
      'in-000000000001',
      {
        peer: { type: 'any' },
        ports: [
          {
            protocol: 'TCP',
            ranges: [
              { first: 80, last: 80 },
              { first: 8000, last: 8080 },
            ],
          },
          { protocol: 'UDP', ranges: [] },
        ],
      },
      { peer: { type: 'addresses', set: 'ad-000000000001' }, ports: 'any' },
    ),
    chain(
      'eg-000000000001',
      { peer: { type: 'address-ports', set: 'ap-000000000001' }, ports: 'any' },
      {
        peer: { type: 'blocks', set: 'bl-000000000001', except: 'bl-000000000002' },
        ports: [{ protocol: 'SCTP', ranges: [{ first: 5, last: 5 }] }],
      },
    ),
  ],
  sets: [
    addresses('ad-000000000001', '10.244.1.12', '10.244.2.11', 'fd00:10:244:2::b'),
    addressPorts('ap-000000000001', ['10.244.2.11', 'UDP', 53], ['fd00:10:244:2::b', 'TCP', 443]),
    blocks('bl-000000000001', '0.0.0.0/0', '203.0.113.0/24', '2001:db8::/32', '2001:db9::/32'),
    blocks('bl-000000000002', '10.0.0.0/8', '11.0.0.0/8', '255.255.255.255/32'),
  ],
};

function generation(netns: { run: (argv: string[]) => string }): string {
  return netns.run(['nft', '--debug=netlink', 'list', 'tables']);
}

test('what was written is read back as it is, and nft lists it', async () => {
  using netns = createTestNetns('node');
  const kernel = createPolicyKernel({ netns: netns.path });
  expect(await kernel.isClosed()).toBe(false);
  const first = await kernel.resync(viewOf(RULES), { ...GUARD, allowSample: 16 });
  expect(first.writes).toBeGreaterThan(50);
  console.log(netns.run(['nft', 'list', 'ruleset']));
  expect(await kernel.isClosed()).toBe(true);
  const again = await kernel.resync(viewOf(RULES), { ...GUARD, allowSample: 16 });
  expect(again).toEqual({ writes: 0, differences: [] });
  expect(netns.json(['nft', '-j', 'list', 'ruleset'])).toMatchObject({});
  kernel.close();
});
