/** Changes under traffic: the backend node by node, the MTU, the MAC, the public address. Packets are the judge. */
import type { NetConf } from '@canal/model';
import { createLinuxKernel } from '@canal/kernel-linux';
import type { Clock } from '@canal/runtime-port';
import { createCapturedLogger, createNodeWorld, type NodeWorld, waitFor, type WorldNode } from '@canal/testing';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BackendName, confOf, introduce, LINGER_MS, TestAgent } from './testing/test-agent.ts';

let stack = new DisposableStack();
let world: NodeWorld;
let agents: [TestAgent, TestAgent];

beforeEach(() => {
  stack = new DisposableStack();
  world = stack.use(createNodeWorld());
  agents = [
    stack.use(testAgent(world.nodes[0], 'vxlan', [4, 6])),
    stack.use(testAgent(world.nodes[1], 'vxlan', [4, 6])),
  ];
});
afterEach(() => {
  stack.dispose();
});

async function converge(): Promise<void> {
  await introduce(agents);
  for (const agent of agents) expect((await agent.turn()).failures).toEqual([]);
}

interface Probe {
  answers(): number;
  /** `lost`: unanswered though a later one was answered. `late`: unanswered behind the last answer. */
  stop(): Promise<{ sent: number; lost: number; late: number }>;
}

/** A ping every 2 ms from pod to pod until it is stopped. */
function ping(from: WorldNode, target: string): Probe {
  const { process } = from.pod.within(() => ({
    process: Bun.spawn(['ping', '-n', '-i', '0.002', '-W', '1', target], { stdout: 'pipe', stderr: 'pipe' }),
  }));
  let text = '';
  // Read all the time: a full pipe would hold the program up.
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of process.stdout) text += decoder.decode(chunk, { stream: true });
  })();
  return {
    answers: () => text.split(' bytes from ').length - 1,
    stop: async () => {
      process.kill('SIGINT');
      await reading;
      const [, sent] = /(\d+) packets transmitted/.exec(text) ?? [];
      if (sent === undefined) throw new Error(`ping said: ${text}`);
      const answered = new Set([...text.matchAll(/ bytes from .*icmp_seq=(\d+)/g)].map(([, number]) => Number(number)));
      const last = Math.max(0, ...answered);
      return { sent: Number(sent), lost: last - answered.size, late: Number(sent) - last };
    },
  };
}

const pause = (ms: number): Promise<void> => setTimeout(ms);

/** Runs the steps while pods of both nodes ping each other over both families; nothing may be lost. */
async function underTraffic(title: string, ...steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  await converge();
  const [one, two] = world.nodes;
  const targets = [
    { from: one, target: '10.244.2.5' },
    { from: two, target: '10.244.1.5' },
    { from: one, target: 'fd00:10:244:2::5' },
    { from: two, target: 'fd00:10:244:1::5' },
  ];
  // Until duplicate detection and neighbour discovery of the fresh underlay are over.
  for (const { from, target } of targets) from.pod.run(['ping', '-c3', '-i0.3', '-W3', target]);
  const probes = targets.map(({ from, target }) => ping(from, target));
  const moreAnswers = async (): Promise<void> => {
    const before = probes.map((probe) => probe.answers());
    await waitFor('answers', () => probes.every((probe, at) => probe.answers() > (before[at] ?? 0) + 20), 10_000);
  };
  await moreAnswers();
  for (const step of steps) {
    await step();
    await pause(200);
  }
  await moreAnswers();
  const counts = await Promise.all(probes.map((probe) => probe.stop()));
  process.stderr.write(`${title}: ${counts.map(({ sent, lost }) => `${lost} of ${sent}`).join(', ')} lost\n`);
  for (const { sent, lost, late } of counts) {
    expect(sent).toBeGreaterThan(20);
    expect(lost).toBe(0);
    // Under way when it was stopped.
    expect(late).toBeLessThan(50);
  }
}

function use(agent: TestAgent, conf: NetConf): () => Promise<void> {
  return async () => {
    agent.conf = conf;
    await agent.turn();
  };
}

/** The others hear of it, one after the other, as a watch delivers it. */
async function announce(): Promise<void> {
  const announcements = await Promise.all(agents.map(async (agent) => (await agent.compile()).announcement));
  for (const agent of agents) {
    agent.peers = announcements;
    await agent.turn();
    await pause(30);
  }
}

