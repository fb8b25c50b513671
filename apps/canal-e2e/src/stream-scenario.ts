/** What the scenarios under traffic share: a pod on each node, and the judgement at the end. */
import { expect } from 'vitest';
import type { Pod } from './pods.ts';
import type { ScenarioContext } from './scenario.ts';
import { describeTraffic, lostPackets, type Traffic } from './traffic-stream.ts';

/** A meter that came to sending less than this was no judge of a thousand packets a second. */
const RATE_MIN = 800;
/** Nor was one that slept this long: traffic could have been gone for as long, unseen. */
const STALL_MAX_MS = 1_000;

export async function podOnEachNode({ world, pods }: ScenarioContext): Promise<readonly Pod[]> {
  const nodes = await world.nodes();
  return await pods.create(nodes.map(({ name }, index) => ({ name: `stream-${index + 1}`, node: name })));
}

/** Ends the traffic and expects that nothing was lost; the note has the figures. */
export async function expectNoLoss(context: ScenarioContext, traffic: Traffic): Promise<void> {
  const report = await traffic.stop();
  const sent = report.streams.reduce((sum, stream) => sum + stream.sent, 0);
  const rate = `${report.streams.length} streams, ${report.packetsPerSecond.toFixed(0)}/s each`;
  context.note('packets lost', `${lostPackets(report)} of ${sent} (${rate}, ${report.seconds.toFixed(0)} s)`);
  const text = describeTraffic(report);
  const dropped = Object.entries(report.dropped).filter(([, count]) => count > 0);
  expect(dropped, `the meter itself dropped packets\n${text}`).toEqual([]);
  expect(lostPackets(report), text).toBe(0);
  expect(report.packetsPerSecond, text).toBeGreaterThan(RATE_MIN);
  expect(report.longestStallMs, text).toBeLessThan(STALL_MAX_MS);
}
