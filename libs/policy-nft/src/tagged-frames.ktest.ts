/** A VLAN tag with the number 0 says nothing to the node, which takes the frame as any other. */
import { readFileSync } from 'node:fs';
import { createPolicyWorld, type PolicyWorld, waitFor } from '@canal/testing';
import { expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { endpointOf, GUARD, viewOf } from './testing/rules.ts';

/** Router advertisements to all nodes, each with such a tag. */
const sender = (mac: string, tag: string): string => `
import socket, struct
source = socket.inet_pton(socket.AF_INET6, 'fe80::bad')
target = socket.inet_pton(socket.AF_INET6, 'ff02::1')
body = struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0)
data = source + target + struct.pack('!IxxxB', len(body), 58) + body
total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
while total >> 16: total = (total & 0xffff) + (total >> 16)
body = body[:2] + struct.pack('!H', ~total & 0xffff) + body[4:]
packet = struct.pack('!IHBB', 6 << 28, len(body), 58, 255) + source + target + body
frame = bytes.fromhex('333300000001' + '${mac.replaceAll(':', '')}' + '${tag}' + '86dd') + packet
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
for _ in range(5): s.send(frame)
`;

function droppedAsSpoofed({ node }: PolicyWorld): number {
  const text = node.run(['nft', 'list', 'chain', 'bridge', 'canal-policy', 'spoofed']);
  return Number(/counter packets ([0-9]+)/.exec(text)?.[1]);
}

test.each([
  ['no tag', ''],
  ['IEEE 802.1Q', '81000000'],
  ['IEEE 802.1ad', '88a80000'],
  ['IEEE 802.1Q twice', '8100000081000000'],
  ['IEEE 802.1ad and then 802.1Q', '88a8000081000000'],
])('a pod on the bridge is no router, also behind a tag: %s', async (_, tag) => {
  using world = createPolicyWorld(1, 'bridge');
  const [pod] = world.pods;
  if (pod === undefined) throw new Error('1');
  const taken = (): number => {
    const text = world.node.within(() => readFileSync('/proc/thread-self/net/snmp6', 'utf8'));
    return Number(/Icmp6InRouterAdvertisements\s+([0-9]+)/.exec(text)?.[1]);
  };
  const send = (): void => void pod.netns.run(['python3', '-c', sender(pod.mac, tag)]);
  const kernel = createPolicyKernel({ netns: world.node.path });
  await kernel.resync(viewOf({ endpoints: [endpointOf(pod, { mode: 'bridge' })] }), GUARD);
  send();
  await waitFor('all to be dropped', () => droppedAsSpoofed(world) === 5);
  expect(taken()).toBe(0);
  await kernel.remove();
  send();
  await waitFor('all to be taken where nobody guards', () => taken() === 5);
  kernel.close();
});
