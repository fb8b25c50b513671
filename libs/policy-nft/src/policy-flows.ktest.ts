/** Flows and verdicts under the rules that ship: what a change denies is cut whoever speaks, and told. */
import type { PolicyKernel, VerdictRecord } from '@canal/kernel-port';
import { NETLINK_NETFILTER, openNetlinkConnection } from '@canal/linux-ffi';
import { PacketJudge, type RuleView } from '@canal/rules-ast';
import {
  createPolicyWorld,
  type FlowTalkers,
  NODE,
  OUTSIDE,
  type PolicyWorld,
  startFlowTalkers,
  type TalkOptions,
  type TestNetns,
  waitFor,
  type WorldPod,
} from '@canal/testing';
import { delConntrack, listConntrack } from 'netlink-ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { SERVICE } from './testing/one-service.ts';
import { chain, endpointOf, GUARD, ip, viewOf } from './testing/rules.ts';

const IN = 'in-00000000000a';

type Family = 'ip4' | 'ip6';
interface Place {
  readonly netns: TestNetns;
  readonly ip4: string;
  readonly ip6: string;
}

let world: PolicyWorld;
let talkers: FlowTalkers;
let kernel: PolicyKernel;
let a: WorldPod;
let b: WorldPod;

function flow(from: Place, to: Place, protocol: TalkOptions['protocol'], port: number, family: Family): TalkOptions {
  const ends = { client: from.netns, server: to.netns, source: from[family], listen: to[family] };
  return { protocol, ...ends, sourcePort: 4000 + port, port };
}

/** Pod b takes TCP to port 81 alone, or everything. */
function rules(isolated: boolean): RuleView {
  const ports = [{ protocol: 'TCP', ranges: [{ first: 81, last: 81 }] }] as const;
  return viewOf({
    endpoints: [endpointOf(a), endpointOf(b, isolated ? { ingress: IN } : {})],
    chains: isolated ? [chain(IN, { peer: { type: 'any' }, ports })] : [],
  });
}

async function change(isolated: boolean): Promise<{ cut: number; mended: number }> {
  const view = rules(isolated);
  await kernel.resync(view, GUARD);
  const judge = new PacketJudge(view, [NODE.ip4, NODE.ip6].map(ip));
  const { cut, mended } = await kernel.judgeFlows(
    new Set([b.ip4, b.ip6].map(ip)),
    (packet) => judge.judge(packet) === 'allowed',
  );
  return { cut, mended };
}

async function expectHeard(names: readonly string[], ms: number, isHeard: boolean): Promise<void> {
  const heard = await Promise.all(names.map((name) => talkers.hearFor(name, ms)));
  const told = heard.map(({ client, server }, at) => `${names[at] ?? ''} ${client > 0} ${server > 0}`);
  expect(told).toEqual(names.map((name) => `${name} ${isHeard} ${isHeard}`));
}

beforeEach(async () => {
  world = createPolicyWorld(2);
  talkers = startFlowTalkers();
  kernel = createPolicyKernel({ netns: world.node.path });
  const [first, second] = world.pods;
  if (first === undefined || second === undefined) throw new Error('2');
  [a, b] = [first, second];
  await kernel.resync(rules(false), GUARD);
});

afterEach(async () => {
  kernel.close();
  await talkers[Symbol.asyncDispose]();
  world[Symbol.dispose]();
});

