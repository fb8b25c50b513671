/** A pod that gets the address of another: nothing of the other's flows reaches it once ADD has ended. */
import type { AgentAnswer, AgentRequest, EndpointMessage } from '@canal/agent-protocol';
import { NETWORK_POLICIES, PODS } from '@canal/store-port';
import { waitFor } from '@canal/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AgentNode, createAgentNode, NODE_NAME } from './testing/agent-node.ts';
import { ingressPolicy } from './testing/test-cluster.ts';

const PORT = 9_999;
/** Sends a datagram a millisecond from one port: one flow. */
const SENDER = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', 5555))
while True:
    try: s.sendto(b'.', (sys.argv[1], ${PORT}))
    except OSError: pass
    time.sleep(0.001)
`;

/** Answers, without which no flow is established, and prints when the kernel took in each datagram: ms since the epoch. */
const RECEIVER = `
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 35, 1) # SO_TIMESTAMPNS
s.bind(('', ${PORT}))
while True:
    data, ancillary, _, peer = s.recvmsg(16, 64)
    seconds, nanoseconds = struct.unpack('qq', ancillary[0][2])
    try: s.sendto(data, peer)
    except OSError: pass
    print(seconds * 1000 + nanoseconds / 1e6, flush=True)
`;

let node: AgentNode;
let children: Bun.Subprocess[];
/** Of the datagrams that have reached the pod behind the address. */
let arrivals: number[];

beforeEach(async () => {
  arrivals = [];
  node = await createAgentNode();
  const receiver = node.web.netns.within(() => Bun.spawn(['python3', '-c', RECEIVER], { stdout: 'pipe' }));
  children = [receiver];
  void collect(receiver.stdout);
  await node.start();
  // `web` is not recorded: for an agent that is started anew it is gone.
  await node.ask(node.web.request);
  await node.add(node.client);
  const send = ['python3', '-c', SENDER, node.web.address];
  children.push(node.client.netns.within(() => Bun.spawn(send)));
  await waitFor('the flow', () => arrivals.length > 100);
});

afterEach(async () => {
  for (const child of children) child.kill();
  for (const child of children) await child.exited;
  await node[Symbol.asyncDispose]();
});

async function collect(output: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
  let rest = '';
  for await (const chunk of output.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    arrivals.push(...lines.map(Number));
  }
}

const epochMs = (): number => performance.timeOrigin + performance.now();

/** How many come after that moment, of a thousand that are sent. */
async function arriveAfter(momentMs: number): Promise<number> {
  await Bun.sleep(1_000);
  return arrivals.filter((atMs) => atMs > momentMs).length;
}

async function createIsolatedPod(name: string): Promise<string> {
  const { metadata } = await node.store.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: 'isolated' } },
    spec: { nodeName: NODE_NAME, containers: [{ name: 'c', image: 'i' }] },
  });
  return metadata.uid ?? '';
}

/** By default in the place of `web`, with another sandbox: what the rules know it by is its address. */
function heir(uid: string, place: Partial<EndpointMessage> = {}): AgentRequest {
  const { endpoint } = node.web.request;
  const pod = { namespace: 'default', name: 'heir', uid };
  return { op: 'add-endpoint', endpoint: { ...endpoint, containerId: 'heir', pod, ...place } };
}

async function timed(request: AgentRequest): Promise<{ readonly answer: AgentAnswer; readonly ms: number }> {
  const startedMs = performance.now();
  const answer = await node.ask(request);
  return { answer, ms: Math.round(performance.now() - startedMs) };
}

const judgements = (): number =>
  Number(/apply_seconds_count\{operation="flows"\} (\d+)/.exec(node.probe('/metrics').body)?.[1] ?? 0);

test('its flows are cut before ADD ends; with a fresh address ADD waits for no judgement', async () => {
  await node.store.create(NETWORK_POLICIES, ingressPolicy('isolated'));
  const uid = await createIsolatedPod('heir');
  await waitFor('the policy', async () => {
    const answer = await node.ask({ op: 'policies' });
    return answer.ok && (answer.value as unknown[]).length === 1;
  });
  // What came before has been judged.
  await Bun.sleep(1_500);

  const before = judgements();
  const fresh = await timed(heir(uid, { hostInterface: 'cnlfresh', addresses: ['10.244.1.200'] }));
  expect(fresh.answer).toEqual({ ok: true, value: { state: 'policed' } });
  expect(judgements()).toBe(before);
  await node.ask({ op: 'delete-endpoint', key: 'heir/eth0' });

  await node.ask({ op: 'delete-endpoint', key: `${node.web.request.endpoint.containerId}/eth0` });
  const deletedMs = epochMs();
  const reused = await timed(heir(uid));
  const endedMs = epochMs();
  expect(reused.answer).toEqual({ ok: true, value: { state: 'policed' } });
  expect(await arriveAfter(endedMs)).toBe(0);
  // They went on until then.
  expect(arrivals.filter((atMs) => atMs > deletedMs).length).toBeGreaterThan(0);
  process.stderr.write(`ADD took ${fresh.ms} ms with a fresh address, ${reused.ms} ms with one that had flows\n`);
}, 60_000);

test('so are those of a pod that went while no agent ran', async () => {
  await node.store.create(NETWORK_POLICIES, ingressPolicy('isolated'));
  const uid = await createIsolatedPod('heir');
  await node.kill();
  await node.start();
  expect(await node.ask(heir(uid))).toEqual({ ok: true, value: { state: 'policed' } });
  expect(await arriveAfter(epochMs())).toBe(0);
}, 60_000);
