/** The real program on a real kernel: what pods notice of it. */
import { NETWORK_POLICIES, PODS } from '@canal/store-port';
import { type TestNetns, waitFor } from '@canal/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentNode, createAgentNode, WEB_PORT } from './testing/agent-node.ts';
import { ingressPolicy } from './testing/test-cluster.ts';

/** Whether a request from there to the web pod is answered within half a second. */
async function reaches(from: TestNetns, { web }: AgentNode): Promise<boolean> {
  const url = `http://${web.address}:${WEB_PORT}/`;
  const curl = from.within(() =>
    Bun.spawn(['curl', '-s', '-m', '0.5', url], { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' }),
  );
  return (await new Response(curl.stdout).text()) === 'hello';
}

let world: AgentNode;

beforeEach(async () => {
  world = await createAgentNode();
});

afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function addBoth(): Promise<void> {
  for (const pod of [world.web, world.client]) {
    expect(await world.add(pod)).toEqual({ ok: true, value: { state: 'policed' } });
  }
}

describe('a running agent', () => {
  test('policies come, change and go; the node’s own traffic passes; an open stream is cut and mended', async () => {
    await world.start();
    expect(await reaches(world.client.netns, world)).toBe(false);
    await addBoth();
    expect(await reaches(world.client.netns, world)).toBe(true);
    const stream = world.client.netns.within(() =>
      Bun.spawn(['curl', '-sN', `http://${world.web.address}:${WEB_PORT}/stream`], {
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'ignore',
      }),
    );
    let received = 0;
    const reading = (async () => {
      for await (const piece of stream.stdout) received += piece.length;
    })();
    await waitFor('the stream', () => received > 10);
    await world.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await waitFor('isolation', async () => !(await reaches(world.client.netns, world)));
    expect(await reaches(world.netns, world)).toBe(true);
    await Bun.sleep(1_000);
    const atCut = received;
    await Bun.sleep(500);
    expect(received).toBe(atCut);
    const labels = { metadata: { labels: { may: 'web' } } };
    await world.store.mergePatch(PODS, 'client', labels, { namespace: 'default' });
    await waitFor('the way in', () => reaches(world.client.netns, world));
    await waitFor('the stream to go on', () => received > atCut, 10_000);
    stream.kill();
    await reading;
    expect(world.log()).not.toMatch(/"level":"error"/);
  }, 60_000);

  test('killed and started again: rules stay, and over an equal kernel nothing is written', async () => {
    await world.start();
    await addBoth();
    await world.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await waitFor('isolation', async () => !(await reaches(world.client.netns, world)));
    await world.kill();
    expect(await reaches(world.client.netns, world)).toBe(false);
    expect(await reaches(world.netns, world)).toBe(true);
    const generation = world.generation();
    await world.start();
    await Bun.sleep(300);
    expect(world.generation()).toBe(generation);
    expect(await reaches(world.client.netns, world)).toBe(false);
    // The number does count what is written.
    const late = {
      ...world.client.request.endpoint,
      containerId: 'late',
      hostInterface: 'cnllate',
      addresses: ['10.244.1.99'],
    };
    await world.ask({ op: 'add-endpoint', endpoint: late });
    expect(world.generation()).toBeGreaterThan(generation);
  }, 60_000);

  test('flushed by others: back within a second, with an Event; the kernel’s verdicts are told with their policies', async () => {
    await world.start();
    await addBoth();
    await world.store.create(NETWORK_POLICIES, ingressPolicy('web'));
    await waitFor('isolation', async () => !(await reaches(world.client.netns, world)));
    const record = await waitFor('a record', async () => {
      const [answer] = await followOnce();
      return answer?.ok === true && answer.value;
    });
    expect(record).toMatchObject({
      verdict: 'deny',
      direction: 'ingress',
      source: { pod: { name: 'client' } },
      destination: { pod: { name: 'web' }, port: WEB_PORT },
      protocol: 'TCP',
      isolatedBy: ['default/web'],
    });
    const chains = (): number => world.netns.run(['nft', 'list', 'ruleset']).split('chain ').length - 1;
    const before = chains();
    expect(before).toBeGreaterThan(5);
    world.netns.run(['nft', 'flush', 'ruleset']);
    const startedMs = performance.now();
    await waitFor('the repair', () => chains() === before, 1_000);
    process.stderr.write(`repaired after ${Math.round(performance.now() - startedMs)} ms\n`);
    expect(await reaches(world.client.netns, world)).toBe(false);
    await waitFor('the metric', () =>
      /canal_dataplane_drift_repairs_total\{kind="policy-rule"\} [1-9]/.test(world.probe('/metrics').body),
    );

    function followOnce() {
      return world.ask({ op: 'flows', follow: false, last: 1, denied: true }).then(
        (answer) => [answer],
        () => [],
      );
    }
  }, 60_000);
});