describe.each(['ip4', 'ip6'] as const)('%s', (family) => {
  test('of the flows of a pod that is isolated, those that it may not take are cut, told, and mended', async () => {
    const outside = { netns: world.far, ...OUTSIDE };
    const node = { netns: world.node, ...NODE };
    const denied = {
      'tcp from outside': flow(outside, b, 'tcp', 80, family),
      'udp from outside': flow(outside, b, 'udp', 53, family),
      'tcp from a pod here': flow(a, b, 'tcp', 82, family),
      'udp from a pod here': flow(a, b, 'udp', 54, family),
    };
    const spared = {
      'to the open port': flow(outside, b, 'tcp', 81, family),
      'from the node': flow(node, b, 'tcp', 83, family),
      'to outside, tcp': flow(b, outside, 'tcp', 90, family),
      'to outside, udp': flow(b, outside, 'udp', 91, family),
      'of another pod': flow(a, outside, 'udp', 92, family),
    };
    for (const [name, options] of Object.entries({ ...denied, ...spared })) {
      await talkers.open(name, options);
      await talkers.speak(name, ['client', 'server']);
    }
    const [cutNames, sparedNames] = [Object.keys(denied), Object.keys(spared)];
    await expectHeard([...cutNames, ...sparedNames], 300, true);

    const abort = new AbortController();
    const records: VerdictRecord[] = [];
    const told = (async () => {
      for await (const record of kernel.verdicts(abort.signal)) records.push(record);
    })();

    const start = performance.now();
    expect(await change(true)).toEqual({ cut: 4, mended: 0 });
    expect(performance.now() - start).toBeLessThan(1000);
    await Bun.sleep(100);
    await expectHeard(cutNames, 1000, false);
    await expectHeard(sparedNames, 300, true);
    for (const name of cutNames) await talkers.speak(name, ['server']);
    await expectHeard(cutNames, 1000, false);

    const ofCut = (source: string, destination: string, protocol: number): VerdictRecord | undefined =>
      records.find(
        (record) =>
          record.reason === 'cut' &&
          record.source === ip(source) &&
          record.destination === ip(destination) &&
          record.protocol === protocol,
      );
    for (const protocol of [6, 17]) {
      expect(ofCut(OUTSIDE[family], b[family], protocol)).toMatchObject({ inInterface: 'eth0' });
      expect(ofCut(b[family], a[family], protocol)).toMatchObject({ inInterface: b.hostInterface });
    }
    abort.abort();
    await told;

    expect(await change(false)).toEqual({ cut: 0, mended: 4 });
    for (const name of cutNames) await talkers.speak(name, ['client', 'server']);
    // TCP waits before it sends again, up to twice as long as it was cut.
    await waitFor('the flows to go on', async () => {
      const heard = await Promise.all(cutNames.map((name) => talkers.hearFor(name, 200)));
      return heard.every(({ client, server }) => client > 0 && server > 0);
    });
  }, 30_000);

  test.each(['PREROUTING', 'FORWARD', 'POSTROUTING'])(
    'a program that writes the whole mark of flows (CONNMARK --set-mark in mangle %s) opens none that was cut',
    async (hook) => {
      const names = ['tcp', 'udp'] as const;
      for (const [index, protocol] of names.entries()) {
        await talkers.open(protocol, flow(a, b, protocol, 53 + index, family));
        await talkers.speak(protocol, ['client', 'server']);
      }
      const iptables = family === 'ip4' ? 'iptables-nft' : 'ip6tables-nft';
      world.node.run([iptables, '-t', 'mangle', '-A', hook, '-j', 'CONNMARK', '--set-mark', '1']);
      await expectHeard(names, 300, true);
      expect(await change(true)).toEqual({ cut: 2, mended: 0 });
      await Bun.sleep(100);
      await expectHeard(names, 1500, false);
      // And again: what was cut is so still.
      expect(await change(true)).toEqual({ cut: 0, mended: 0 });

      // The counter-proof: asked where all else is judged, the bit is gone before it is asked for.
      for (const name of ['cut-incoming', 'cut-own']) {
        world.node.run(['nft', 'flush', 'chain', 'inet', 'canal-policy', name]);
      }
      const question = 'insert rule inet canal-policy judge ct mark and 0x20000000 == 0x20000000 goto cut';
      world.node.run(['nft', ...question.split(' ')]);
      // TCP waits before it sends again, up to twice as long as it was cut.
      const goOn = async (): Promise<boolean> => {
        const heard = await Promise.all(names.map((name) => talkers.hearFor(name, 200)));
        return heard.every(({ client, server }) => client > 0 && server > 0);
      };
      await waitFor('the flows to go on', goOn, 20_000);
    },
    40_000,
  );

  test('a flow of the pod to its node that was cut stays cut when the node speaks', async () => {
    const toNode = flow(b, { netns: world.node, ...NODE }, 'udp', 53, family);
    await talkers.open('udp', toNode);
    await talkers.speak('udp', ['client', 'server']);
    await expectHeard(['udp'], 300, true);
    const EG = 'eg-00000000000a';
    const view = viewOf({ endpoints: [endpointOf(a), endpointOf(b, { egress: EG })], chains: [chain(EG)] });
    await kernel.resync(view, GUARD);
    const judge = new PacketJudge(view, [NODE.ip4, NODE.ip6].map(ip));
    const addresses = new Set([b.ip4, b.ip6].map(ip));
    expect(await kernel.judgeFlows(addresses, (packet) => judge.judge(packet) === 'allowed')).toMatchObject({ cut: 1 });
    await Bun.sleep(100);
    await expectHeard(['udp'], 500, false);
    await talkers.speak('udp', ['server']);
    await expectHeard(['udp'], 500, false);
    world.node.run(['nft', 'flush', 'chain', 'inet', 'canal-policy', 'cut-own']);
    expect((await talkers.hearFor('udp', 500)).client).toBeGreaterThan(5);
  });

  test('a cut packet to a Service is told with the pod behind it', async () => {
    const { ip4, ip6 } = SERVICE;
    const iptables = family === 'ip4' ? 'iptables-nft' : 'ip6tables-nft';
    const target = family === 'ip4' ? `${b.ip4}:53` : `[${b.ip6}]:53`;
    const dnat = ['-d', { ip4, ip6 }[family], '-p', 'udp', '-j', 'DNAT', '--to-destination', target];
    world.node.run([iptables, '-t', 'nat', '-A', 'PREROUTING', ...dnat]);
    const toService = { ...flow(a, b, 'udp', 53, family), target: { ip4, ip6 }[family], targetPort: 80 };
    await talkers.open('udp', toService);
    await talkers.speak('udp', ['client', 'server']);
    await expectHeard(['udp'], 300, true);
    const abort = new AbortController();
    const records: VerdictRecord[] = [];
    const told = (async () => {
      for await (const record of kernel.verdicts(abort.signal)) records.push(record);
    })();
    expect(await change(true)).toEqual({ cut: 1, mended: 0 });
    const from = (pod: WorldPod): VerdictRecord | undefined =>
      records.find(({ reason, source }) => reason === 'cut' && source === ip(pod[family]));
    await waitFor('records', () => from(a) !== undefined && from(b) !== undefined);
    expect(from(a)).toMatchObject({ destination: ip(b[family]), destinationPort: 53, inInterface: a.hostInterface });
    expect(from(b)).toMatchObject({ destination: ip(a[family]), destinationPort: 4053, inInterface: b.hostInterface });
    abort.abort();
    await told;
  });

  test('the counter-proof: a UDP flow whose entry is deleted is opened anew by its server', async () => {
    await talkers.open('udp', flow(a, b, 'udp', 53, family));
    await talkers.speak('udp', ['server']);
    await kernel.resync(rules(true), GUARD);
    using connection = openNetlinkConnection({ protocol: NETLINK_NETFILTER, netns: world.node.path });
    for (const { original } of listConntrack(connection)) {
      if (original?.protocol?.number === 17) connection.execute(delConntrack({ tuple: original }));
    }
    expect((await talkers.hearFor('udp', 500)).client).toBeGreaterThan(5);
  });
});