describe('no packet is lost', () => {
  test('vxlan to host-gw, node by node, and back', async () => {
    const [one, two] = agents;
    await underTraffic(
      'vxlan → host-gw → vxlan',
      use(one, confOf('host-gw')),
      announce,
      use(two, confOf('host-gw')),
      announce,
      use(two, confOf('vxlan')),
      announce,
      use(one, confOf('vxlan')),
      announce,
    );
    for (const { netns } of world.nodes.slice(0, 2)) expect(netns.run(['ip', 'link'])).toContain('flannel.1');
  });

  test('when both have changed, and everybody has had the time to hear of it, the device goes', async () => {
    const [one, two] = agents;
    await underTraffic(
      'vxlan → host-gw',
      use(one, confOf('host-gw')),
      announce,
      use(two, confOf('host-gw')),
      announce,
      () => pause(LINGER_MS),
      () => Promise.all(agents.map((agent) => agent.turn())),
    );
    for (const { netns } of world.nodes.slice(0, 2)) expect(netns.run(['ip', 'link'])).not.toContain('flannel');
  });

  test('DirectRouting switched on and off', async () => {
    const [one, two] = agents;
    await underTraffic(
      'DirectRouting',
      use(one, confOf('direct')),
      use(two, confOf('direct')),
      use(one, confOf('vxlan')),
      use(two, confOf('vxlan')),
    );
  });

  test('the MTU changed in net-conf.json reaches the device that is there', async () => {
    const [one] = agents;
    await underTraffic('MTU', use(one, confOf('vxlan', { mtuBytes: 1400 })));
    expect(world.nodes[0].netns.run(['ip', 'link', 'show', 'flannel.1'])).toContain('mtu 1350');
    expect(world.nodes[0].netns.run(['ip', 'link', 'show', 'flannel-v6.1'])).toContain('mtu 1330');
  });

  test('an agent that restarts with nothing changed writes nothing', async () => {
    await underTraffic('restart', async () => {
      const again = stack.use(testAgent(world.nodes[0], 'vxlan', [4, 6]));
      again.peers = agents[0].peers;
      expect((await again.turn()).performed).toEqual([]);
    });
  });
});

test('the MTU of the external interface is followed', async () => {
  await converge();
  const [node] = world.nodes;
  node.netns.run(['ip', 'link', 'set', 'eth0', 'mtu', '1420']);
  await agents[0].turn();
  expect(node.netns.run(['ip', 'link', 'show', 'flannel.1'])).toContain('mtu 1370');
  node.netns.run(['ip', 'link', 'set', 'eth0', 'mtu', '1500']);
  await agents[0].turn();
  expect(node.netns.run(['ip', 'link', 'show', 'flannel.1'])).toContain('mtu 1450');
});

test('a changed address is followed on both sides: the device sends from it, the peer sends to it', async () => {
  await converge();
  const [one, two] = world.nodes;
  one.netns.run(['ip', 'addr', 'del', '192.0.2.1/24', 'dev', 'eth0']);
  one.netns.run(['ip', 'addr', 'add', '192.0.2.77/24', 'dev', 'eth0']);
  one.netns.run(['ip', 'route', 'replace', 'default', 'via', '192.0.2.254']);
  await introduce(agents);
  const changed = await Promise.all(agents.map((agent) => agent.turn()));
  expect(changed[0]?.performed.map(({ type }) => type)).toContain('link-change');
  expect(changed[1]?.performed.map(({ type }) => type)).toEqual(['fdb-set']);
  expect(one.netns.run(['ip', '-d', 'link', 'show', 'flannel.1'])).toContain('local 192.0.2.77');
  one.pod.run(['ping', '-c2', '-i0.1', '-W2', '10.244.2.5']);
  two.pod.run(['ping', '-c2', '-i0.1', '-W2', '10.244.1.5']);
});

test('another port needs another device: made anew in one pass, with all that was on it', async () => {
  await converge();
  for (const agent of agents) {
    if (agent.conf.backend.type !== 'vxlan') continue;
    agent.conf = { ...agent.conf, backend: { ...agent.conf.backend, gbp: true } };
    expect(await agent.turn()).toMatchObject({ failures: [], conflicts: [] });
    expect((await agent.turn()).performed).toEqual([]);
  }
  const [one] = world.nodes;
  expect(one.netns.run(['ip', '-d', 'link', 'show', 'flannel.1'])).toContain('gbp');
  one.pod.run(['ping', '-c2', '-i0.1', '-W2', '10.244.2.5']);
});

const CLOCK: Clock = {
  nowMs: () => performance.now(),
  sleep: (delayMs, signal) => setTimeout(delayMs, undefined, signal === undefined ? {} : { signal }),
};

function testAgent(node: WorldNode, backend: BackendName, families: readonly (4 | 6)[]): TestAgent {
  const kernel = createLinuxKernel({ netns: node.netns.path });
  return new TestAgent({ kernel, clock: CLOCK, log: createCapturedLogger() }, node, backend, families);
}
