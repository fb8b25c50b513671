/**
 * A policy agent that is killed again and again while pods come and go: each pod whose ADD succeeded is known to the
 * agent that lives at the end, by its announcement or by its record, and none of those that went.
 */
import { type AgentStatusMessage, decodeAnswer, encodeRequest } from '@canal/agent-protocol';
import { connectUnixStream } from '@canal/linux-ffi';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { policyAgentArguments, policyAgentRole } from './agent.ts';
import { type Sandbox } from './cni-runtime.ts';
import { type Lab } from './lab.ts';
import { ensureNamespace, inNamespace, namespacePath, removeNamespace } from './namespaces.ts';
import { findProcesses, killProcesses } from './processes.ts';
import { labPaths } from './lab-paths.ts';
import { readLabState } from './lab-state.ts';
import { createTestLab, shippedBinary, TEST_STATE_ROOT } from './testing/test-lab.ts';
import { eachLimited } from './wait.ts';

const PODS = 60;
const NODE = 'node1';
const SEED = Number(process.env['CANAL_TEST_SEED'] ?? Date.now() % 1_000_000);

let lab: Lab;
const sandboxes: Sandbox[] = [];
beforeAll(async () => {
  lab = await createTestLab({ nodes: 1, podsPerNode: 0 });
  for (let index = 0; index < PODS; index++) {
    const name = `hs${index}`;
    const namespace = `canal-${lab.spec.name}.${NODE}.${name}`;
    ensureNamespace(namespace);
    sandboxes.push({
      containerId: `c${index}`,
      netns: namespacePath(namespace),
      pod: { namespace: 'default', name, uid: `u${index}` },
    });
  }
});
afterAll(async () => {
  for (const { pod } of sandboxes) removeNamespace(`canal-${lab.spec.name}.${NODE}.${pod.name}`);
  await lab.down();
});

/** Uniform in [0, 1), the same for the same seed. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function startPolicyAgent(): Bun.Subprocess {
  const argv = [shippedBinary(), 'policy-agent', ...policyAgentArguments(lab.spec, lab.pathsOf(NODE))];
  const env = { NODE_NAME: NODE, PATH: process.env['PATH'] ?? '' };
  return inNamespace(lab.namespaceOf({ node: NODE }), () =>
    Bun.spawn(argv, { env, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' }),
  );
}

function ask(op: 'status' | 'endpoints'): unknown {
  using stream = connectUnixStream(lab.pathsOf(NODE).policySocket, 1000);
  stream.send(new TextEncoder().encode(encodeRequest({ op })));
  const buffer = new Uint8Array(1 << 20);
  let length = 0;
  for (;;) {
    const received = stream.receive(buffer.subarray(length), 2000);
    if (received === undefined || received === 0) break;
    length += received;
    if (buffer[length - 1] === 0x0a) break;
  }
  const answer = decodeAnswer(new TextDecoder().decode(buffer.subarray(0, length)));
  if (!answer.ok || !answer.value.ok) throw new Error(JSON.stringify(answer));
  return answer.value.value;
}

async function eventually(work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === 60) throw error;
    }
  }
}

test(`${PODS} pods added and half of them deleted while the agent is killed (seed ${SEED})`, async () => {
  const random = mulberry(SEED);
  const id = readLabState(labPaths(TEST_STATE_ROOT, lab.spec.name))?.id ?? '';
  await killProcesses(findProcesses(id).filter(({ role }) => role === policyAgentRole(NODE)));
  const over = new AbortController();
  let kills = 0;
  const killer = (async (): Promise<void> => {
    while (!over.signal.aborted) {
      const agent = startPolicyAgent();
      await Bun.sleep(200 + 700 * random());
      agent.kill('SIGKILL');
      await agent.exited;
      kills++;
    }
  })();
  const runtime = lab.runtimeOf(NODE);
  await eachLimited(sandboxes, 4, (sandbox) =>
    eventually(async () => {
      await runtime.add(sandbox);
    }),
  );
  const gone = sandboxes.filter((_, index) => index % 2 === 0);
  await eachLimited(gone, 4, (sandbox) => runtime.del(sandbox));
  over.abort();
  await killer;
  expect(kills).toBeGreaterThan(2);
  const last = startPolicyAgent();
  try {
    const expected = sandboxes
      .filter((sandbox) => !gone.includes(sandbox))
      .map(({ containerId }) => `${containerId}/eth0`)
      .sort();
    let keys: string[] = [];
    await eventually(async () => {
      await Bun.sleep(100);
      if (!(ask('status') as AgentStatusMessage).ready) throw new Error('not ready');
      keys = (ask('endpoints') as { readonly key: string }[]).map(({ key }) => key).sort();
    });
    expect(keys).toEqual(expected);
  } finally {
    last.kill('SIGKILL');
    await last.exited;
  }
}, 240_000);
