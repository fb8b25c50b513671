/** The meter itself: it must see a loss of 200 ms as one, and must not take its own drops for the network's. */
import { connectNetns, createTestNetns, type TestNetns } from '@canal/testing';
import { expect, test } from 'vitest';
import { describeTraffic, lostPackets, startTraffic, type TrafficEndpoint } from './traffic-stream.ts';

interface Rig extends Disposable {
  readonly endpoints: readonly TrafficEndpoint[];
  readonly left: TestNetns;
}

function createRig(): Rig {
  const left = createTestNetns('left');
  const right = createTestNetns('right');
  connectNetns(
    { netns: left, name: 'a', addresses: ['10.0.0.1/24', 'fd00::1/64'] },
    { netns: right, name: 'b', addresses: ['10.0.0.2/24', 'fd00::2/64'] },
  );
  return {
    left,
    endpoints: [
      { name: 'left', netns: left.path, ips: ['10.0.0.1', 'fd00::1'] },
      { name: 'right', netns: right.path, ips: ['10.0.0.2', 'fd00::2'] },
    ],
    [Symbol.dispose]() {
      left[Symbol.dispose]();
      right[Symbol.dispose]();
    },
  };
}

test('an undisturbed network loses nothing, in both directions and families', async () => {
  using rig = createRig();
  await using traffic = await startTraffic(rig.endpoints);
  await Bun.sleep(1000);
  const report = await traffic.stop();
  expect(report.streams.map(({ from, to }) => `${from} -> ${to}`).toSorted()).toEqual([
    'left (IPv6) -> right',
    'left -> right',
    'right (IPv6) -> left',
    'right -> left',
  ]);
  expect(lostPackets(report), describeTraffic(report)).toBe(0);
  // A thousand, where the meter has a processor.
  for (const { sent } of report.streams) expect(sent).toBeGreaterThan(300);
  expect(Object.values(report.dropped)).toEqual([0, 0, 0, 0]);
});

test('a route that is gone for 200 ms is told as refused sends, and as a gap of that length', async () => {
  using rig = createRig();
  await using traffic = await startTraffic(rig.endpoints);
  await Bun.sleep(300);
  const beganMs = performance.now();
  rig.left.run(['ip', 'route', 'del', '10.0.0.0/24']);
  await Bun.sleep(200);
  rig.left.run(['ip', 'route', 'add', '10.0.0.0/24', 'dev', 'a', 'src', '10.0.0.1']);
  const outageMs = performance.now() - beganMs;
  await Bun.sleep(300);
  const report = await traffic.stop();
  const hit = report.streams.find(({ from }) => from === 'left');
  expect(hit?.lost, describeTraffic(report)).toBeGreaterThan(100);
  expect(hit?.refused).toEqual({ ENETUNREACH: hit?.lost });
  // To the next packet that arrives, which a meter without a processor sends later.
  expect(hit?.longestLossMs).toBeGreaterThan(150);
  expect(hit?.longestLossMs, describeTraffic(report)).toBeLessThan(outageMs + report.longestStallMs + 50);
  expect(report.streams.find(({ from }) => from === 'left (IPv6)')?.lost).toBe(0);
});

test('packets that the network drops on the way are lost though the sender could send them', async () => {
  using rig = createRig();
  await using traffic = await startTraffic(rig.endpoints);
  await Bun.sleep(300);
  rig.left.run([
    'nft',
    'add table ip e2e; add chain ip e2e in { type filter hook prerouting priority -300; policy drop; }',
  ]);
  await Bun.sleep(200);
  rig.left.run(['nft', 'delete table ip e2e']);
  await Bun.sleep(300);
  const report = await traffic.stop();
  const hit = report.streams.find(({ from }) => from === 'right');
  expect(hit?.lost, describeTraffic(report)).toBeGreaterThan(100);
  expect(hit?.refused).toEqual({});
  expect(lostPackets(report)).toBe(hit?.lost);
  expect(Object.values(report.dropped)).toEqual([0, 0, 0, 0]);
});

test('what finds no room in a socket of the meter is told apart', async () => {
  using rig = createRig();
  await using traffic = await startTraffic(rig.endpoints, { packetsPerSecond: 20_000, receiveBufferBytes: 1 });
  await Bun.sleep(500);
  const report = await traffic.stop();
  const dropped = Object.values(report.dropped).reduce((sum, count) => sum + count, 0);
  expect(dropped).toBeGreaterThan(0);
  expect(dropped).toBe(lostPackets(report));
});

test('endpoints between which nothing can be sent are no traffic', async () => {
  using rig = createRig();
  await expect(startTraffic(rig.endpoints.slice(0, 1))).rejects.toThrow('the traffic meter ended with 1');
  const apart = rig.endpoints.map((endpoint, index) => ({ ...endpoint, ips: endpoint.ips.slice(index, index + 1) }));
  await expect(startTraffic(apart)).rejects.toThrow('the traffic meter ended with 1');
});

test('endpoints that do not reach each other are named', async () => {
  using rig = createRig();
  rig.left.run(['ip', '-6', 'route', 'add', 'unreachable', 'fd00::2/128']);
  await expect(startTraffic(rig.endpoints, { flowingWithinMs: 500 })).rejects.toThrow(
    'no packet of left (IPv6) -> right',
  );
});
