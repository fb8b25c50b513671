/**
 * What it costs to bring a change into the kernel: a pod somewhere in the cluster, by the size of the sets it is a member
 * of; a pod of this node; a new policy; a cold start and a warm one. And the longest transaction, because all others who
 * change nf_tables wait for it.
 */
import { loadavg } from 'node:os';
import type { PolicyKernel } from '@canal/kernel-port';
import type { RuleChain, RuleEndpoint, RuleSet, SetMember } from '@canal/rules-ast';
import { createTestNetns, type TestNetns } from '@canal/testing';
import type { Ip } from 'net-types';
import { createPolicyKernel } from './policy-nft-kernel.ts';
import { chain, delta, endpointOf, type HandRules, viewOf } from './testing/rules.ts';
import { handPod, SAMPLE_GUARD } from './testing/sample-rules.ts';

const ROUNDS = 200;

const address = (index: number): Ip => (0x0a00_0000 + index) as Ip;
const member = (index: number): SetMember => ({ kind: 'addresses', ip: address(index) });
const idOf = (prefix: string, index: number): string => `${prefix}-${index.toString(16).padStart(12, '0')}`;

function setOf(index: number, count: number): readonly [RuleSet, readonly SetMember[]] {
  return [{ id: idOf('ad', index), kind: 'addresses' }, Array.from({ length: count }, (_, at) => member(at))];
}

const chainOf = (index: number, set: string): RuleChain =>
  chain(idOf('in', index), {
    peer: { type: 'addresses', set },
    ports: [{ protocol: 'TCP', ranges: [{ first: 80, last: 80 }] }],
  });

function local(index: number, ingress?: string): RuleEndpoint {
  const pod = handPod(index & 0xff);
  const hex = index.toString(16);
  const isolation = ingress === undefined ? {} : { ingress };
  return endpointOf(
    { ...pod, hostInterface: `cnl${hex.padStart(11, '0')}`, ip4: `10.244.1.${index}`, ip6: `fd00:10:244:1::${hex}` },
    isolation,
  );
}

function show(what: string, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2).padStart(9);
  console.log(`${what.padEnd(66)} p50 ${at(0.5)} ms  p99 ${at(0.99)} ms`);
}

/** Milliseconds of this process's own work and of the kernel on its behalf: others on the machine do not count. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function withKernel(work: (kernel: PolicyKernel, netns: TestNetns) => Promise<void>): Promise<void> {
  using netns = createTestNetns('bench');
  const kernel = createPolicyKernel({ netns: netns.path });
  await work(kernel, netns);
  kernel.close();
}

console.log(`load ${loadavg()[0]?.toFixed(1) ?? '?'}`);

for (const size of [1000, 10_000, 100_000]) {
  await withKernel(async (kernel) => {
    const set = setOf(1, size);
    const rules: HandRules = {
      endpoints: Array.from({ length: 110 }, (_, index) => local(index + 1, idOf('in', 1))),
      chains: [chainOf(1, idOf('ad', 1))],
      sets: [set],
    };
    const view = viewOf(rules);
    await kernel.resync(view, SAMPLE_GUARD);
    const [add, remove]: [number[], number[]] = [[], []];
    const change = (added: readonly SetMember[], removed: readonly SetMember[]): Promise<void> =>
      kernel.apply(delta({ members: new Map([[idOf('ad', 1), { added, removed }]]) }), view);
    for (let round = 0; round < ROUNDS; round++) {
      add.push(await timed(() => change([member(1_000_000 + round)], [])));
      remove.push(await timed(() => change([], [member(1_000_000 + round)])));
    }
    show(`one member of a set of ${size} comes`, add);
    show(`one member of a set of ${size} goes`, remove);
  });
}

for (const chains of [10, 250, 1000]) {
  await withKernel(async (kernel) => {
    const rules: HandRules = {
      endpoints: Array.from({ length: 110 }, (_, index) => local(index + 1, idOf('in', index % chains))),
      chains: Array.from({ length: chains }, (_, index) => chainOf(index, idOf('ad', 1))),
      sets: [setOf(1, 1000)],
    };
    const view = viewOf(rules);
    await kernel.resync(view, SAMPLE_GUARD);
    const [come, go]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      const endpoint = local(200, idOf('in', 1));
      come.push(await timed(() => kernel.apply(delta({ endpoints: [endpoint] }), view)));
      go.push(await timed(() => kernel.apply(delta({ removedEndpoints: [endpoint] }), view)));
    }
    show(`an isolated pod of this node comes, beside ${chains} chains`, come);
    show(`an isolated pod of this node goes, beside ${chains} chains`, go);
  });
}

await withKernel(async (kernel) => {
  const before: HandRules = { endpoints: Array.from({ length: 100 }, (_, index) => local(index + 1)) };
  const set = setOf(1, 1000);
  const after: HandRules = {
    endpoints: Array.from({ length: 100 }, (_, index) => local(index + 1, idOf('in', 1))),
    chains: [chainOf(1, idOf('ad', 1))],
    sets: [set],
  };
  await kernel.resync(viewOf(before), SAMPLE_GUARD);
  const [come, go]: [number[], number[]] = [[], []];
  for (let round = 0; round < 30; round++) {
    const arrival = delta({
      newSets: [set[0]],
      newChains: [...(after.chains ?? [])],
      endpoints: [...(after.endpoints ?? [])],
    });
    come.push(await timed(() => kernel.apply(arrival, viewOf(after))));
    const departure = delta({
      removedSets: [set[0]],
      removedChains: [idOf('in', 1)],
      endpoints: [...(before.endpoints ?? [])],
    });
    go.push(await timed(() => kernel.apply(departure, viewOf(before))));
  }
  show('a policy with 1,000 peers begins to isolate 100 pods of this node', come);
  show('… and ends', go);
});

await withKernel(async (kernel, netns) => {
  const rules: HandRules = {
    endpoints: Array.from({ length: 110 }, (_, index) => local(index + 1, idOf('in', index))),
    chains: Array.from({ length: 500 }, (_, index) => chainOf(index, idOf('ad', index % 50))),
    sets: Array.from({ length: 50 }, (_, index) => setOf(index, 3000)),
  };
  const view = viewOf(rules);
  const cold = await timed(() => kernel.resync(view, SAMPLE_GUARD));
  show('cold: 50 sets with 3,000 members each, 500 chains, 110 pods', [cold]);
  const warm: number[] = [];
  for (let round = 0; round < 3; round++) {
    const second = createPolicyKernel({ netns: netns.path });
    warm.push(await timed(() => second.resync(view, SAMPLE_GUARD)));
    second.close();
  }
  show('the same, warm: read and compared, nothing written', warm);
});
