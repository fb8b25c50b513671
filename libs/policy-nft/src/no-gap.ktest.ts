/** Rules change under a flood that none of them allows: no packet passes between the old ones and the new. */
import { readFileSync } from 'node:fs';
import type { PolicyKernel } from '@canal/kernel-port';
import { createPolicyWorld, type PodMode, type PolicyWorld, REMOTE_POD, type WorldPod } from '@canal/testing';
import { afterEach, expect, test } from 'vitest';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { addresses, chain, delta, endpointOf, GUARD, type HandRules, viewOf } from './testing/rules.ts';

const IN = 'in-00000000000a';

const ROUNDS = 50;
/** Of each round; then a comparison. When new chains were made and referred to in one transaction some hundred packets passed in ten thousand. */
const SWITCHES = 20;

const FLOOD = `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + 60
while time.monotonic() < end: s.sendto(b"x", ("${REMOTE_POD.ip4}", 54))
`;

let world: PolicyWorld;
let kernel: PolicyKernel;

afterEach(() => {
  kernel.close();
  world[Symbol.dispose]();
});

function setUp(mode: PodMode): readonly [WorldPod, WorldPod] {
  world = createPolicyWorld(2, mode);
  kernel = createPolicyKernel({ netns: world.node.path });
  const [a, b] = world.pods;
  if (a === undefined || b === undefined) throw new Error('2');
  return [a, b];
}

/** Datagrams that came to the other side. */
function received(): number {
  const text = world.far.within(() => readFileSync('/proc/thread-self/net/snmp', 'utf8'));
  const [names = '', numbers = ''] = text.split('\n').filter((line) => line.startsWith('Udp:'));
  const at = names.split(' ').indexOf('NoPorts');
  return Number(numbers.split(' ')[at]) + Number(numbers.split(' ')[1]);
}

/** Datagrams of the pod that passed while the rules changed so often. */
async function leakedIn(pod: WorldPod, rounds: number, step: (round: number) => Promise<void>): Promise<number> {
  const before = received();
  const child = pod.netns.within(() => Bun.spawn(['python3', '-c', FLOOD]));
  try {
    for (let round = 0; round < rounds; round++) {
      await step(round);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(child.exitCode).toBe(null);
  } finally {
    child.kill();
    await child.exited;
  }
  return received() - before;
}

test.each(['routed', 'bridge'] as const)(
  'no packet passes between the old rules and the new ones (pods %s)',
  async (mode) => {
    const [a, b] = setUp(mode);
    /** Each has a chain of its own that allows other things: to none of them what is sent here. */
    const rulesOf = (number: number): Required<HandRules> => {
      const id = `eg-${number.toString(16).padStart(12, '0')}`;
      const allowed = { peer: { type: 'addresses', set: 'ad-00000000000a' }, ports: 'any' } as const;
      return {
        endpoints: [endpointOf(a, { mode, ingress: IN, egress: id }), endpointOf(b, { mode })],
        chains: [chain(IN), number % 2 === 0 ? chain(id) : chain(id, allowed)],
        sets: [addresses('ad-00000000000a', b.ip4)],
        kept: [],
      };
    };
    let current = rulesOf(0);
    await kernel.resync(viewOf(current), GUARD);
    let switches = 0;
    const leaked = await leakedIn(a, ROUNDS, async (round) => {
      for (let index = 0; index < SWITCHES; index++) {
        const next = rulesOf(++switches);
        const change = {
          newChains: next.chains.slice(1),
          endpoints: next.endpoints.slice(0, 1),
          removedChains: current.chains.slice(1).map(({ id }) => id),
        };
        await kernel.apply(delta(change), viewOf(next));
        current = next;
      }
      // Another program has spoilt the rules, in a way that leaves them closed.
      if (round % 4 === 3) {
        world.node.run(['nft', 'flush', 'chain', 'inet', 'canal-policy', 'sample']);
        await kernel.resync(viewOf(current), GUARD);
      }
    });
    expect(switches).toBe(ROUNDS * SWITCHES);
    expect(leaked).toBe(0);

    const open = viewOf({ endpoints: [endpointOf(a, { mode }), endpointOf(b, { mode })] });
    expect(
      await leakedIn(a, ROUNDS, async () => {
        await kernel.resync(open, GUARD);
      }),
    ).toBeGreaterThan(1000);
  },
  60_000,
);
